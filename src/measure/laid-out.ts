/**
 * A store as a source whose slabs are laid out once, however often it is read: for repetitions.
 *
 * Reading a slab is two copies and one addition for each packet, where the store itself writes packet by packet, which takes longer than
 * many a program. Descriptors are kept with addresses from zero on, so one layout serves slabs at any address. What is
 * read is the same to the byte (test).
 */

import type { Source } from '../device/device.js'
import { descriptor, descriptorBytes } from '../device/slab.js'
import type { Slab } from '../device/slab.js'
import { storeSource } from '../engine/packets.js'
import type { Fill, PacketStore } from '../engine/packets.js'

interface Layout {
  readonly count: number
  readonly data: Uint8Array
  /** Descriptors as words, addresses from the beginning of the data on. */
  readonly words: Uint32Array
}

const stride = descriptorBytes / 4
const addressWord = descriptor.address / 4

/** Makes sources over a store, which read it `passes` times; layouts are kept as long as the function is. */
export function laidOut(store: PacketStore): (passes?: number) => (memory: WebAssembly.Memory) => Source {
  const layouts = new Map<string, Layout>()
  const layoutOf = (memory: WebAssembly.Memory, slab: Slab, from: number): Layout => {
    const key = `${from} ${slab.capacity} ${slab.dataBytes}`
    const known = layouts.get(key)
    if (known) return known
    const { count, bytes } = store.fill(memory, slab, from)
    const at = slab.descriptors >>> 2
    const words = new Uint32Array(memory.buffer).slice(at, at + count * stride)
    for (let i = 0; i < count; i++) words[i * stride + addressWord] -= slab.data
    const data = new Uint8Array(memory.buffer).slice(slab.data, slab.data + bytes)
    const layout = { count, data, words }
    layouts.set(key, layout)
    return layout
  }
  const fill: Fill = (memory, slab, from) => {
    const { count, data, words: laid } = layoutOf(memory, slab, from)
    new Uint8Array(memory.buffer).set(data, slab.data)
    const words = new Uint32Array(memory.buffer, slab.descriptors, count * stride)
    words.set(laid)
    for (let at = addressWord; at < words.length; at += stride) words[at] += slab.data
    return { count, bytes: data.length }
  }
  return passes => storeSource(store, fill, passes)
}
