// Reading and writing fields: by leaf, as operations of a program do, and whole, as dumps and rule files do.
//
// Integers are big-endian in keys and little-endian in values; ipv6 and bytes stand as they are in both, and a leaf
// of theirs is the big-endian reading of its bytes. Promise: what is written is truncated to the field's width.

import { isInteger, leavesOf } from './declaration.js'
import type { FieldDecl, Leaf } from './declaration.js'
import type { FieldLayout } from './layout.js'
import type { StateMemory } from './memory.js'

/** A field's value: bigint for u64 and i64, number for smaller integers, boolean, or the bytes of ipv6 and bytes. */
export type FieldValue = number | bigint | boolean | Uint8Array

/** Where a field stands: in a key or in a value. */
export type Side = 'key' | 'value'

const isLittle = (field: FieldDecl, side: Side): boolean => side === 'value' && isInteger(field.type)

/** The leaf of a field of the entry or element at `at`, 0 <= result < 2^(8 width); integers are not sign-extended. */
export function loadLeaf(
  memory: StateMemory,
  at: number,
  field: FieldLayout,
  leaf: Leaf,
  side: Side,
): bigint {
  const { view } = memory
  const from = at + field.offset + leaf.offset
  const little = isLittle(field, side)
  if (leaf.width === 8) return view.getBigUint64(from, little)
  if (leaf.width === 4) return BigInt(view.getUint32(from, little))
  return BigInt(leaf.width === 2 ? view.getUint16(from, little) : view.getUint8(from))
}

/** Stores the low bytes of `value` as a leaf of a field of the entry or element at `at`. */
export function storeLeaf(
  memory: StateMemory,
  at: number,
  field: FieldLayout,
  leaf: Leaf,
  side: Side,
  value: bigint,
): void {
  const { view } = memory
  const from = at + field.offset + leaf.offset
  const little = isLittle(field, side)
  if (leaf.width === 8) view.setBigUint64(from, BigInt.asUintN(64, value), little)
  else if (leaf.width === 4) view.setUint32(from, Number(BigInt.asUintN(32, value)), little)
  else if (leaf.width === 2) view.setUint16(from, Number(BigInt.asUintN(16, value)), little)
  else view.setUint8(from, Number(BigInt.asUintN(8, value)))
}

/** A key area of `areaBytes` bytes from the leaves of its fields, in order. */
export function packKey(
  fields: readonly FieldDecl[],
  areaBytes: number,
  leaves: readonly bigint[],
): Uint8Array {
  const bytes = new Uint8Array(areaBytes)
  const memory = { bytes, view: new DataView(bytes.buffer) }
  let next = 0
  let offset = 0
  for (const field of fields) {
    for (const leaf of leavesOf(field))
      storeLeaf(memory, 0, { ...field, offset }, leaf, 'key', leaves[next++])
    offset += field.bytes
  }
  return bytes
}

/** A field of the entry or element at `at`. */
export function readField(memory: StateMemory, at: number, field: FieldLayout, side: Side): FieldValue {
  const from = at + field.offset
  if (!isInteger(field.type)) return memory.bytes.slice(from, from + field.bytes)
  const raw = loadLeaf(memory, at, field, leavesOf(field)[0], side)
  if (field.type === 'bool') return raw !== 0n
  if (field.type === 'i64') return BigInt.asIntN(64, raw)
  if (field.type === 'u64') return raw
  return field.type === 'i32' ? Number(BigInt.asIntN(32, raw)) : Number(raw)
}

/** Writes a field of the entry or element at `at`; bytes are cut or padded with zeros to the field's size. */
export function writeField(
  memory: StateMemory,
  at: number,
  field: FieldLayout,
  side: Side,
  value: FieldValue,
): void {
  if (typeof value === 'object') {
    const from = at + field.offset
    memory.bytes.fill(0, from, from + field.bytes)
    memory.bytes.set(value.subarray(0, field.bytes), from)
  } else storeLeaf(memory, at, field, leavesOf(field)[0], side, BigInt(value))
}
