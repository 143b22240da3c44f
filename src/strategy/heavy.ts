// Which keys are heavy: found online at the sequencer, for `hybrid`.
//
// Pure. The sequencer's loop keeps one vote per slot (Boyer and Moore's majority vote, a slot for each value of some bits
// of the hash): a packet of the slot's key adds one, any other takes one away. A key with more than half of its slot's packets
// is there at the end of an epoch, and its count is at most what it had.

import { heavySlots } from './toeplitz.js'

export interface Vote {
  readonly hash: number
  readonly count: number
}

/** A key is heavy from this share of a worker's fair share on, and no longer below the second one. */
export const heavyFrom = 0.5
export const lightBelow = 0.125
/** Keys that are replicated at the same time: their items travel to everybody. */
export const mostHeavy = 64

/**
 * What changes, given the votes of an epoch, its packets, and the keys that are heavy now. A key whose slot in the sequencer's
 * table of heavy keys is taken stays light.
 */
export function judge(
  votes: readonly Vote[],
  packets: number,
  workers: number,
  heavy: ReadonlySet<number>,
): { readonly promoted: readonly number[]; readonly demoted: readonly number[] } {
  const fair = packets / workers
  const counts = new Map(votes.map(v => [v.hash, v.count]))
  const demoted = [...heavy].filter(hash => (counts.get(hash) ?? 0) < lightBelow * fair)
  const staying = [...heavy].filter(hash => !demoted.includes(hash))
  const slots = new Set(staying.map(hash => hash % heavySlots))
  const promoted: number[] = []
  for (const { hash, count } of votes.toSorted((a, b) => b.count - a.count || a.hash - b.hash)) {
    if (count < heavyFrom * fair || staying.length + promoted.length === mostHeavy) break
    // Packets without a hash have no key that could be copied.
    if (hash === 0 || heavy.has(hash) || slots.has(hash % heavySlots)) continue
    slots.add(hash % heavySlots)
    promoted.push(hash)
  }
  return { promoted, demoted }
}
