/**
 * What a packet costs a worker, and what an item costs, on one flow: `node dist/bench/replay-cost.js [--rounds n] [PROGRAM…]`.
 *
 * The model of the paper's Appendix A: a worker of n spends t + (n - 1) c2 on a packet of its own and the items before it,
 * so n workers together make n / (t + (n - 1) c2) packets a second. Times are the least of every slab over some rounds.
 */

import { parseArgs } from 'node:util'
import { storeSource } from '../src/engine/packets.js'
import { plan } from '../src/engine/plan.js'
import { start } from '../src/engine/run.js'
import { formatTable } from '../src/measure/table.js'
import { hybrid } from '../src/strategy/hybrid.js'
import { replicated } from '../src/strategy/replicated.js'
import { replicatedByValue } from '../src/strategy/replicated-by-value.js'
import { single } from '../src/strategy/single.js'
import type { Strategy } from '../src/strategy/strategy.js'
import { bundledProgram, programNames } from '../test/programs.js'
import { traceStore } from '../src/measure/traces.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '65536' },
    rounds: { type: 'string', default: '20' },
    law: { type: 'string', default: 'single' },
  },
})
const packets = Number(values.packets)
const epochPackets = 16_384
const flows = values.law === 'single' ? 1 : Math.ceil(packets / 50)
const store = traceStore('trace', { seed: 1, law: values.law as 'single', flows }, packets)

/** Nanoseconds per packet received that worker 0 is busy, in slabs in which heavy keys of hybrid are replicated. */
async function busy(name: string, strategy: Strategy, cores: number): Promise<number> {
  const program = bundledProgram(name)
  const slabs = new Map<bigint, { count: number; least: number }>()
  const timed: Strategy = {
    ...strategy,
    work(stage, worker, slab, count, seq) {
      const began = performance.now()
      strategy.work(stage, worker, slab, count, seq)
      const took = performance.now() - began
      const least = Math.min(took, slabs.get(seq)?.least ?? Infinity)
      if (worker === 0 && seq > 2 * epochPackets) slabs.set(seq, { count, least })
    },
  }
  const rules = program.rules ? { rules: program.rules } : {}
  const planned = plan(program.artifact, {
    strategy: timed,
    cores,
    virtual: true,
    wholeSlabs: true,
    ...rules,
  })
  if ('error' in planned) throw new Error(planned.error)
  const input = { open: storeSource(store), epoch: { packets: epochPackets, replay: 0 } }
  for (let n = 0; n < Number(values.rounds); n++)
    await start(program.artifact, planned, timed, input, program.rules)
  const all = [...slabs.values()]
  return (1e6 * all.reduce((sum, s) => sum + s.least, 0)) / all.reduce((sum, s) => sum + s.count, 0)
}

const rows = [['program', 't', 'c2 value', 'c2 reference', 'c2 hybrid', 'c2 / t', 'estimate']]
for (const name of positionals.length ? positionals : programNames) {
  const { artifact } = bundledProgram(name)
  if (!artifact.item) continue
  const t = await busy(name, single, 1)
  const n = 14
  const item = (perPacket: number): number => (n * perPacket - t) / (n - 1)
  const [value, reference] = [await busy(name, replicatedByValue, n), await busy(name, replicated, n)].map(
    item,
  )
  const mixed = artifact.hybrid ? item(await busy(name, hybrid, n)) : NaN
  rows.push([
    name,
    ...[t, value, reference, mixed].map(ns => ns.toFixed(1)),
    (mixed / t).toFixed(2),
    (artifact.replay ?? NaN).toFixed(2),
  ])
}
console.log(formatTable(rows, 'lrrrrrr'))
