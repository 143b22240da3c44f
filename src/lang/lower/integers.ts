// The types integer operations are done in: 32 or 64 bits, unsigned unless an operand is signed.
//
// Promises: no instruction is emitted here; undefined means the two types do not mix, which the caller reports.

import { scalars } from '../types.js'
import type { ScalarType } from '../types.js'

const unsignedOf = (bits: number): ScalarType =>
  bits <= 8 ? scalars.u8 : bits <= 16 ? scalars.u16 : bits <= 32 ? scalars.u32 : scalars.u64

/** The smallest common type of two: u8 and u16 give u16, u16 and i32 give i32, u32 and i32 nothing. */
export function widest(a: ScalarType, b: ScalarType): ScalarType | undefined {
  if (a === b) return a
  if (a.sort !== b.sort || (a.sort !== 'number' && a.sort !== 'bigint')) return undefined
  if (a.signed === b.signed) {
    if (a.signed) return a.sort === 'bigint' ? scalars.i64 : scalars.i32
    if (a.bits !== b.bits && a.sort === 'number') {
      const larger = a.bits > b.bits ? a : b
      return larger.bits === 32 ? scalars.u32 : larger
    }
    const plain = [a, b].find(t => t === unsignedOf(t.bits))
    return plain && a.bits === b.bits ? (plain === a ? b : a) : unsignedOf(Math.max(a.bits, b.bits))
  }
  const [signed, unsigned] = a.signed ? [a, b] : [b, a]
  return unsigned.bits < signed.bits ? signed : undefined
}

/** The type an operation on this type is done in and gives: u32, i32, u64 or i64. */
export function promoted(type: ScalarType): ScalarType {
  if (type.sort === 'bigint') return type.signed ? scalars.i64 : scalars.u64
  return type.signed ? scalars.i32 : scalars.u32
}

/** The range of values of an integer type. */
export function rangeOf(type: ScalarType): readonly [bigint, bigint] {
  const bits = BigInt(type.bits)
  return type.signed ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n]
}

export function fits(value: bigint, type: ScalarType): boolean {
  const [low, high] = rangeOf(type)
  return value >= low && value <= high
}

/** The value modulo the width of the type, read with its sign. */
export const wrap = (value: bigint, type: ScalarType): bigint =>
  type.signed ? BigInt.asIntN(type.bits, value) : BigInt.asUintN(type.bits, value)
