/**
 * What tests of live runs whose state is in slices have in common (rebalanced and hybrid): sending traffic in parts while buckets
 * change hands, and reading slices. The wire is that of wire.ts.
 */

import type { LiveFigures } from '../../src/engine/live/figures.js'
import type { Lab } from '../../src/lab/lab.js'
import { dumpState, dumpToJson } from '../../src/state/dump.js'
import type { Dump } from '../../src/state/dump.js'
import type { StateLayout } from '../../src/state/layout.js'
import { stateMemory } from '../../src/state/memory.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { eager } from '../../src/strategy/balance.js'
import { openLiveSender } from '../../src/traffic/live.js'
import type { BundledProgram } from '../programs.js'

/** A run whose state is in slices, one for each bucket. */
interface SlicedRun {
  readonly parts: number
  state(bucket: number): Uint8Array
  figures(): LiveFigures
}

/** How these runs are begun, unless a test says otherwise: on `b`, and buckets change when the test says so. */
export const usual = ({ rules }: BundledProgram, seed: bigint) => ({
  interfaces: ['b'],
  settings: new Map<string, bigint>(),
  ...(rules && { rules }),
  seed,
  cpus: onlineCpus().toReversed(),
  workers: 3,
  queueSize: 4096,
  mode: 'native' as const,
  epoch: 0,
  balance: eager,
})

/** Entries of tables, or what else there is, as JSON has them. */
export const contents = (dumps: readonly Dump[]): unknown[] =>
  dumps.map(dumpToJson).map(d => ('entries' in d ? d.entries : d))

/** The state in a block of such a layout. */
export function dumpsOf(bytes: Uint8Array, layout: StateLayout): Dump[] {
  const memory = stateMemory(new ArrayBuffer(layout.size))
  memory.bytes.set(bytes)
  return dumpState(memory, 0, layout, 0n)
}

/** The state of each bucket. */
export const slicesOf = (run: SlicedRun, { artifact }: BundledProgram): Dump[][] =>
  Array.from({ length: run.parts }, (_, b) => dumpsOf(run.state(b), artifact.stateLayout))

export const parts = <T>(all: readonly T[], n: number): T[][] =>
  Array.from({ length: n }, (_, k) => all.slice((k * all.length) / n, ((k + 1) * all.length) / n))

/** From `a` in `gen`: sends one part after the other, and does something after each, while its last packets are under way. Answers how many arrived. */
export async function sendParts(
  lab: Lab,
  all: readonly Uint8Array[][],
  rate: number | undefined,
  between: () => void,
): Promise<number> {
  let sent = 0
  for (const packets of all) {
    const sender = lab.inNamespace('gen', () =>
      openLiveSender({ packets, device: 'a', ...(rate && { rate }) }),
    )
    const report = await sender.send(packets.length)
    between()
    sender.close()
    sent += report.sent - report.dropped
  }
  return sent
}

export const stayedAway = (run: SlicedRun): string =>
  `packets stayed away: ${run.figures().sprayed.map(p => `${p.enqueued - p.full} of ${p.handled}`)}`
