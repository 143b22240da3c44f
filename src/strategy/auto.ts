// Which strategy suits a program, some traffic and a number of workers: chosen by costs that were measured.
//
// Pure: from measurements (engine/estimate.ts) to a choice and two sentences that say why. What a strategy would take
// per packet is the slower of two stages: the thread that reads and sequences, and the busiest worker.

import type { StrategyName } from './strategy.js'

/** What one strategy costs on the traffic that was looked at, in ns per packet of all packets. */
export interface Estimate {
  readonly strategy: 'single' | 'replicated' | 'sharded'
  readonly workers: number
  /** Reading, and on several workers sequencing or steering. */
  readonly front: number
  /** The busiest worker. */
  readonly slowest: number
  /** Packets of the busiest worker as a share of all: 1/n if they are spread evenly. */
  readonly largestShare: number
}

export interface Look {
  /** Packets looked at. */
  readonly packets: number
  /** Share of the packets that the largest flow has, 0 to 1. */
  readonly topFlow: number
  /** CPUs that workers can have for themselves. */
  readonly cpus: number
  readonly estimates: readonly Estimate[]
  /** Why the program cannot be sharded or replicated, if so. */
  readonly noSharding?: string
  readonly noReplication?: string
  /** Header fields that shard it. */
  readonly fields?: readonly string[]
}

export interface Choice {
  readonly strategy: StrategyName
  readonly workers: number
  /** Two sentences. */
  readonly why: string
}

/** A faster strategy is only worth its workers if it is faster by more than a measurement can tell. */
const worthwhile = 0.9

/** ns per packet of a strategy: one worker does everything by itself, several work beside the front. */
export function costOf(e: Estimate, cpus: number): number {
  if (e.strategy === 'single') return e.front + e.slowest
  return Math.max(e.front, e.slowest * Math.max(1, e.workers / cpus))
}

export function choose(look: Look): Choice {
  const cost = (e: Estimate): number => costOf(e, look.cpus)
  const single = look.estimates.find(e => e.strategy === 'single')!
  const best = look.estimates.reduce(
    (a, b) => (cost(b) < cost(a) * (a === single ? worthwhile : 1) ? b : a),
    single,
  )
  const why = `${reasonOf(look, best)} ${comparison(look, single, best, cost)}`
  return { strategy: best.strategy, workers: best.workers, why }
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`
const ns = (n: number): string => `${n.toFixed(n < 10 ? 1 : 0)} ns`

/** The first sentence: what the program and the traffic are like. */
function reasonOf(look: Look, best: Estimate): string {
  const sharded = look.estimates.find(e => e.strategy === 'sharded')
  const most = sharded && Math.min(sharded.workers, 1 / sharded.largestShare)
  if (look.noSharding !== undefined && look.noReplication !== undefined)
    return `The program can be neither sharded nor replicated: ${look.noReplication}.`
  if (look.noSharding !== undefined) return `The program cannot be sharded: ${look.noSharding}.`
  if (!sharded || most === undefined) return 'There is one worker.'
  const use = `sharding by ${look.fields!.join(', ')} ${best === sharded ? 'uses' : 'cannot use more than'} ${most.toFixed(1)} cores`
  return `One flow carries ${percent(look.topFlow)} of the ${look.packets} packets looked at: ${use}.`
}

/** The second: what that costs. */
function comparison(look: Look, single: Estimate, best: Estimate, cost: (e: Estimate) => number): string {
  const alone = `${ns(cost(single))} a packet on one worker`
  if (best !== single) {
    const front = `its busiest worker takes ${ns(best.slowest)} a packet and the ${best.strategy === 'sharded' ? 'steering' : 'sequencer'} ${ns(best.front)}`
    return `Measured here, ${front}, against ${alone}: about ${(cost(single) / cost(best)).toFixed(1)} times as fast.`
  }
  const others = look.estimates.filter(e => e !== single)
  if (others.length === 0) return `It takes ${alone}.`
  const least = others.reduce((a, b) => (cost(b) < cost(a) ? b : a))
  const limit =
    least.workers > look.cpus
      ? `${least.workers} workers would share ${look.cpus} CPUs`
      : least.front >= least.slowest
        ? `reading and handing a packet out takes ${ns(least.front)} by itself`
        : `the busiest worker would still take ${ns(least.slowest)}`
  return `Measured here it takes ${alone}, and ${least.strategy} on ${least.workers} would be no faster: ${limit}.`
}
