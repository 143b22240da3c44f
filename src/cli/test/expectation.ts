// The packets a program keeps, one after the other, against a capture of what they should be: the first difference.

import { verdictNumber } from '../../device/slab.js'
import type { PacketStore } from '../../engine/packets.js'
import { differenceOf } from './difference.js'
import type { Difference } from './difference.js'

const kept: readonly number[] = [verdictNumber.pass, verdictNumber.transmit, verdictNumber.redirect]

export class Expectation {
  /** Packets kept so far. */
  kept = 0
  difference: Difference | undefined
  readonly #expected: PacketStore

  constructor(expected: PacketStore) {
    this.#expected = expected
  }

  /** A packet as the program left it; `input` is its number in the input capture, from 0. */
  take(input: number, verdict: number, bytes: Uint8Array): void {
    if (!kept.includes(verdict & 0xff)) return
    const position = this.kept++
    if (this.difference) return
    this.difference = differenceOf(position, input, this.#wanted(position), bytes)
  }

  /** After the last packet: what is missing. */
  finish(): Difference | undefined {
    if (!this.difference && this.kept < this.#expected.count)
      this.difference = differenceOf(this.kept, undefined, this.#wanted(this.kept), undefined)
    return this.difference
  }

  #wanted(position: number): Uint8Array | undefined {
    return position < this.#expected.count ? this.#expected.packet(position).bytes : undefined
  }
}
