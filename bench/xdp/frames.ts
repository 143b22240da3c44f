/**
 * Frames with history as one of n workers sees them, where packets of 16,384 flows are sprayed in turns: all its items
 * and its packet are of other flows than those before, so that no look-up has been warmed. Or all of one flow.
 */

import { isSlice } from '../../src/analysis/slice.js'
import type { Compiled } from '../../src/compile.js'
import { prepare } from '../../src/ir/interpret.js'
import { StateBlock } from '../../src/state/block.js'
import { interpretedState } from '../../src/state/interpreted.js'
import { stateMemory } from '../../src/state/memory.js'
import { writeHistory } from '../../src/wire/history.js'
import type { HistoryFormat } from '../../src/wire/history.js'
import { templateBytes } from './packets.js'
import type { PacketSet } from './packets.js'

/** Bytes of packet behind the header; the programs read no further than these. */
export const packetBytes = templateBytes
/** Frames of one flow differ in the slot of the oldest item only. */
export const hotFrames = 16

export interface FrameSet {
  /** A power of two; all of equal length, a multiple of 8. Their sequence numbers are to be filled in. */
  readonly frames: readonly Uint8Array[]
  readonly headerBytes: number
}

/** The items of packets, made by the interpreter. */
export function itemsOf(compiled: Compiled, packets: PacketSet): { effect: boolean; bytes: Uint8Array }[] {
  const { program, slice, artifact } = compiled
  if (!isSlice(slice)) throw new Error(`${artifact.name} cannot be replicated`)
  const memory = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
  const extract = prepare({ ...program, functions: [slice.extract] }, 'extract', {
    state: interpretedState(new StateBlock(memory, 0, artifact.stateLayout), undefined),
    seed: 1n,
    settings: packets.settings,
    count: () => undefined,
  })
  return packets.measured.map(bytes => {
    const item = new Uint8Array(slice.item.bytes)
    const packet = { bytes, originalLength: bytes.length, timestamp: 0n, sequence: 1n, device: 0 }
    return { effect: extract({ packet, item }) === 1, bytes: item }
  })
}

/** Frames of packets whose numbers rise by `step`, by the items of `itemsOf`; `hot` if all are of one flow. */
export function framesOf(
  packets: PacketSet,
  items: ReturnType<typeof itemsOf>,
  format: HistoryFormat,
  hot: boolean,
  step = format.slots + 1,
): FrameSet {
  const count = hot ? hotFrames : packets.measured.length
  const flowAt = (k: number): number => (hot ? 0 : k % packets.measured.length)
  let headerBytes = 0
  const frames = Array.from({ length: count }, (_, k) => {
    const first = k * step
    const header = writeHistory(
      {
        sequence: 0,
        flush: false,
        ...(format.timestamp && { timestamp: 0n }),
        ...(format.device && { device: 0 }),
        ...(format.originalLength && { originalLength: 0 }),
        items: Array.from({ length: format.slots }, (_, j) => items[flowAt(first + j)]),
      },
      format.itemBytes,
      format.slots ? k % format.slots : 0,
    )
    headerBytes = header.length
    const frame = new Uint8Array(Math.ceil((header.length + packetBytes) / 8) * 8)
    frame.set(header)
    frame.set(packets.measured[flowAt(first + step - 1)].subarray(0, packetBytes), header.length)
    return frame
  })
  return { frames, headerBytes }
}
