// Memory of kernel objects laid over parts of a buffer, and taken away again without leaving a hole.
//
// The buffer is shared memory of WebAssembly: its address is page-aligned, it never moves as long as it does not grow,
// and the garbage collector unmaps it as a whole. Keep a reference to it while anything is laid over it.

import { SystemError } from './failure.js'
import type { Explanation } from './failure.js'
import { kernel } from './kernel.js'
import type { Bytes } from './kernel.js'

const PROT_READ_WRITE = 3
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_FIXED = 0x10
const MAP_ANONYMOUS = 0x20
const MAP_NORESERVE = 0x4000
const MAP_POPULATE = 0x8000

/** Granule of mappings. A machine with larger pages refuses offsets that are not multiples of its own. */
export const pageSize = 4096

/** Bytes rounded up to whole pages. */
export const wholePages = (bytes: number): number => Math.ceil(bytes / pageSize) * pageSize

/** What is mapped, and where in the file behind the descriptor. */
export interface MappedObject {
  readonly fd: number
  readonly fileOffset?: bigint
  /** For errors: `map flows`. */
  readonly what: string
  readonly explain?: (errno: number) => Explanation
}

/** Kernel memory that user space sees. */
export interface Mapping {
  readonly bytes: Bytes
  /** Lays empty pages in its place, which read zeros; views that are still around never fault. Harmless when repeated. */
  unmap(): void
}

/** Maps an object where the kernel likes. */
export function mapAnywhere(object: MappedObject, length: number): Mapping {
  const address = map(object, 0n, length, MAP_SHARED)
  return mapping(new Uint8Array(kernel().view(address, length)), address)
}

/** Maps an object over `length` bytes of a buffer; `offset` and `length` are multiples of the page size. */
export function mapOver(
  object: MappedObject,
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
): Mapping {
  const bytes = new Uint8Array(buffer, offset, length)
  const address = kernel().address(bytes)
  if (address % BigInt(pageSize) !== 0n)
    throw new RangeError(`${object.what} goes to a page boundary, not to offset ${offset} of this buffer`)
  map(object, address, length, MAP_SHARED | MAP_FIXED | MAP_POPULATE)
  return mapping(bytes, address)
}

function map(object: MappedObject, address: bigint, length: number, flags: number): bigint {
  const { fd, fileOffset = 0n, what, explain } = object
  const mapped = kernel().mmap(address, length, PROT_READ_WRITE, flags, fd, fileOffset)
  if (mapped >= 0n) return mapped
  throw new SystemError(`mmap of ${what}`, -Number(mapped), explain?.(-Number(mapped)))
}

function mapping(bytes: Bytes, address: bigint): Mapping {
  let mapped = true
  return {
    bytes,
    unmap() {
      if (!mapped) return
      mapped = false
      const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
      const result = kernel().mmap(address, bytes.length, PROT_READ_WRITE, flags, -1, 0n)
      if (result < 0n) throw new SystemError('mmap of empty pages', -Number(result))
    },
  }
}
