// A look of top as JSON: one object for every interval. docs/json.md says what it promises.

import type { BucketFigures } from '../../engine/kernel/buckets.js'
import type { HeavyFigures } from '../../engine/kernel/places.js'
import { runJson } from './run-lines.js'
import { rate, timePerRun, changesOf } from './sample.js'
import type { Change, DeviceSample, ProgramSample, Sample } from './sample.js'
import { recoveryJson } from '../recovery.js'

export const sampleJson = (now: Sample, before: Sample | undefined, time: boolean) => ({
  seconds: before ? (now.at - before.at) / 1000 : 0,
  programs: changesOf(now, before).map(change => programJson(change, now, time)),
  runs: now.runs.map(runJson),
})

const numbers = (counts: ReadonlyMap<string, bigint>): Record<string, number> =>
  Object.fromEntries([...counts].map(([name, n]) => [name, Number(n)]))

function programJson(change: Change, sample: Sample, time: boolean): object {
  const { now, before, seconds } = change
  const { figures } = now
  const verdict = (name: string): number => Number(figures.verdicts.get(name) ?? 0n)
  return {
    programId: now.programId,
    program: now.name,
    interfaces: now.devices.map(({ name, mode }) => ({
      name,
      mode,
      ...deviceJson(sample.devices.get(name)),
    })),
    otherNamespaces: now.elsewhere,
    pins: now.pins,
    upSeconds: Number(now.age) / 1e9,
    packets: Number(figures.packets),
    packetsPerSecond: rate(figures.packets, before?.figures.packets, seconds) ?? null,
    verdicts: numbers(figures.verdicts),
    drops: { program: verdict('drop'), aborted: verdict('aborted') },
    counters: numbers(figures.counters),
    cpus: figures.byCpu.flatMap((n, cpu) => (n > 0n ? [{ cpu, packets: Number(n) }] : [])),
    tables: now.tables,
    ...(now.replicated && { replicated: replicatedJson(now.replicated) }),
    ...(now.rebalancing && { rebalancing: rebalancingJson(now.rebalancing) }),
    ...(time && { nanosecondsPerPacket: timePerRun(change) ?? null }),
  }
}

const rebalancingJson = ({ migrations, ...rest }: BucketFigures | HeavyFigures): object => ({
  ...rest,
  migrations: Number(migrations),
})

const replicatedJson = ({
  headerBytes,
  stopped,
  recovery,
}: NonNullable<ProgramSample['replicated']>): object => ({
  headerBytes,
  stopped,
  ...(recovery && { recovery: recoveryJson(recovery) }),
})

function deviceJson(device: DeviceSample | undefined): object {
  if (!device) return {}
  const { counters, driver } = device
  const known = Object.entries({ transmitLost: driver.transmitLost, lost: driver.lost })
  return {
    received: counters.receivedPackets,
    sent: counters.sentPackets,
    drops: {
      receive: counters.receiveDropped,
      send: counters.sendDropped,
      ...Object.fromEntries(known.flatMap(([name, n]) => (n === undefined ? [] : [[name, Number(n)]]))),
    },
  }
}
