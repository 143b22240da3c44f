// Replication as it works across a wire: each packet carries the history its worker missed (docs/history-format.md).
//
// The sequencer copies every packet into a frame behind its history; a worker sees nothing but its own frames. Slower
// than by reference where memory is shared, and the proof that the frame format is enough: both agree byte for byte.

import { fixedBytes, flag, longestPause, ring } from '../backend/wasm/loops/value.js'
import { descriptor, descriptorBytes } from '../backend/wasm/memory.js'
import { replicated } from './replicated.js'
import type { Stage, Strategy } from './strategy.js'

/** Two packets are further apart than the time in a frame can tell: going on would make replicas differ. */
export class PauseTooLong extends Error {
  /** `sequence`: number of the packet after the pause, from 1. */
  constructor(sequence: bigint) {
    const hours = (Number(longestPause) / 3.6e12).toFixed(1)
    super(
      `packet ${sequence - 1n} comes more than ${hours} hours after the one before, and frames carry 48 bits of time, which ` +
        'cannot tell such a pause: it takes history by reference, or captures cut there',
    )
  }
}

export const replicatedByValue: Strategy = {
  ...replicated,
  history: 'value',
  ways: ['replicated-by-value'],
  prepare(stage, slab, count, seq) {
    replicated.prepare(stage, slab, count, seq)
    const { items, effects, frames, origins, descriptors } = slab
    const { address } = stage.history!
    stage.loops.encapsulate!(
      stage.contexts[0],
      descriptors,
      count,
      seq,
      items,
      effects,
      frames,
      origins,
      address,
    )
    const paused = new DataView(stage.words.buffer).getBigUint64(address + ring.paused, true)
    if (paused !== 0n) throw new PauseTooLong(paused)
  },
  work({ loops, contexts }, worker, slab, count, seq) {
    loops.valued!(contexts[worker], slab.descriptors, count, seq, slab.stamps)
  },
  collect({ loops, contexts }, slab, count, seq) {
    loops.restore!(contexts[0], slab.descriptors, count, seq, slab.origins)
  },
  flush(stage, next) {
    const { loops, contexts } = stage
    const frame = makeFlushFrame(stage, next)
    contexts.forEach((context, worker) => loops.valued!(context, frame, 1, BigInt(worker), 0))
  },
}

/**
 * One frame without a packet, the same for every worker: what the last packets of the others did. Answers the address
 * of its descriptor.
 */
export function makeFlushFrame({ words, workers, history }: Stage, next: bigint): number {
  const { address, flushFrame, layout } = history!
  const bytes = new Uint8Array(words.buffer)
  const view = new DataView(words.buffer)
  const frame = flushFrame + descriptorBytes
  const slots = workers - 1
  const bitmap = Math.ceil(slots / 8)
  const itemsAt = fixedBytes + bitmap + layout.propertyBytes
  const items = address + ring.items
  bytes.fill(0, flushFrame, frame + itemsAt)
  view.setUint32(frame, Number(BigInt.asUintN(32, next)))
  bytes[frame + 4] = layout.versionAndFlags | flag.flush
  bytes[frame + 5] = slots
  bytes[frame + 6] = words[(address + ring.index) >>> 2]
  bytes.copyWithin(frame + fixedBytes, address + ring.effects, address + ring.effects + bitmap)
  bytes.copyWithin(frame + itemsAt, items, items + slots * layout.itemBytes)
  view.setUint32(flushFrame + descriptor.address, frame, true)
  return flushFrame
}
