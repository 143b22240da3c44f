// Which keys are heavy: found online at the sequencer, for `hybrid`.
//
// Pure. The sequencer's loop keeps one vote per slot (Boyer and Moore's majority vote, a slot for each value of some bits
// of the hash): a packet of the slot's key adds one, any other takes one away. A key with more than half of its slot's packets
// is there at the end of an epoch, and its count is at most what it had.
//
// A key is replicated only if that makes the busiest worker less busy. Alone, a key of h packets costs its worker h; on n
// workers it costs each of them h/n packets and (1 - 1/n)h items, so it pays exactly when a worker would otherwise have
// much more than the others (paper, Appendix A, for one key). What buckets could be moved to level the load is counted on
// both sides, with the same search that moves them (balance.ts). A key that has paid for a whole epoch stays for one that says
// otherwise, unless much is to be gained, so that a single epoch does not hand its state to and fro.

import { balance, perWorker } from './balance.js'
import type { BalanceOptions, Move } from './balance.js'
import { heavySlots, indirectionEntries } from './toeplitz.js'

export interface Vote {
  readonly hash: number
  readonly count: number
}

/** Keys with less than this share of a worker's fair share are not looked at, and one that was heavy is so no longer. */
export const lightBelow = 0.125
/** Votes that a key must have where they are a sample: what has fewer may have them by chance. */
const leastVotes = 16
/** Keys that are replicated at the same time: their items travel to everybody. */
export const mostHeavy = 64
/** A change must take off this share of the busiest worker's load: less is noise, and a hand-over costs something too. */
export const leastGain = 0.03
/** A gain of this share of the busiest worker's load does not wait for a second epoch. */
export const plainGain = 0.15
/** Sets that are tried beyond the best one so far, each with one key more. */
const patience = 3

export interface Epoch {
  /** What was voted for, each vote counting for `scale` packets. */
  readonly votes: readonly Vote[]
  readonly scale: number
  /** Packets of each bucket, without those of keys that are heavy, and each bucket's worker. */
  readonly loads: readonly number[]
  readonly owners: readonly number[]
  readonly workers: number
  readonly heavy: ReadonlySet<number>
  /** Whether every table has room for copies: if not, no more keys become heavy. */
  readonly room: boolean
  /** What replaying an item costs, as a share of what its packet costs: c2 / t of the paper's model. */
  readonly replay: number
  /** When light buckets move. The loads before this epoch are without the keys that are heavy now. */
  readonly balance?: BalanceOptions
  /** Heavy keys that paid in the epoch before too: these become light only if the next one says so as well. */
  readonly stood?: ReadonlySet<number>
}

export interface Judgement {
  readonly promoted: readonly number[]
  readonly demoted: readonly number[]
  readonly moves: readonly Move[]
  /** Keys that were heavy and had better stay so. */
  readonly stood: ReadonlySet<number>
}

/**
 * What should change. A key whose slot in the sequencer's table of heavy keys is taken stays light. Moves are of light
 * buckets, those of keys that are demoted included.
 */
export function judge(epoch: Epoch): Judgement {
  const { loads, heavy, workers, owners, scale } = epoch
  const counts = new Map(epoch.votes.map(v => [v.hash, v.count * scale]))
  const countOf = (hash: number): number => counts.get(hash) ?? 0
  const total = [...heavy].reduce((sum, h) => sum + countOf(h), 0) + sumOf(loads)
  const worth = (lightBelow * total) / workers
  /** Without those that have hardly any packets left. */
  const staying = [...heavy].filter(hash => countOf(hash) >= worth)
  /** Loads with the packets of keys too, or without; votes are estimates, and no bucket has less than nothing. */
  const adding = (to: readonly number[], keys: Iterable<number>, sign: 1 | -1): number[] => {
    const sums = [...to]
    for (const hash of keys) sums[hash % indirectionEntries] += sign * countOf(hash)
    return sums.map(n => Math.max(0, n))
  }
  const { balance: options = {} } = epoch
  /** As if no key were heavy. */
  const plain = adding(loads, heavy, 1)
  const plainBefore = options.before && adding(options.before, heavy, 1)

  const attempt = (keys: readonly number[]): Attempt => {
    const light = adding(plain, keys, -1)
    const before = plainBefore && { before: adding(plainBefore, keys, -1) }
    const moves = balance(light, owners, workers, { ...options, ...before })
    const at = [...owners]
    for (const { bucket, to } of moves) at[bucket] = to
    const most = Math.max(...perWorker(light, at, workers))
    const spread = keys.reduce((sum, hash) => sum + countOf(hash), 0)
    return { keys, moves, cost: most + spread * (1 / workers + (1 - 1 / workers) * epoch.replay) }
  }

  const now = attempt(staying)
  const gains = ({ cost }: Attempt, share: number): boolean => cost < (1 - share) * now.cost
  // Nothing can be better than all packets spread evenly.
  const least = total / workers
  let chosen = now
  if (workers > 1 && least < (1 - leastGain) * now.cost) {
    const keys = candidates(epoch.votes, Math.max(worth / scale, scale > 1 ? leastVotes : 0), heavy).filter(
      hash => epoch.room || heavy.has(hash),
    )
    let best = attempt([])
    for (let n = 1; n <= keys.length && n <= best.keys.length + patience; n++) {
      const next = attempt(keys.slice(0, n))
      if (next.cost < best.cost) best = next
    }
    if (gains(best, leastGain)) chosen = best
  }
  const stood = new Set(chosen.keys.filter(hash => heavy.has(hash)))
  const waiting = staying.filter(hash => !stood.has(hash) && epoch.stood?.has(hash))
  if (waiting.length > 0 && !gains(chosen, plainGain)) chosen = attempt([...stood, ...waiting])
  return {
    promoted: chosen.keys.filter(hash => !heavy.has(hash)),
    demoted: [...heavy].filter(hash => !chosen.keys.includes(hash)),
    moves: chosen.moves,
    stood,
  }
}

interface Attempt {
  readonly keys: readonly number[]
  readonly moves: readonly Move[]
  /** What the busiest worker would have to do, in packets. */
  readonly cost: number
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0)

/** Keys that could be replicated, the heaviest first; of those that share a slot, the one that has it. */
function candidates(votes: readonly Vote[], worth: number, heavy: ReadonlySet<number>): number[] {
  const taken = new Map([...heavy].map(hash => [hash % heavySlots, hash]))
  const found: number[] = []
  for (const { hash, count } of votes.toSorted((a, b) => b.count - a.count || a.hash - b.hash)) {
    if (count < worth || found.length === mostHeavy) break
    // Packets without a hash have no key that could be copied.
    if (hash === 0 || (taken.get(hash % heavySlots) ?? hash) !== hash) continue
    taken.set(hash % heavySlots, hash)
    found.push(hash)
  }
  return found
}
