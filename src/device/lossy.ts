// The lossy wrapper: loses packets, the same ones for the same seed whatever the batches are. For tests of programs
// and of recovery; what it loses it counts.

import type { Batch, Selection, Sink, Source } from './device.js'
import { ethernetHeaderBytes } from './linktype.js'
import { selects } from './memory.js'
import { descriptor, descriptorBytes, linkFlags, readDescriptor, type Slab } from './slab.js'
import { wrap } from './wrap.js'

/** A device that loses packets. */
export type Lossy<D> = D & {
  /** Packets lost so far. */
  readonly lost: number
}

/**
 * Wraps a device so that each packet is lost with probability `rate` (0..1), decided by `seed` and the packet's number
 * among those that came this way. A source leaves lost packets out; a sink is not asked to take them, and the slab is
 * as before when its write returns.
 */
export function lossy<D extends Source | Sink>(
  device: D,
  memory: WebAssembly.Memory,
  seed: number,
  rate: number,
): Lossy<D> {
  let lost = 0
  const [given, taken] = [new Losses(seed, rate), new Losses(seed, rate)]
  const wrapped = wrap(device, {
    name: 'lossy',
    read(slab, batch) {
      const found = leaveOut(new DataView(memory.buffer), slab, batch, given)
      lost += batch.count - found.count
      return found
    },
    write(slab, count, selection, write) {
      const view = new DataView(memory.buffer)
      lost += hide(view, slab, count, selection, taken)
      const took = write(slab, count, selection)
      reveal(view, slab, count)
      return took
    },
  })
  return Object.defineProperty(wrapped, 'lost', { get: () => lost }) as Lossy<D>
}

/** Which packets are lost, one after the other. */
class Losses {
  readonly #seed: number
  /** A packet is lost when its draw is below this, 0..2^32. */
  readonly #threshold: number
  #number = 0

  constructor(seed: number, rate: number) {
    this.#seed = seed
    this.#threshold = Math.round(rate * 0x1_0000_0000)
  }

  /** Is the next packet lost? */
  next(): boolean {
    return draw(this.#seed, this.#number++) < this.#threshold
  }
}

/** Moves the descriptors of the surviving packets together; answers the batch they are. */
function leaveOut(view: DataView, slab: Slab, batch: Batch, losses: Losses): Batch {
  let { bytes, wireBytes } = batch
  let count = 0
  for (let index = 0; index < batch.count; index++) {
    if (!losses.next()) {
      moveDescriptor(view, slab, index, count++)
      continue
    }
    const packet = readDescriptor(view, slab, index)
    const added = packet.link === 0 ? 0 : ethernetHeaderBytes - (packet.link & linkFlags.headerMask)
    bytes -= packet.length - added
    wireBytes -= packet.original - added
  }
  return { ...batch, count, bytes, wireBytes }
}

/** A bit of the verdict's number that no verdict has: no selection names a packet with it. */
const hidden = 0x80

/** Sets the hidden bit of lost packets; answers how many of them the selection names. */
function hide(view: DataView, slab: Slab, count: number, selection: Selection, losses: Losses): number {
  let lost = 0
  for (let index = 0; index < count; index++) {
    const at = slab.descriptors + index * descriptorBytes + descriptor.verdict
    const verdict = view.getUint32(at, true)
    if (!selects(selection, verdict) || !losses.next()) continue
    view.setUint32(at, verdict | hidden, true)
    lost++
  }
  return lost
}

function reveal(view: DataView, slab: Slab, count: number): void {
  for (let index = 0; index < count; index++) {
    const at = slab.descriptors + index * descriptorBytes + descriptor.verdict
    view.setUint32(at, view.getUint32(at, true) & ~hidden, true)
  }
}

/** 0..2^32-1 from a seed and a packet number: two rounds of a 32-bit mixing function (Wellons' lowbias32). */
export function draw(seed: number, number: number): number {
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
