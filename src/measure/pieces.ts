/**
 * Processor time of work that is done again and again, each time in the same pieces: the slabs of a run.
 *
 * What others take from a core, its caches and its sibling's share of it, only ever adds time, for microseconds or for seconds, and
 * seldom to the same slab in every round. So the time of a slab is the lower quartile of its times over the rounds, and a worker's
 * time is the sum of its slabs'. It says what the code needs where little disturbs it, not what a round took; whoever prints it
 * says so (`timing`). A quartile and not the least, for the least falls with every round that is added, and below the truth where
 * the clock errs.
 */

import type { Worked } from '../engine/crew.js'
import { quantile } from './statistics.js'
import type { WorkClock } from './thread-clock.js'

/** Parameters of a record that say what its times are: by a clock of work, in pieces; or the wall clock's median without one. */
export const timing = (clock?: WorkClock): Readonly<Record<string, string>> =>
  clock ? { clock: clock.kind, time: 'lower quartile' } : { clock: 'wall clock', time: 'median' }

export type Doer = Parameters<Worked>[0]

/** The pieces of one run, milliseconds, by who did them, in order. */
export type Pieces = ReadonlyMap<Doer, readonly number[]>

/** Collects the pieces of a run. */
export function collectPieces(): { readonly worked: Worked; readonly pieces: Pieces } {
  const pieces = new Map<Doer, number[]>()
  const worked: Worked = (who, milliseconds) => {
    const own = pieces.get(who)
    if (own) own.push(milliseconds)
    else pieces.set(who, [milliseconds])
  }
  return { worked, pieces }
}

/** Milliseconds that one doer needs for all its pieces; 0 for who did nothing. Throws where rounds differ in their pieces. */
export function undisturbed(rounds: readonly Pieces[], who: Doer): number {
  return sumOfQuartiles(rounds.map(pieces => pieces.get(who) ?? []))
}

/** The sum, over the pieces, of the lower quartile of a piece's times over the rounds. */
export function sumOfQuartiles(rounds: readonly (readonly number[])[]): number {
  const [first] = rounds
  if (rounds.some(round => round.length !== first.length))
    throw new Error('rounds of the same work came in different pieces')
  return first.reduce(
    (sum, _, i) =>
      sum +
      quantile(
        rounds.map(round => round[i]),
        0.25,
      ),
    0,
  )
}
