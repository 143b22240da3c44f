// A source that plays packets held in memory again and again, as fast as descriptors can be written.
//
// Heads up: bytes are copied into a slab when it is first seen and not again, so this serves programs that rewrite
// nothing. Times go on from lap to lap and never step back.

import type { Batch, Source } from '../../device/device.js'
import { descriptor, descriptorBytes } from '../../device/slab.js'
import type { Slab } from '../../device/slab.js'
import type { PacketStore } from '../../engine/packets.js'

/** `laps` times the packets of a store that fits one slab. */
export function replay(store: PacketStore, laps: number): (memory: WebAssembly.Memory) => Source {
  return memory => {
    const words = new Uint32Array(memory.buffer)
    const times = Array.from({ length: store.count }, (_, i) => Number(store.packet(i).timestamp))
    const lap = (times.at(-1) ?? 0) + 1_000
    const known = new Map<number, { lapsIn: number; bytes: number }>()
    let done = 0

    /** Fills a slab with as many laps as it holds. */
    const fill = (slab: Slab): { lapsIn: number; bytes: number } => {
      let lapsIn = 0
      let bytes = 0
      let { descriptors, data, dataBytes } = slab
      for (; (lapsIn + 1) * store.count <= slab.capacity; lapsIn++) {
        const part = { ...slab, descriptors, data, dataBytes, capacity: store.count }
        const filled = store.fill(memory, part, 0)
        if (filled.count < store.count) break
        bytes += filled.bytes
        descriptors += store.count * descriptorBytes
        data += filled.bytes
        dataBytes -= filled.bytes
      }
      if (lapsIn === 0) throw new Error(`${store.count} packets do not fit a slab`)
      return { lapsIn, bytes: bytes / lapsIn }
    }

    const read = (slab: Slab): Batch => {
      let found = known.get(slab.descriptors)
      if (!found) known.set(slab.descriptors, (found = fill(slab)))
      const now = Math.min(found.lapsIn, laps - done)
      let at = slab.descriptors >>> 2
      for (let k = 0; k < now; k++) {
        const offset = (done + k) * lap
        for (const time of times) {
          const t = offset + time
          words[at + (descriptor.timestamp >>> 2)] = t
          words[at + (descriptor.timestamp >>> 2) + 1] = t / 2 ** 32
          at += descriptorBytes >>> 2
        }
      }
      done += now
      const bytes = now * found.bytes
      return { count: now * store.count, bytes, wireBytes: bytes, end: done >= laps }
    }
    return { name: store.name, fault: undefined, interfaces: [], start: undefined, close() {}, read }
  }
}
