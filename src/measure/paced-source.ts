/**
 * A device in memory with a clock and a finite queue: packets arrive at a rate whether anybody takes them or not, and
 * what finds the queue full is lost, as on a network card.
 *
 * Packets come in chunks, whose bytes and descriptors for each slab are laid out in advance, so that giving one out is two
 * copies and its cost is that of memory. A chunk counts as arrived when its last packet is. Time stamps are those of
 * the trace, which begins again at its end.
 */

import type { Batch, Source } from '../device/device.js'
import { descriptorBytes } from '../device/slab.js'
import type { Slab } from '../device/slab.js'
import type { PacketStore } from '../engine/packets.js'

export const chunkPackets = 256

export interface PacedOptions {
  /** Packets a second; undefined as fast as they are taken. */
  readonly rate: number | undefined
  /** Packets in all, in whole chunks. */
  readonly packets: number
  /** Packets that wait at most. */
  readonly queue: number
}

export interface PacedCounts {
  /** Packets that arrived, and those lost among them. */
  arrived: number
  lost: number
  /** Seconds from the beginning to the last arrival; without a rate, to when it was taken. */
  seconds: number
}

interface Chunk {
  readonly data: Uint8Array
  readonly count: number
  /** Descriptors as they must stand in the slab whose descriptors begin at this address. */
  readonly images: Map<number, Uint8Array>
  readonly first: number
}

/** Makes sources over a store, laid out once for all trials; `counts` are those of the source opened last. */
export class PacedDevice {
  readonly #store: PacketStore
  readonly #chunks: (Chunk | undefined)[] = []
  counts: PacedCounts = { arrived: 0, lost: 0, seconds: 0 }

  constructor(store: PacketStore) {
    if (store.count < chunkPackets) throw new RangeError(`a paced trace needs ${chunkPackets} packets`)
    this.#store = store
  }

  open({ rate, packets, queue }: PacedOptions): (memory: WebAssembly.Memory) => Source {
    const whole = Math.floor(this.#store.count / chunkPackets)
    const total = Math.max(1, Math.ceil(packets / chunkPackets))
    const waiting = Math.max(1, Math.floor(queue / chunkPackets))
    return memory => {
      const counts: PacedCounts = { arrived: 0, lost: 0, seconds: 0 }
      this.counts = counts
      const bytes = new Uint8Array(memory.buffer)
      /** Chunks that are through: taken or lost. */
      let next = 0
      let taken = 0
      let began = 0
      const millisecondsPerChunk = rate === undefined ? 0 : (1e3 * chunkPackets) / rate
      return {
        name: this.#store.name,
        fault: undefined,
        interfaces: [],
        start: undefined,
        close() {},
        read: (slab: Slab): Batch => {
          if (began === 0) began = performance.now()
          let due = total
          if (rate !== undefined)
            for (;;) {
              due = Math.min(total, Math.floor((performance.now() - began) / millisecondsPerChunk))
              if (due > next) break
            }
          const overflow = due - next - waiting
          if (rate !== undefined && overflow > 0) {
            next += overflow
            counts.lost += overflow * chunkPackets
          }
          const chunk = this.#chunk(taken % whole)
          taken++
          next++
          counts.arrived = next * chunkPackets
          counts.seconds =
            (rate === undefined ? performance.now() - began : next * millisecondsPerChunk) / 1e3
          bytes.set(chunk.data, slab.data)
          bytes.set(this.#image(chunk, memory, slab), slab.descriptors)
          const size = chunk.data.length
          return { count: chunk.count, bytes: size, wireBytes: size, end: next >= total }
        },
      }
    }
  }

  #chunk(index: number): Chunk {
    const known = this.#chunks[index]
    if (known) return known
    const first = index * chunkPackets
    const parts = Array.from({ length: chunkPackets }, (_, i) => this.#store.packet(first + i).bytes)
    const chunk = { data: Buffer.concat(parts), count: chunkPackets, images: new Map(), first }
    this.#chunks[index] = chunk
    return chunk
  }

  /** The descriptors as the store itself would write them. */
  #image(chunk: Chunk, memory: WebAssembly.Memory, slab: Slab): Uint8Array {
    const known = chunk.images.get(slab.descriptors)
    if (known) return known
    this.#store.fill(memory, { ...slab, capacity: chunk.count }, chunk.first)
    const image = new Uint8Array(memory.buffer).slice(
      slab.descriptors,
      slab.descriptors + chunk.count * descriptorBytes,
    )
    chunk.images.set(slab.descriptors, image)
    return image
  }
}
