// The lossy wrapper: loses packets, the same ones for the same seed whatever the batches are. For tests of programs
// and of recovery; what it loses it counts.

import type { Sink, Source } from './device.js'
import { descriptorBytes, readDescriptor, type Slab } from './slab.js'
import { wrap } from './wrap.js'

/** A device that loses packets. */
export type Lossy<D> = D & {
  /** Packets lost so far. */
  readonly lost: number
}

/**
 * Wraps a device so that each packet is lost with probability `rate` (0..1), decided by `seed` and the packet's number.
 * A source leaves lost packets out, a sink does not hand them on.
 */
export function lossy<D extends Source | Sink>(
  device: D,
  memory: WebAssembly.Memory,
  seed: number,
  rate: number,
): Lossy<D> {
  let lost = 0
  const filters = { read: new LossFilter(memory, seed, rate), write: new LossFilter(memory, seed, rate) }
  const wrapped = wrap(device, {
    name: 'lossy',
    read(slab, batch) {
      const { kept, bytes, wireBytes } = filters.read.filter(slab, batch.count)
      lost += batch.count - kept
      return { ...batch, count: kept, bytes: batch.bytes - bytes, wireBytes: batch.wireBytes - wireBytes }
    },
    write(slab, count, selection, write) {
      const { kept } = filters.write.filter(slab, count)
      lost += count - kept
      return write(slab, kept, selection)
    },
  })
  return Object.defineProperty(wrapped, 'lost', { get: () => lost }) as Lossy<D>
}

/** Moves the surviving descriptors of a slab together. */
class LossFilter {
  readonly #memory: WebAssembly.Memory
  readonly #seed: number
  /** A packet is lost when its draw is below this, 0..2^32. */
  readonly #threshold: number
  #number = 0

  constructor(memory: WebAssembly.Memory, seed: number, rate: number) {
    this.#memory = memory
    this.#seed = seed
    this.#threshold = Math.round(rate * 0x1_0000_0000)
  }

  /** Answers how many packets stay, and the bytes of the others (synthetic headers not counted). */
  filter(slab: Slab, count: number): { kept: number; bytes: number; wireBytes: number } {
    const view = new DataView(this.#memory.buffer)
    let [kept, bytes, wireBytes] = [0, 0, 0]
    for (let index = 0; index < count; index++) {
      if (draw(this.#seed, this.#number++) >= this.#threshold) {
        moveDescriptor(view, slab, index, kept++)
        continue
      }
      const packet = readDescriptor(view, slab, index)
      const synthetic = packet.link === 0 ? 0 : 14 - (packet.link & 0xff)
      bytes += packet.length - synthetic
      wireBytes += packet.original - synthetic
    }
    return { kept, bytes, wireBytes }
  }
}

/** 0..2^32-1 from a seed and a packet number: two rounds of a 32-bit mixing function (Wellons' lowbias32). */
function draw(seed: number, number: number): number {
  return mix(mix(seed >>> 0) ^ (number >>> 0) ^ mix(Math.floor(number / 0x1_0000_0000)))
}

function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x7feb352d)
  value = Math.imul(value ^ (value >>> 15), 0x846ca68b)
  return (value ^ (value >>> 16)) >>> 0
}

function moveDescriptor(view: DataView, slab: Slab, from: number, to: number): void {
  if (from === to) return
  const source = slab.descriptors + from * descriptorBytes
  const target = slab.descriptors + to * descriptorBytes
  for (let at = 0; at < descriptorBytes; at += 4) {
    view.setUint32(target + at, view.getUint32(source + at, true), true)
  }
  if (slab.times === 0) return
  view.setBigUint64(slab.times + to * 8, view.getBigUint64(slab.times + from * 8, true), true)
}
