// Values of an array map as memory: read and written in place, without a system call.
//
// Promises: a view that outlives its mapping reads zeros and never faults, because unmapping lays empty pages over
// the mapping instead of leaving a hole. Into WebAssembly memory: keep a reference to the memory while a mapping is
// in it, and never let it grow.

import { errno } from './errno.js'
import { SystemError } from './failure.js'
import type { Explanation } from './failure.js'
import { kernel } from './kernel.js'
import type { Bytes } from './kernel.js'
import { mapFlags } from './map.js'
import type { BpfMap } from './map.js'

const PROT_READ_WRITE = 3
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_FIXED = 0x10
const MAP_ANONYMOUS = 0x20
const MAP_NORESERVE = 0x4000

/** Granule of mappings. A machine with larger pages refuses offsets that are not multiples of its own. */
export const pageSize = 4096

/** Memory that holds a map's values. */
export interface MapMemory {
  /** Element i at i * `stride`, up to a whole page. */
  readonly bytes: Bytes
  /** Bytes from one element to the next. */
  readonly stride: number
  /** Takes the map away from the memory, which then reads zeros. Harmless when repeated. */
  unmap(): void
}

/** Bytes of memory that the values of a map take, in whole pages. */
export function mapMemorySize(map: BpfMap): number {
  if (map.type === 'arena') return map.maxEntries * pageSize
  return Math.ceil((strideOf(map) * map.maxEntries) / pageSize) * pageSize
}

const strideOf = (map: BpfMap): number => Math.ceil(map.valueSize / 8) * 8

/** Maps the values of a map that was made with MMAPABLE (Linux 5.5) where the kernel likes. */
export function mapMemory(map: BpfMap): MapMemory {
  const length = mapMemorySize(map)
  const address = mapAt(map, 0n, length, MAP_SHARED)
  const bytes = new Uint8Array(kernel().view(address, length))
  return { bytes, stride: strideOf(map), unmap: once(() => overlay(address, length)) }
}

/**
 * Maps the values into a buffer in place of what is there: shared memory of WebAssembly, whose address is page-aligned.
 * `offset` is a multiple of the page size.
 */
export function mapMemoryInto(map: BpfMap, buffer: ArrayBufferLike, offset: number): MapMemory {
  const length = mapMemorySize(map)
  const bytes = new Uint8Array(buffer, offset, length)
  const address = kernel().address(bytes)
  if (address % BigInt(pageSize) !== 0n)
    throw new RangeError(`a map goes to a page boundary, not to offset ${offset} of this buffer`)
  mapAt(map, address, length, MAP_SHARED | MAP_FIXED)
  return { bytes, stride: strideOf(map), unmap: once(() => overlay(address, length)) }
}

function mapAt(map: BpfMap, address: bigint, length: number, flags: number): bigint {
  const mapped = kernel().mmap(address, length, PROT_READ_WRITE, flags, map.fd, 0n)
  if (mapped < 0n)
    throw new SystemError(`mmap of map ${map.name}`, -Number(mapped), explain(map, -Number(mapped)))
  return mapped
}

function explain(map: BpfMap, error: number): Explanation {
  if (!(map.flags & mapFlags.MMAPABLE)) return { reason: 'the map was made without MMAPABLE' }
  if (error === errno.ENOMEM) return { reason: 'no address space or memory is left for it' }
  return {}
}

function overlay(address: bigint, length: number): void {
  const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
  const mapped = kernel().mmap(address, length, PROT_READ_WRITE, flags, -1, 0n)
  if (mapped < 0n) throw new SystemError('mmap of empty pages', -Number(mapped))
}

function once(action: () => void): () => void {
  let pending = true
  return () => {
    if (pending) action()
    pending = false
  }
}
