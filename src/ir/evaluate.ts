// Arithmetic on run-time values. The op table's `fold` says what every operation means; the common ones stand here
// once more for machine numbers, because folding through bigint is slow. evaluate.test.ts compares the two.

import { InvariantError } from './invariant.js'
import { opInfo } from './ops.js'
import type { Value } from './access.js'
import type { Attrs, Type } from './types.js'

export type Evaluator = (a: Value, b: Value, c: Value) => Value

type Fast<T> = Readonly<Record<string, (a: T, b: T) => Value>>

/** For i1 and i32 operands. */
const fast32: Fast<number> = {
  add: (a, b) => (a + b) >>> 0,
  sub: (a, b) => (a - b) >>> 0,
  mul: (a, b) => Math.imul(a, b) >>> 0,
  divu: (a, b) => (b === 0 ? 0 : Math.floor(a / b)),
  remu: (a, b) => (b === 0 ? a : a % b),
  and: (a, b) => (a & b) >>> 0,
  or: (a, b) => (a | b) >>> 0,
  xor: (a, b) => (a ^ b) >>> 0,
  shl: (a, b) => (a << b) >>> 0,
  shru: (a, b) => a >>> b,
  shrs: (a, b) => (a >> b) >>> 0,
  eq: (a, b) => (a === b ? 1 : 0),
  ne: (a, b) => (a === b ? 0 : 1),
  ltu: (a, b) => (a < b ? 1 : 0),
  leu: (a, b) => (a <= b ? 1 : 0),
  lts: (a, b) => ((a | 0) < (b | 0) ? 1 : 0),
  les: (a, b) => ((a | 0) <= (b | 0) ? 1 : 0),
  not: a => a ^ 1,
  bswap16: a => ((a & 0xff) << 8) | ((a >>> 8) & 0xff),
  bswap32: a => ((a << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24)) >>> 0,
}

const fast64: Fast<bigint> = {
  add: (a, b) => BigInt.asUintN(64, a + b),
  sub: (a, b) => BigInt.asUintN(64, a - b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => BigInt.asUintN(64, a << (b & 63n)),
  shru: (a, b) => a >> (b & 63n),
  eq: (a, b) => (a === b ? 1 : 0),
  ne: (a, b) => (a === b ? 0 : 1),
  ltu: (a, b) => (a < b ? 1 : 0),
  leu: (a, b) => (a <= b ? 1 : 0),
  trunc: a => Number(a & 0xffffffffn),
}

/** A value of an IR type from any integer, cut to the type's width. */
export function valueOf(type: Type, v: Value): Value {
  if (type === 'i64') return BigInt.asUintN(64, BigInt(v))
  const n = typeof v === 'bigint' ? Number(BigInt.asUintN(32, v)) : v >>> 0
  return type === 'i1' ? n & 1 : n
}

/** The function that an operation computes of its operands. The operation must have `fold` in the op table. */
export function evaluatorOf(op: string, type: Type, argType: Type, attrs: Attrs): Evaluator {
  if (op === 'select') return (c, a, b) => (c ? a : b)
  const fast = argType === 'i64' ? fast64[op] : signless(op, argType) ? fast32[op] : undefined
  if (fast) return fast as Evaluator
  return tableEvaluator(op, type, argType, attrs)
}

/** On i1, shifts and signed comparisons mean something else than on i32; leave those to the table. */
const signless = (op: string, argType: Type): boolean => argType === 'i32' || !/^(shl|shr|lts|les)/.test(op)

/** The same function from the op table alone. */
export function tableEvaluator(op: string, type: Type, argType: Type, attrs: Attrs): Evaluator {
  const { fold, args } = opInfo(op)
  if (!fold) throw new InvariantError(`${op} does not compute`)
  return (...operands) =>
    valueOf(type, fold(operands.slice(0, args.length).map(BigInt), type, argType, attrs))
}
