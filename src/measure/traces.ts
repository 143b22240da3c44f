/**
 * The traces that strategies are compared on, and how they are held in memory.
 *
 * `uniform` is what sharding likes best, `single flow` what it cannot use; university, backbone and hyperscaler are the
 * paper's three (section 4.1), drawn from published distributions (docs/traffic.md). Frames are short, as the
 * paper cuts them to 192 bytes: the work of a packet does not depend on its length (section 3.1).
 */

import { PacketStore } from '../engine/packets.js'
import type { TraceSpecification } from '../traffic/specification.js'
import { makeTrace } from '../traffic/trace.js'

export const traceNames = ['uniform', 'university', 'backbone', 'hyperscaler', 'single flow'] as const
export type TraceName = (typeof traceNames)[number]

/** What a trace of so many packets is drawn from. */
export function standardTrace(name: TraceName, packets: number): TraceSpecification {
  const flows = (each: number): number => Math.max(1, Math.ceil(packets / each))
  switch (name) {
    case 'uniform':
      return { law: 'uniform', flows: flows(100) }
    case 'university':
      return { law: 'university-1', flows: flows(50), udp: 0.2 }
    case 'backbone':
      return { law: 'backbone', flows: flows(20) }
    case 'hyperscaler':
      // A flow of this law has 1,600 packets in the mean: fewer would be one elephant and no mice.
      return { law: 'web-search', flows: Math.max(20, flows(1000)), active: 64 }
    case 'single flow':
      return { law: 'single', flows: 1 }
  }
}

/** The first `packets` packets of a trace, whose frames are at most 192 bytes long unless it says otherwise. */
export function traceStore(name: string, specification: TraceSpecification, packets: number): PacketStore {
  const store = new PacketStore(name)
  const longest = Math.max(192, specification.frameLimit ?? 0) + 64
  const bytes = new Uint8Array(packets * longest)
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
