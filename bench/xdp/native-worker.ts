/**
 * A worker of the replicated strategy in C, for the baselines that are one (`withWorker`): its frames, and the worker in
 * the kernel. Read history.ts first.
 *
 * A frame is the C's own: number and time, items, packet. Items are padded so that clang loads their fields in one step.
 */

import type { Artifact } from '../../src/engine/artifact.js'
import { testRun } from '../../src/sys/test-run.js'
import type { FrameSet } from './frames.js'
import { hotFrames, packetBytes } from './frames.js'
import type { Worker } from './history.js'
import { loadObject } from './native.js'
import type { TableKind } from './native.js'
import type { PacketSet } from './packets.js'

/** Bytes of `struct frame` and `struct item` of tcp-states.c. */
const headerBytes = 8
const itemBytes = 24

/** The item of a packet; all come at time 0, as those of our frames do. */
function itemOf(packet: Uint8Array): Uint8Array {
  const item = new Uint8Array(itemBytes)
  item.set(packet.subarray(26, 42), 4)
  item[20] = packet[47]
  return item
}

/** Frames as framesOf makes them: each worker's packets are `slots + 1` apart, or all of one flow. */
export function nativeFrames({ measured }: PacketSet, slots: number, hot: boolean): FrameSet {
  const count = hot ? hotFrames : measured.length
  const flowAt = (k: number): Uint8Array => measured[hot ? 0 : k % measured.length]
  const frames = Array.from({ length: count }, (_, k) => {
    const first = k * (slots + 1)
    const frame = new Uint8Array(headerBytes + slots * itemBytes + packetBytes)
    for (let j = 0; j < slots; j++) frame.set(itemOf(flowAt(first + j)), headerBytes + j * itemBytes)
    frame.set(flowAt(first + slots).subarray(0, packetBytes), headerBytes + slots * itemBytes)
    return frame
  })
  return { frames, headerBytes: headerBytes + slots * itemBytes }
}

/** One worker of n in C, with the state that the packets before make. */
export function loadNativeWorker(
  name: string,
  kind: TableKind,
  artifact: Artifact,
  packets: PacketSet,
  workers: number,
): Worker {
  const loaded = loadObject(name, kind, 'history', artifact, { settings: packets.settings, seed: 1n })
  const { program, close } = loaded
  const before = nativeFrames({ ...packets, measured: packets.before }, 0, false)
  for (const data of before.frames) testRun(program, { data })
  const slots = loaded.variable('slots')
  new DataView(slots.buffer, slots.byteOffset).setBigUint64(0, BigInt(workers - 1), true)
  return {
    program,
    stripped: 0,
    reset: () => undefined,
    frames: hot => nativeFrames(packets, workers - 1, hot),
    close,
  }
}
