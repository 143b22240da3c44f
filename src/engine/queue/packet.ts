// Packets of a batch as the public API shows them: one object that is moved from packet to packet, over packet memory.

import { descriptor, descriptorBytes, verdictNumber } from '../../device/slab.js'
import type { QueueBatch, QueuePacket } from './api.js'

/** Reads descriptors in memory; made once per queue. */
export class PacketCursor implements QueuePacket {
  readonly #view: DataView
  readonly #buffer: ArrayBufferLike
  /** Where packet memory begins, from which `byteOffset` counts. */
  readonly #memory: number
  #at = 0
  #address = 0
  byteLength = 0

  constructor(buffer: ArrayBufferLike, memory: number) {
    this.#buffer = buffer
    this.#view = new DataView(buffer)
    this.#memory = memory
  }

  /** Moves to the descriptor at an address. */
  move(at: number): this {
    this.#at = at
    this.#address = this.#view.getUint32(at + descriptor.address, true)
    this.byteLength = this.#view.getUint32(at + descriptor.length, true)
    return this
  }

  /** Decides what becomes of the packet. */
  decide(verdict: keyof typeof verdictNumber): void {
    this.#view.setUint32(this.#at + descriptor.verdict, verdictNumber[verdict], true)
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#buffer, this.#address, this.byteLength)
  }

  get byteOffset(): number {
    return this.#address - this.#memory
  }

  getUint8(offset: number): number {
    return offset < this.byteLength ? this.#view.getUint8(this.#address + offset) : 0
  }

  getUint16(offset: number): number {
    return offset + 2 <= this.byteLength ? this.#view.getUint16(this.#address + offset) : 0
  }

  getUint32(offset: number): number {
    return offset + 4 <= this.byteLength ? this.#view.getUint32(this.#address + offset) : 0
  }
}

/** The batch in hand; made once per queue. */
export class CursorBatch implements QueueBatch {
  readonly #cursor: PacketCursor
  readonly #descriptors: number
  length = 0

  constructor(cursor: PacketCursor, descriptors: number) {
    this.#cursor = cursor
    this.#descriptors = descriptors
  }

  *[Symbol.iterator](): Generator<PacketCursor> {
    for (let k = 0; k < this.length; k++) yield this.#cursor.move(this.#descriptors + k * descriptorBytes)
  }
}
