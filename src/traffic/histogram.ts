/**
 * Packet counts of flows as a histogram: exact below 1024, 64 classes an octave above, each with its sum.
 *
 * A few thousand entries stand for any number of flows, which is what lets `sizes.ts` fit a trace to a number of
 * packets, and find its large flows, without storing sizes.
 */

interface SizeClass {
  readonly part: number
  /** A flow keeps at least so many packets when scaled down, if it had them. */
  readonly whole: number
  count: number
  sum: number
}

/** Flows that are more than a slot's even share of the trace, and what is left for a slot beside them. */
export interface Leaders {
  /** How many there are in each part of the law. */
  readonly counts: readonly number[]
  /** Share of the trace that each other slot carries. */
  readonly base: number
}

export class SizeHistogram {
  readonly #classes = new Map<number, SizeClass>()

  /** Counts a flow of `packets` packets of the law's part `part` (0..63). */
  add(part: number, packets: number, whole: number): void {
    const size = packets < 1024 ? packets : 1024 + Math.floor(Math.log2(packets / 1024) * 64)
    const key = size * 64 + part
    const found = this.#classes.get(key)
    if (found) {
      found.count++
      found.sum += packets
    } else this.#classes.set(key, { part, whole, count: 1, sum: packets })
  }

  /** All packets, were every size scaled by `factor` but no flow below what makes it whole. */
  scaled(factor: number): number {
    let total = 0
    for (const entry of this.#classes.values()) total += entry.count * scaledMean(entry, factor)
    return total
  }

  /** The factor with which all flows take `budget` packets together; `scaled(0)` must not exceed it. */
  factorFor(budget: number): number {
    let low = Math.log(1e-9)
    let high = Math.log(1e12)
    for (let i = 0; i < 80; i++) {
      const middle = (low + high) / 2
      if (this.scaled(Math.exp(middle)) < budget) low = middle
      else high = middle
    }
    return Math.exp((low + high) / 2)
  }

  /**
   * Fills `slots` slots with flows, largest first, until the next is no more than what each slot left over must
   * carry of `packets` packets. `taken` packets in `takenSlots` slots are spoken for.
   */
  leaders(
    factor: number,
    parts: number,
    packets: number,
    slots: number,
    taken: number,
    takenSlots: number,
  ): Leaders {
    const counts = Array.from({ length: parts }, () => 0)
    let left = packets - taken
    let free = slots - takenSlots
    const descending = [...this.#classes.values()].toSorted((a, b) => b.sum / b.count - a.sum / a.count)
    for (const entry of descending) {
      const size = scaledMean(entry, factor)
      if (free <= entry.count || size <= left / free) break
      counts[entry.part] += entry.count
      left -= size * entry.count
      free -= entry.count
    }
    return { counts, base: left / Math.max(1, free) / packets }
  }
}

function scaledMean({ whole, count, sum }: SizeClass, factor: number): number {
  const mean = sum / count
  return Math.max(Math.min(mean, whole), mean * factor)
}
