// How much the order of packets changed between arrival and the end of processing.
//
// Workers note, in sampled slabs, when each packet was finished, by a counter they share. A packet is reordered if one
// with a higher sequence number was finished before it (RFC 4737, section 3.3); its extent is how far the highest
// such number is ahead (section 4.2.1, in packets of this stream). Only packets that go on count: a dropped packet
// has no place in the output. Output captures are written in sequence order all the same.

import { descriptor, descriptorBytes } from '../device/slab.js'
import { verdictNumber } from '../device/slab.js'
import type { EngineSlab } from './memory.js'

export interface ReorderingReport {
  /** Packets looked at. */
  readonly sampled: number
  /** Of those, packets finished after a later one. */
  readonly reordered: number
  /** The largest extent, in packets. */
  readonly extent: number
}

export class Reordering {
  private sampled = 0
  private reordered = 0
  private extent = 0

  /** Looks at a finished slab with stamps. */
  add(words: Uint32Array, slab: EngineSlab, count: number): void {
    // Stamp and position in one number, exact below 2^53, so that the engine's numeric sort does the work.
    const order = new Float64Array(count)
    let kept = 0
    for (let i = 0; i < count; i++) {
      const verdict = words[(slab.descriptors + i * descriptorBytes + descriptor.verdict) >>> 2] & 0xff
      if (verdict <= verdictNumber.drop) continue
      order[kept++] = words[(slab.stamps >>> 2) + i] * 2 ** 20 + i
    }
    let highest = -1
    for (const key of order.subarray(0, kept).sort()) {
      const i = key % 2 ** 20
      if (i < highest) {
        this.reordered++
        this.extent = Math.max(this.extent, highest - i)
      } else highest = i
    }
    this.sampled += kept
  }

  get report(): ReorderingReport {
    return { sampled: this.sampled, reordered: this.reordered, extent: this.extent }
  }
}
