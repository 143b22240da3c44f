// Values of an array map as memory: read and written in place, without a system call. Linux 5.5.

import { errno } from './errno.js'
import type { Explanation } from './failure.js'
import { mapFlags } from './map.js'
import type { BpfMap } from './map.js'
import { mapAnywhere, mapOver, pageSize, wholePages } from './overlay.js'
import type { MappedObject, Mapping } from './overlay.js'

/** Memory that holds a map's values: element i at i * `stride`, up to a whole page. */
export interface MapMemory extends Mapping {
  readonly stride: number
}

/** Bytes of memory that the values of a map take, in whole pages. */
export function mapMemorySize(map: BpfMap): number {
  return map.type === 'arena' ? map.maxEntries * pageSize : wholePages(strideOf(map) * map.maxEntries)
}

const strideOf = (map: BpfMap): number => Math.ceil(map.valueSize / 8) * 8

/** Maps the values of a map that was made with MMAPABLE where the kernel likes. */
export function mapMemory(map: BpfMap): MapMemory {
  return { ...mapAnywhere(objectOf(map), mapMemorySize(map)), stride: strideOf(map) }
}

/** Maps the values over a part of shared WebAssembly memory; `offset` is a multiple of the page size. */
export function mapMemoryInto(map: BpfMap, buffer: ArrayBufferLike, offset: number): MapMemory {
  return { ...mapOver(objectOf(map), buffer, offset, mapMemorySize(map)), stride: strideOf(map) }
}

function objectOf(map: BpfMap): MappedObject {
  return { fd: map.fd, what: `map ${map.name}`, explain: error => explain(map, error) }
}

function explain(map: BpfMap, error: number): Explanation {
  if (!(map.flags & mapFlags.MMAPABLE)) return { reason: 'the map was made without MMAPABLE' }
  if (error === errno.ENOMEM) return { reason: 'no address space or memory is left for it' }
  return {}
}
