/**
 * A program in the kernel that takes part in a comparison: it runs, its state can be read, and in a build for checking
 * its clock can be set.
 */

import type { HashLayout } from '../../src/state/layout.js'
import type { BpfProgram } from '../../src/sys/program.js'

/** What all contestants are given. */
export interface Inputs {
  readonly settings: ReadonlyMap<string, bigint>
  /** Of the tables' hash. */
  readonly seed: bigint
  /** Time comes from `setTime` and not from the kernel's clock. */
  readonly check: boolean
}

export interface Contestant {
  readonly name: string
  readonly program: BpfProgram
  /** Entries of the program's table: the key area's bytes and the value's, in hexadecimal. */
  readonly entries: () => ReadonlyMap<string, string>
  /** The whole table in our layout, where the contestant has it. */
  readonly table?: () => Uint8Array
  /** Sets the time that the next packet sees, in nanoseconds. Only in a build for checking. */
  readonly setTime: (ns: bigint) => void
  readonly close: () => void
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The entries of a table in our layout that begins at byte `base`. */
export function tableEntries(bytes: Uint8Array, base: number, layout: HashLayout): Map<string, string> {
  const entries = new Map<string, string>()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const value = layout.value[0].offset
  for (let k = 0; k < 4 * layout.bucketCount; k++) {
    const at = base + layout.bucketsOffset + k * layout.stride
    if (view.getUint32(at, true) === 0) continue
    const key = bytes.subarray(at + layout.keyOffset, at + layout.keyOffset + layout.keyAreaBytes)
    entries.set(hex(key), hex(bytes.subarray(at + value, at + layout.stride)))
  }
  return entries
}
