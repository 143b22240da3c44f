/**
 * What a packet costs a worker, and what an item costs, on one flow:
 * `node dist/bench/replay-cost.js [--rounds n] [--growth] [PROGRAM…]`.
 *
 * The model of the paper's Appendix A: a worker of n spends t + (n - 1) c2 on a packet of its own and the items before it,
 * so n workers together make n / (t + (n - 1) c2) packets a second. Times are the least of every slab over some rounds.
 * With --growth, what n workers make by value (packets / busiest worker, the sequencer left out) beside that prediction;
 * t = d + c1, where d is what a packet costs a program that does nothing.
 */

import { parseArgs } from 'node:util'
import { compile } from '../src/compile.js'
import { storeSource } from '../src/engine/packets.js'
import { plan } from '../src/engine/plan.js'
import { start } from '../src/engine/run.js'
import { compileCallsAtOnce } from '../src/measure/call-wrappers.js'
import { formatEnvironment, readEnvironment } from '../src/measure/environment.js'
import { formatTable } from '../src/measure/table.js'
import { hybrid } from '../src/strategy/hybrid.js'
import { replicated } from '../src/strategy/replicated.js'
import { replicatedByValue } from '../src/strategy/replicated-by-value.js'
import { single } from '../src/strategy/single.js'
import type { Strategy } from '../src/strategy/strategy.js'
import { bundledProgram, programNames } from '../test/programs.js'
import type { BundledProgram } from '../test/programs.js'
import { traceStore } from '../src/measure/traces.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '65536' },
    rounds: { type: 'string', default: '20' },
    growth: { type: 'boolean', default: false },
    law: { type: 'string', default: 'single' },
  },
})
const packets = Number(values.packets)
const epochPackets = 16_384
const flows = values.law === 'single' ? 1 : Math.ceil(packets / 50)
const store = traceStore('trace', { seed: 1, law: values.law as 'single', flows }, packets)

/** Nanoseconds per packet received that the busiest worker is busy, in slabs in which heavy keys of hybrid are replicated. */
async function busy(program: Measured, strategy: Strategy, cores: number): Promise<number> {
  const slabs = new Map<string, { worker: number; count: number; least: number }>()
  const timed: Strategy = {
    ...strategy,
    work(stage, worker, slab, count, seq) {
      const began = performance.now()
      strategy.work(stage, worker, slab, count, seq)
      const took = performance.now() - began
      if (seq <= 2 * epochPackets) return
      const least = Math.min(took, slabs.get(`${worker} ${seq}`)?.least ?? Infinity)
      slabs.set(`${worker} ${seq}`, { worker, count, least })
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
  const perWorker = Array.from({ length: cores }, (_, w) => {
    const all = [...slabs.values()].filter(s => s.worker === w)
    return (1e6 * all.reduce((sum, s) => sum + s.least, 0)) / all.reduce((sum, s) => sum + s.count, 0)
  })
  return Math.max(...perWorker)
}

type Measured = Pick<BundledProgram, 'artifact' | 'rules'>

async function growth(names: readonly string[]): Promise<void> {
  const nothing = compile(
    'nothing.ts',
    `import { type Packet, Verdict } from 'hairpin'
export default function nothing(packet: Packet): Verdict {
  return packet.length === 0 ? Verdict.Drop : Verdict.Pass
}`,
  ).compiled!
  const d = await busy(nothing, single, 1)
  const numbers = [1, 2, 4, 7, 14]
  const rows = [['program', 't', 'c1', 'c2', 'd', ...numbers.map(n => `${n}: Mpps (model)`)]]
  for (const name of names) {
    const program = bundledProgram(name)
    const times: number[] = []
    for (const n of numbers) times.push(await busy(program, replicatedByValue, n))
    const t = times[0]
    const c2 = (14 * times[4] - t) / 13
    const mpps = times.map((ns, k) => {
      const n = numbers[k]
      return `${(1e3 / ns).toFixed(1)} (${((1e3 * n) / (t + (n - 1) * c2)).toFixed(1)})`
    })
    rows.push([name, ...[t, t - d, c2, d].map(ns => ns.toFixed(1)), ...mpps])
  }
  console.log(
    'By value on one flow, ns and Mpps; c2 is what 14 workers show, so the model is right there by itself',
  )
  console.log(formatTable(rows, `l${'r'.repeat(rows[0].length - 1)}`))
}

const paper = ['ddos-mitigator', 'heavy-hitter', 'port-knocking', 'token-bucket', 'connection-tracker']
compileCallsAtOnce()
console.log(formatEnvironment(readEnvironment()))
if (values.growth) {
  await growth(positionals.length ? positionals : paper)
  process.exit()
}
const rows = [['program', 't', 'c2 value', 'c2 reference', 'c2 hybrid', 'c2 / t', 'estimate']]
for (const name of positionals.length ? positionals : programNames) {
  const program = bundledProgram(name)
  const { artifact } = program
  if (!artifact.item) continue
  const t = await busy(program, single, 1)
  const n = 14
  const item = (perPacket: number): number => (n * perPacket - t) / (n - 1)
  const [value, reference] = [
    await busy(program, replicatedByValue, n),
    await busy(program, replicated, n),
  ].map(item)
  const mixed = artifact.hybrid ? item(await busy(program, hybrid, n)) : NaN
  rows.push([
    name,
    ...[t, value, reference, mixed].map(ns => ns.toFixed(1)),
    (mixed / t).toFixed(2),
    (artifact.replay ?? NaN).toFixed(2),
  ])
}
console.log(formatTable(rows, 'lrrrrrr'))
