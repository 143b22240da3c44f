// What workers that take frames counted of those that got no verdict. Read backend/ebpf/frame.ts first.

import { frameCounters, framesMap } from '../../backend/ebpf/frame.js'
import type { FrameCounter } from '../../backend/ebpf/frame.js'
import type { LoadedProgram } from './load.js'

const key = new Uint8Array(new ArrayBuffer(4))

/** What a worker counted of frames that got no verdict. */
export function frameFigures({ maps }: Pick<LoadedProgram, 'maps'>): ReadonlyMap<FrameCounter, bigint> {
  const value = maps.get(framesMap)!.lookup(key)!
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  return new Map(frameCounters.map((name, k) => [name, view.getBigUint64(8 * k, true)]))
}
