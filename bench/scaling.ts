/**
 * How strategies scale, per trace and number of workers:
 *
 *     node dist/bench/scaling.js [--packets n] [--rounds n] [--workers 1,2,4,7,14] [--program NAME] [--trace NAME]
 *
 * Each worker's stream is run alone, one after the other on one core, and its busy time taken: what a core of its own
 * would need. Projected from that: Mpps = packets / max(slowest worker, sequencer). The column `hardware` leaves the
 * sequencer out, as if a NIC or switch did its work; the two are never mixed. Contention between cores is in neither, so
 * nothing is projected for `shared` or for history by reference. Measured, on as many threads as there are CPUs: wall-clock
 * rates, reading from memory included.
 */

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { storeSource } from '../src/engine/packets.js'
import type { PacketStore } from '../src/engine/packets.js'
import { plan } from '../src/engine/plan.js'
import { start } from '../src/engine/run.js'
import type { RunResult } from '../src/engine/run.js'
import { formatEnvironment, readEnvironment } from '../src/measure/environment.js'
import { summarise } from '../src/measure/statistics.js'
import { formatTable } from '../src/measure/table.js'
import { hybrid } from '../src/strategy/hybrid.js'
import { rebalanced } from '../src/strategy/rebalanced.js'
import { replicated } from '../src/strategy/replicated.js'
import { replicatedByValue } from '../src/strategy/replicated-by-value.js'
import { sharded } from '../src/strategy/sharded.js'
import { single } from '../src/strategy/single.js'
import type { Strategy } from '../src/strategy/strategy.js'
import type { TraceSpecification } from '../src/traffic/specification.js'
import { bundledProgram } from '../test/programs.js'
import type { BundledProgram } from '../test/programs.js'
import { traceStore } from '../test/trace-store.js'

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    workers: { type: 'string', default: '1,2,4,7,14' },
    program: { type: 'string', multiple: true },
    trace: { type: 'string', multiple: true },
  },
})
const packets = Number(values.packets)
const rounds = Number(values.rounds)
const workers = values.workers.split(',').map(Number)
const paper = ['ddos-mitigator', 'heavy-hitter', 'port-knocking', 'token-bucket', 'connection-tracker']

const specifications: Readonly<Record<string, TraceSpecification>> = {
  uniform: { law: 'uniform', flows: Math.ceil(packets / 100) },
  university: { law: 'university-1', flows: Math.ceil(packets / 50), udp: 0.2 },
  backbone: { law: 'backbone', flows: Math.ceil(packets / 20) },
  'single flow': { law: 'single', flows: 1 },
}

type Run = () => Promise<RunResult>

function runner(
  program: BundledProgram,
  store: PacketStore,
  strategy: Strategy,
  cores: number,
  alone: boolean,
): Run {
  const options = { strategy, cores, virtual: alone, wholeSlabs: alone }
  const planned = plan(program.artifact, options)
  if ('error' in planned) throw new Error(planned.error)
  const input = { open: storeSource(store), epoch: { packets: 16_384 } }
  return () => start(program.artifact, planned, strategy, input, program.rules)
}

/** The results of each round after the first, which is for V8 to optimise in; the runners take turns. */
async function inTurn(runs: readonly Run[]): Promise<RunResult[][]> {
  const all: RunResult[][] = runs.map(() => [])
  for (let round = 0; round <= rounds; round++)
    for (const [k, run] of runs.entries()) {
      const result = await run()
      if (round > 0) all[k].push(result)
    }
  return all
}

const projected =
  (hardware: boolean) =>
  (r: RunResult): number => {
    const slowest = Math.max(...r.workers.map(w => w.busyMilliseconds))
    return r.received / 1e3 / Math.max(slowest, hardware ? 0 : r.sequencerMilliseconds)
  }

const ways = [sharded, rebalanced, hybrid, replicatedByValue]
console.log(formatEnvironment(readEnvironment()))
console.log(`${packets} packets, ${rounds} rounds in turn; medians with lowest and highest\n`)

const text = (samples: readonly number[], digits = 1): string => {
  const { median, min, max } = summarise(samples)
  const [middle, least, most] = [median, min, max].map(n => n.toFixed(digits))
  return `${middle} (${least}–${most})`
}

for (const trace of values.trace ?? Object.keys(specifications)) {
  const store = traceStore(trace, { seed: 1, ...specifications[trace] }, packets)
  for (const name of values.program ?? paper) {
    const program = bundledProgram(name)
    const rows = [['workers', ...ways.flatMap(s => [s.name, 'hardware'])]]
    const best: string[] = []
    for (const n of workers) {
      const results = await inTurn(ways.map(s => runner(program, store, s, n, true)))
      const [software, hardware] = [false, true].map(h => results.map(list => list.map(projected(h))))
      rows.push([String(n), ...ways.flatMap((_, k) => [text(software[k]), text(hardware[k])])])
      const rival = hardware[0].map((mpps, k) => Math.max(mpps, hardware[3][k]))
      const ratios = hardware[2].map((mpps, k) => mpps / rival[k])
      best.push(`${n}: ${text(ratios, 2)}`)
    }
    console.log(`${name}, ${trace}: projected Mpps`)
    console.log(formatTable(rows, 'r'.repeat(rows[0].length)))
    console.log(`hybrid over the better of sharded and replicated, hardware sequencer: ${best.join('; ')}`)
    const cpus = availableParallelism()
    const threads = [
      { label: '1 worker', run: runner(program, store, single, 1, false) },
      ...[sharded, replicated].map(s => ({
        label: `${s.name} on ${cpus} threads`,
        run: runner(program, store, s, cpus, false),
      })),
    ]
    const results = await inTurn(threads.map(t => t.run))
    const wall = results.map(list => list.map(r => r.received / 1e6 / r.seconds))
    console.log(`measured Mpps: ${threads.map(({ label }, k) => `${label} ${text(wall[k])}`).join('; ')}\n`)
  }
}
