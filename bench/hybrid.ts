/**
 * Hybrid beside its rivals, slab by slab:
 *
 *     node dist/bench/hybrid.js [--packets n] [--rounds n] [--epoch n] [--workers 2,4,7,14] [--program NAME] [--trace NAME]
 *
 * A run is the same in every round, so the time of each slab at each worker is taken as its least over some rounds: what an
 * interruption added is left out, and what the worker's own core would need stays. Rounds are taken in turn and in
 * five groups, each with a ratio of its own: the median is given with the lowest and highest. What workers do about state
 * that changes hands is given apart: the milliseconds of the worker that has most of it.
 */

import { parseArgs } from 'node:util'
import { storeSource } from '../src/engine/packets.js'
import type { PacketStore } from '../src/engine/packets.js'
import { plan } from '../src/engine/plan.js'
import { start } from '../src/engine/run.js'
import type { RunResult } from '../src/engine/run.js'
import { compileCallsAtOnce } from '../src/measure/call-wrappers.js'
import { formatEnvironment, readEnvironment } from '../src/measure/environment.js'
import { summarise } from '../src/measure/statistics.js'
import { formatTable } from '../src/measure/table.js'
import { standardTrace, traceStore } from '../src/measure/traces.js'
import type { TraceName } from '../src/measure/traces.js'
import { slabHandover, takePart } from '../src/strategy/handover.js'
import { hybrid } from '../src/strategy/hybrid.js'
import { rebalanced } from '../src/strategy/rebalanced.js'
import { replicatedByValue } from '../src/strategy/replicated-by-value.js'
import { sharded } from '../src/strategy/sharded.js'
import type { Strategy } from '../src/strategy/strategy.js'
import { bundledProgram } from '../test/programs.js'
import type { BundledProgram } from '../test/programs.js'

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '25' },
    epoch: { type: 'string', default: '16384' },
    workers: { type: 'string', default: '2,4,7,14' },
    program: { type: 'string', multiple: true },
    trace: { type: 'string', multiple: true },
  },
})
const packets = Number(values.packets)
const rounds = Number(values.rounds)
const groups = 5
if (!(rounds >= 2 * groups)) throw new RangeError(`--rounds takes ${2 * groups} or more: two for each group`)
const paper = ['ddos-mitigator', 'heavy-hitter', 'port-knocking', 'token-bucket', 'connection-tracker']
const traces: readonly TraceName[] = ['uniform', 'university', 'backbone', 'single flow']

/** One strategy on some packets: the least time of every slab at every worker, and of its preparation, by group. */
class Contestant {
  last: RunResult | undefined
  private group = 0
  private readonly times = Array.from({ length: groups }, () => new Map<string, number>())
  private readonly run: () => Promise<RunResult>

  constructor(program: BundledProgram, store: PacketStore, strategy: Strategy, cores: number) {
    const timed: Strategy = {
      ...strategy,
      prepare: (stage, slab, count, seq) =>
        this.time(`sequencer ${seq}`, () => strategy.prepare(stage, slab, count, seq)),
      work: (stage, worker, slab, count, seq) => {
        if (strategy.rebalances && stage.words[(slab.header + slabHandover) >>> 2] !== 0)
          this.time(`hand-over of ${worker} ${seq}`, () => takePart(stage, worker, slab))
        // With the first page as its header, which is always zero, it has no hand-over any more.
        const plain = { ...slab, header: 0 }
        this.time(`${worker} ${seq}`, () => strategy.work(stage, worker, plain, count, seq))
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
    const input = { open: storeSource(store), epoch: { packets: Number(values.epoch) } }
    this.run = () => start(program.artifact, planned, timed, input, program.rules)
  }

  async round(n: number): Promise<void> {
    this.group = n % groups
    this.last = await this.run()
  }

  forget(): void {
    for (const t of this.times) t.clear()
  }

  /** Millions of packets a second, by group: limited by the busiest worker, or also by the sequencer. */
  rates(hardware: boolean): number[] {
    return this.sums().map(sums => {
      const those = [...sums].filter(([who]) => /^\d+$/.test(who) || (who === 'sequencer' && !hardware))
      return packets / 1e3 / Math.max(...those.map(([, sum]) => sum))
    })
  }

  /** Milliseconds of hand-overs at the worker that has most, by group. */
  handovers(): number[] {
    return this.sums().map(sums =>
      Math.max(0, ...[...sums].flatMap(([who, sum]) => (who.startsWith('hand-over') ? [sum] : []))),
    )
  }

  /** Milliseconds of each worker, of its hand-overs and of the sequencer, by group. */
  private sums(): Map<string, number>[] {
    return this.times.map(times => {
      const sums = new Map<string, number>()
      for (const [what, least] of times) {
        const who = what.slice(0, what.lastIndexOf(' '))
        sums.set(who, (sums.get(who) ?? 0) + least)
      }
      return sums
    })
  }

  private time(what: string, work: () => void): void {
    const began = performance.now()
    work()
    const took = performance.now() - began
    const times = this.times[this.group]
    times.set(what, Math.min(took, times.get(what) ?? Infinity))
  }
}

const text = (samples: readonly number[], digits = 1): string => {
  const { median, min, max } = summarise(samples)
  const [middle, least, most] = [median, min, max].map(n => n.toFixed(digits))
  return `${middle} (${least}–${most})`
}

const ways = [sharded, replicatedByValue, rebalanced, hybrid]
compileCallsAtOnce()
console.log(formatEnvironment(readEnvironment()))
console.log(`${packets} packets, ${rounds} rounds in ${groups} groups; medians with lowest and highest\n`)
for (const trace of (values.trace ?? traces) as TraceName[]) {
  const store = traceStore(trace, { seed: 1, ...standardTrace(trace, packets) }, packets)
  for (const name of values.program ?? paper) {
    const program = bundledProgram(name)
    const rows = [['workers', ...ways.map(s => s.name), 'hybrid / best', 'software', 'hand-overs']]
    for (const cores of values.workers.split(',').map(Number)) {
      const all = ways.map(s => new Contestant(program, store, s, cores))
      for (const c of all) await c.round(0)
      for (const c of all) c.forget()
      // Forwards and backwards, so that nobody always comes after the same one.
      for (let n = 0; n < rounds; n++)
        for (const c of n % 2 ? all.toReversed() : all) await c.round(Math.floor(n / 2))
      const ratios = (hardware: boolean): number[] => {
        const [s, r, , h] = all.map(c => c.rates(hardware))
        return h.map((mpps, k) => mpps / Math.max(s[k], r[k]))
      }
      const { migrations, promotions, demotions, entries } = all[3].last!.rebalancing!
      rows.push([
        String(cores),
        ...all.map(c => text(c.rates(true))),
        text(ratios(true), 2),
        text(ratios(false), 2),
        `${migrations} moved, ${promotions} up, ${demotions} down, ${entries} entries, ${text(all[3].handovers(), 2)} ms`,
      ])
    }
    console.log(`${name}, ${trace}: projected Mpps with a hardware sequencer`)
    console.log(`${formatTable(rows, 'r'.repeat(rows[0].length))}\n`)
  }
}
