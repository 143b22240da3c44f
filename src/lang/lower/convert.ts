// Conversions between scalar types: implicit at stores to a declared type, explicit by u8(x), u64(x) and so on.

import type { ScalarType } from '../types.js'
import { fits, wrap } from './integers.js'
import type { Lowering } from './lowering.js'
import { bare, constant, scalar } from './value.js'
import type { Constant, Scalar, Value } from './value.js'

/** A constant as a scalar of a type, wrapped to it. */
export function materialize(l: Lowering, value: Constant, type: ScalarType): Scalar {
  return scalar(type, l.builder.const(type.leaves[0], wrap(value.value, type)))
}

/**
 * The value as a store to a variable, field or result of `type` leaves it: truncated to the type's width. A literal
 * that the type cannot hold is reported. Undefined (after a report) if the value is no scalar of this sort.
 */
export function toType(l: Lowering, given: Value, type: ScalarType): Scalar | undefined {
  const value = bare(given)
  if (value.kind === 'constant') {
    if (value.sort !== type.sort) return mismatch(l, value)
    if (!value.type && value.sort !== 'boolean' && !fits(value.value, type)) {
      l.report('literalDoesNotFit', { value: value.value, type: type.name })
      return undefined
    }
    return materialize(l, value, type)
  }
  if (value.kind !== 'scalar' || value.type.sort !== type.sort) return mismatch(l, value)
  if (type.sort === 'opaque' && value.type.leaves.length !== type.leaves.length) return mismatch(l, value)
  return truncate(l, value, type)
}

function mismatch(l: Lowering, value: Value): undefined {
  if (value.kind === 'text') l.report('strings')
  else l.lost()
  return undefined
}

/** A scalar of the same sort cut to the width of `type`. */
export function truncate(l: Lowering, value: Scalar, type: ScalarType): Scalar {
  const { leaves, type: from } = value
  if (type.sort === 'boolean' || type.sort === 'opaque') return scalar(type, ...leaves)
  const full = type.sort === 'bigint' ? 64 : 32
  const covered = type.bits === full || (!from.signed && from.bits <= type.bits)
  if (covered) return scalar(type, leaves[0])
  const mask = l.builder.const(leaves[0].type, (1n << BigInt(type.bits)) - 1n)
  return scalar(type, l.builder.emit('and', [leaves[0], mask]))
}

/** u8(x), u64(x), i32(x) …: any integer or truth value to any integer type, modulo its width; no complaint. */
export function convert(l: Lowering, given: Value, type: ScalarType): Value | undefined {
  const value = bare(given)
  if (value.kind === 'constant') {
    if (type.sort === 'opaque') return undefined
    if (type.sort === 'boolean') return constant('boolean', value.value === 0n ? 0n : 1n)
    return constant(type.sort, wrap(value.value, type), type)
  }
  if (value.kind !== 'scalar') return undefined
  const from = value.type
  const [leaf] = value.leaves
  if (from.sort === 'opaque' || type.sort === 'opaque')
    return from.leaves.length === type.leaves.length && from.sort === type.sort
      ? { ...value, type }
      : undefined
  if (from.sort === type.sort) return truncate(l, value, type)
  if (type.sort === 'boolean')
    return scalar(type, l.builder.emit('ne', [leaf, l.builder.const(leaf.type, 0)]))
  if (from.sort === 'boolean')
    return scalar(type, l.builder.emit('zext', [leaf], {}, type.sort === 'bigint' ? 'i64' : 'i32'))
  if (type.sort === 'bigint') {
    const wide = l.builder.emit(from.signed ? 'sext' : 'zext', [leaf], {}, 'i64')
    return truncate(l, scalar({ ...from, bits: from.signed ? 64 : from.bits }, wide), type)
  }
  return truncate(l, scalar({ ...from, bits: 64 }, l.builder.emit('trunc', [leaf])), type)
}
