/** Which frames a transport loses, in the ways that are told apart: single, bursts, one worker's, everybody's, any. */

import type { Loss } from '../../src/engine/transport.js'
import type { Draw } from './draw.js'

export interface Losses {
  /** In words, with what was drawn. */
  readonly what: string
  readonly loss: Loss
}

/** Losses among `packets` frames from `first` on, over so many workers. */
export function randomLosses(draw: Draw, first: bigint, packets: number, workers: number): Losses {
  const at = draw.below(Math.max(packets, 1))
  const length = 1 + draw.below(3 * workers + 4)
  const among = (set: ReadonlySet<number>): Loss => {
    return sequence => set.has(Number(sequence - first))
  }
  const range = (from: number, count: number, step = 1): Set<number> =>
    new Set(Array.from({ length: count }, (_, k) => from + k * step))
  return draw.pick<() => Losses>([
    () => ({ what: `packet ${at}`, loss: among(range(at, 1)) }),
    () => ({ what: `packets ${at} to ${at + length - 1}`, loss: among(range(at, length)) }),
    () => ({
      what: `every packet of one worker, ${length} of them from ${at} on`,
      loss: among(range(at, length, workers)),
    }),
    () => ({
      what: `all packets from ${at} on that carry it`,
      loss: among(range(at, workers + draw.below(workers + 1))),
    }),
    () => {
      const rate = draw.pick([1, 3, 10, 50, 90, 100])
      const set = new Set(Array.from({ length: packets }, (_, k) => k).filter(() => draw.chance(rate, 100)))
      return { what: `${rate} % of all packets`, loss: among(set) }
    },
  ])()
}
