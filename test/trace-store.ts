/** A synthetic trace held in memory, for tests and benchmarks that go over it packet by packet. */

import { PacketStore } from '../src/engine/packets.js'
import type { TraceSpecification } from '../src/traffic/specification.js'
import { makeTrace } from '../src/traffic/trace.js'

/** The first `packets` packets of the trace, whose frames are at most 256 bytes long. */
export function traceStore(name: string, specification: TraceSpecification, packets: number): PacketStore {
  const store = new PacketStore(name)
  const bytes = new Uint8Array(packets * 256)
  const descriptors = new Uint8Array(packets * 32)
  const count = makeTrace({ packets, frameLimit: 192, ...specification }).writeTo(bytes, descriptors, packets)
  const view = new DataView(descriptors.buffer)
  for (let i = 0; i < count; i++) {
    const at = view.getUint32(32 * i, true)
    const length = view.getUint32(32 * i + 4, true)
    const original = view.getUint32(32 * i + 8, true)
    store.add(bytes.slice(at, at + length), original, view.getBigUint64(32 * i + 16, true), 0)
  }
  return store
}
