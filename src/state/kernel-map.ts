// Rule tables as ordinary maps of the kernel: what a key and a value look like, for C programs, bpftool and ourselves.
//
// One rule for all of them: keys are in network byte order and packed, as they stand in packets and as longest-prefix
// maps need them; values are in the host's byte order, placed as C places the fields of a struct. Indices of devices
// and sockets are a u32 in the host's order, because the kernel reads them itself. Normative text: docs/state.md, 6.4.

import type { KernelMapKind, RulesDecl } from './declaration.js'
import { writeField } from './field.js'
import { roundUp } from './format.js'
import { layoutStruct, packKey } from './layout.js'
import type { FieldLayout } from './layout.js'
import type { RuleRow } from './rules.js'

/** Bytes of the prefix length, a u32 in the host's order, before the key of a longest-prefix map. */
const prefixLengthBytes = 4

export interface KernelMap {
  readonly kind: KernelMapKind
  /** The table's. */
  readonly name: string
  readonly capacity: number
  /** Fields of the key, with their offsets in it. */
  readonly key: readonly FieldLayout[]
  readonly keySize: number
  /** False if the kernel itself reads the key, as an index. */
  readonly networkOrder: boolean
  readonly value: readonly FieldLayout[]
  readonly valueSize: number
}

/** The map that a rule table is in the kernel; undefined if it stands in the rules block there too. */
export function kernelMapOf(table: RulesDecl): KernelMap | undefined {
  const { map: kind, name, capacity } = table
  if (kind === undefined) return undefined
  const networkOrder = kind === 'hash' || kind === 'lpm'
  const start = kind === 'lpm' ? prefixLengthBytes : 0
  const key = packKey(table.key, start)
  const keySize = key.reduce((sum, f) => sum + f.bytes, start)
  const { fields: value, end, alignment } = layoutStruct(table.value, 0)
  return { kind, name, capacity, key, keySize, networkOrder, value, valueSize: roundUp(end, alignment) }
}

/** A rule table that stands for routes of the kernel, which is no map. */
export interface Fib {
  /** The table's. */
  readonly name: string
  /** Version of IP. */
  readonly family: 4 | 6
}

/** Those among rule tables, in declared order. */
export const fibsOf = (tables: readonly RulesDecl[]): Fib[] =>
  tables.flatMap(({ name, fib }) => (fib === undefined ? [] : [{ name, family: fib }]))

/** The maps among rule tables, in declared order. */
export const kernelMapsOf = (tables: readonly RulesDecl[]): KernelMap[] =>
  tables.map(kernelMapOf).filter(m => m !== undefined)

/** Bits that a look-up's key has: the longest prefix there can be. */
export const keyBits = (map: KernelMap): number => 8 * (map.keySize - map.key[0].offset)

/** Key and value of a rule as the kernel's map has them. */
export function entryOf(
  map: KernelMap,
  row: RuleRow,
): { readonly key: Uint8Array<ArrayBuffer>; readonly value: Uint8Array<ArrayBuffer> } {
  const key = bytesOf(map.keySize)
  const value = bytesOf(map.valueSize)
  map.key.forEach((field, k) => {
    writeField(key, 0, field, map.networkOrder ? 'key' : 'value', row.key[k])
  })
  map.value.forEach((field, k) => {
    writeField(value, 0, field, 'value', row.value[k])
  })
  if (map.kind === 'lpm') {
    const last = map.key[map.key.length - 1]
    const bits = row.prefix === undefined ? keyBits(map) : 8 * (last.offset - prefixLengthBytes) + row.prefix
    key.view.setUint32(0, bits, true)
  }
  return { key: key.bytes, value: value.bytes }
}

function bytesOf(size: number) {
  const bytes = new Uint8Array(new ArrayBuffer(size))
  return { bytes, view: new DataView(bytes.buffer) }
}
