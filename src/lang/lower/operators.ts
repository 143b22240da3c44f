// Unary and binary operators on values that are already evaluated.
//
// One table says which IR operation an operator becomes at each type; docs/language.md is generated from it and every
// row is run by every backend. Promises: an operation is done in 32 bits on numbers and 64 on bigints, unsigned
// unless an operand is signed; two literals give a literal; comparisons across signedness are reported, never guessed.

import { opInfo, normal } from '../../ir/ops.js'
import type { Instr } from '../../ir/types.js'
import { scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import { materialize } from './convert.js'
import { fits, promoted, widest, wrap } from './integers.js'
import { booleanConstant } from './lowering.js'
import type { Lowering } from './lowering.js'
import { presence } from './shape.js'
import { bare, constant, scalar } from './value.js'
import type { Constant, Scalar, Value } from './value.js'

export interface Operator {
  /** IR operation on unsigned and on signed operands. */
  readonly unsigned: string
  readonly signed: string
  readonly kind: 'arithmetic' | 'bits' | 'shift' | 'compare'
  /** The operands change places: a > b is b < a. */
  readonly swapped?: boolean
  /** The result is unsigned whatever the operands are. */
  readonly gives?: 'unsigned'
  /** Not on bigint. */
  readonly numberOnly?: boolean
  /** A negative literal means its two's complement beside unsigned operands. */
  readonly modular?: boolean
}

const row = (
  unsigned: string,
  signed: string,
  kind: Operator['kind'],
  more: Partial<Operator> = {},
): Operator => ({ unsigned, signed, kind, ...more })

/** Every binary operator of the language. */
export const binaryOperators: Readonly<Record<string, Operator>> = {
  '+': row('add', 'add', 'arithmetic', { modular: true }),
  '-': row('sub', 'sub', 'arithmetic', { modular: true }),
  '*': row('mul', 'mul', 'arithmetic', { modular: true }),
  '/': row('divu', 'divs', 'arithmetic'),
  '%': row('remu', 'rems', 'arithmetic'),
  '&': row('and', 'and', 'bits', { modular: true }),
  '|': row('or', 'or', 'bits', { modular: true }),
  '^': row('xor', 'xor', 'bits', { modular: true }),
  '<<': row('shl', 'shl', 'shift'),
  '>>': row('shru', 'shrs', 'shift'),
  '>>>': row('shru', 'shru', 'shift', { gives: 'unsigned', numberOnly: true }),
  '===': row('eq', 'eq', 'compare'),
  '!==': row('ne', 'ne', 'compare'),
  '<': row('ltu', 'lts', 'compare'),
  '<=': row('leu', 'les', 'compare'),
  '>': row('ltu', 'lts', 'compare', { swapped: true }),
  '>=': row('leu', 'les', 'compare', { swapped: true }),
}

/** `a operator b`. The caller has evaluated both and handles `undefined`, truth values and short circuits. */
export function binary(l: Lowering, operator: string, left: Value, right: Value): Value {
  const [a, b] = [bare(left), bare(right)]
  const op = binaryOperators[operator]
  for (const v of [a, b]) if (v.kind === 'error' || v.kind === 'never') return v
  if (a.kind === 'constant' && b.kind === 'constant' && a.sort === b.sort) return fold(l, op, operator, a, b)
  if ((a.kind !== 'constant' && a.kind !== 'scalar') || (b.kind !== 'constant' && b.kind !== 'scalar'))
    return l.report('operandExpected', { operator, a: l.describe(a), b: ` and ${l.describe(b)}` })
  const type = op.kind === 'shift' ? shiftType(a) : commonType(l, op, operator, a, b)
  if (!type) return { kind: 'error' }
  if (type.sort === 'opaque') return compareLeaves(l, operator, a as Scalar, b as Scalar)
  const [x, y] = [operand(l, a, type), operand(l, b, op.kind === 'shift' ? shiftCount(b, type) : type)]
  const code = type.signed ? op.signed : op.unsigned
  const result = l.builder.emit(code, op.swapped ? [y, x] : [x, y])
  if (op.kind === 'compare') return scalar(scalars.bool, result)
  if (type.sort === 'boolean') return scalar(type, result)
  return scalar(op.gives === 'unsigned' ? scalars.u32 : type, result)
}

const typeOf = (v: Constant | Scalar): ScalarType | undefined =>
  v.kind === 'scalar' ? (v.literal ? undefined : v.type) : v.type

const sortOf = (v: Constant | Scalar): string => (v.kind === 'scalar' ? v.type.sort : v.sort)

function shiftType(a: Constant | Scalar): ScalarType {
  const type = a.kind === 'scalar' ? a.type : a.type
  if (type) return promoted(type)
  const negative = a.kind === 'constant' && a.value < 0n
  if (sortOf(a) === 'bigint') return negative ? scalars.i64 : scalars.u64
  return negative ? scalars.i32 : scalars.u32
}

const shiftCount = (b: Constant | Scalar, type: ScalarType): ScalarType =>
  b.kind === 'scalar' && b.type.signed ? (type.sort === 'bigint' ? scalars.i64 : scalars.i32) : type

/** The type both operands are taken to, or undefined after a report. */
function commonType(
  l: Lowering,
  op: Operator,
  operator: string,
  a: Constant | Scalar,
  b: Constant | Scalar,
): ScalarType | undefined {
  const mismatch = (): undefined => {
    l.report('operandExpected', { operator, a: l.describe(a), b: ` and ${l.describe(b)}` })
  }
  if (sortOf(a) !== sortOf(b)) return mismatch()
  const [ta, tb] = [typeOf(a), typeOf(b)]
  if (sortOf(a) === 'boolean') return op.kind === 'compare' || op.kind === 'bits' ? scalars.bool : mismatch()
  if (sortOf(a) === 'opaque') return ta!.leaves.length === tb!.leaves.length ? ta : mismatch()
  if (ta && tb) {
    const type = widest(ta, tb)
    if (!type) l.report('mixedSigns', { operator, a: ta.name, b: tb.name })
    return type && promoted(type)
  }
  const known = ta ?? tb
  const literal = ta ? b : a
  if (!known) {
    const both = widest((a as Scalar).type ?? scalars.u32, (b as Scalar).type ?? scalars.u32)
    return promoted(both ?? scalars.i32)
  }
  const type = promoted(known)
  const [low, high] =
    literal.kind === 'constant' ? [literal.value, literal.value] : [literal.type.signed ? -1n : 0n, 0n]
  const modular = op.modular && low >= -(1n << 63n) && high < 1n << BigInt(type.sort === 'bigint' ? 64 : 32)
  if (modular || (fits(low, type) && fits(high, type))) return type
  l.report('literalOutOfRange', { value: low, type: known.name, operator })
  return undefined
}

function operand(l: Lowering, v: Constant | Scalar, type: ScalarType): Instr {
  return v.kind === 'constant' ? materialize(l, v, type).leaves[0] : v.leaves[0]
}

function compareLeaves(l: Lowering, operator: string, a: Scalar, b: Scalar): Value {
  const equal = a.leaves
    .map((leaf, k) => l.builder.emit('eq', [leaf, b.leaves[k]]))
    .reduce((x, y) => l.builder.emit('and', [x, y]))
  if (operator !== '===' && operator !== '!==')
    return l.report('operandExpected', { operator, a: a.type.name, b: ` and ${b.type.name}` })
  return scalar(scalars.bool, operator === '===' ? equal : l.builder.emit('not', [equal]))
}

/** Two constants. Literals stay exact and may not leave 32 (64) bits; with a typed operand they wrap. */
function fold(l: Lowering, op: Operator, operator: string, a: Constant, b: Constant): Value {
  const shift = op.kind === 'shift'
  let type = shift ? a.type && promoted(a.type) : undefined
  if (!shift && (a.type || b.type)) type = commonType(l, op, operator, a, b)
  if (!shift && (a.type || b.type) && !type) return { kind: 'error' }
  const wide = a.sort === 'bigint'
  if (a.sort === 'boolean') type = scalars.bool
  const signed = type ? type.signed : a.value < 0n || (!shift && b.value < 0n)
  const width = type ?? (wide ? (signed ? scalars.i64 : scalars.u64) : signed ? scalars.i32 : scalars.u32)
  const ir = width.leaves[0]
  const operands = [a, b].map(v => normal(ir, v.value))
  if (op.swapped) operands.reverse()
  const code = signed ? op.signed : op.unsigned
  if (!type && op.kind === 'compare') return booleanConstant(compareExact(operator, a.value, b.value))
  const folded = opInfo(code).fold!(operands, op.kind === 'compare' ? 'i1' : ir, ir, {})
  if (op.kind === 'compare') return booleanConstant(folded !== 0n)
  if (type?.sort === 'boolean') return booleanConstant(folded !== 0n)
  if (type) {
    const result = op.gives === 'unsigned' ? scalars.u32 : type
    return constant(a.sort, wrap(folded, result), result)
  }
  if (op.kind === 'arithmetic' && op.modular) {
    const exact =
      operator === '+' ? a.value + b.value : operator === '-' ? a.value - b.value : a.value * b.value
    const [low, high] = wide ? [-(1n << 63n), (1n << 64n) - 1n] : [-(1n << 31n), (1n << 32n) - 1n]
    if (exact < low || exact > high)
      return l.report('constantOverflow', { value: exact, bits: wide ? 64 : 32 })
    return constant(a.sort, exact)
  }
  const unsigned = op.gives === 'unsigned' || !signed
  return constant(a.sort, unsigned ? folded : wrap(folded, wide ? scalars.i64 : scalars.i32))
}

function compareExact(operator: string, a: bigint, b: bigint): boolean {
  if (operator === '===') return a === b
  if (operator === '!==') return a !== b
  if (operator === '<') return a < b
  if (operator === '<=') return a <= b
  return operator === '>' ? a > b : a >= b
}

/** `-x`, `+x` and `~x`. */
export function unary(l: Lowering, operator: string, given: Value): Value {
  const a = bare(given)
  if (a.kind === 'error' || a.kind === 'never') return a
  if (a.kind === 'constant' && a.sort !== 'boolean') {
    const wide = a.sort === 'bigint'
    const exact = operator === '-' ? -a.value : operator === '~' ? ~a.value : a.value
    if (a.type) {
      const type = promoted(a.type)
      return constant(a.sort, wrap(exact, type), type)
    }
    if (operator === '~' && a.value >= 0n)
      return constant(a.sort, wrap(exact, wide ? scalars.u64 : scalars.u32))
    return constant(a.sort, exact)
  }
  if (a.kind !== 'scalar' || a.type.sort === 'boolean' || a.type.sort === 'opaque')
    return l.report('operandExpected', { operator, a: l.describe(a), b: '' })
  if (operator === '+') return a
  const type = promoted(a.type)
  const [leaf] = a.leaves
  if (operator === '~') {
    const ones = l.builder.const(leaf.type, -1)
    return scalar(type, l.builder.emit('xor', [leaf, ones]))
  }
  return scalar(type, l.builder.emit('sub', [l.builder.const(leaf.type, 0), leaf]))
}

/** A truth value as an i1. */
export function bit(l: Lowering, value: Value): Instr {
  if (value.kind === 'constant') return l.builder.const('i1', value.value)
  return value.kind === 'scalar' ? value.leaves[0] : l.lost()
}

/** Whether a value counts as true: not false, 0, 0n or undefined. */
export function truth(l: Lowering, value: Value): Value {
  if (value.kind === 'constant') return booleanConstant(value.value !== 0n)
  if (value.kind === 'undefined' || value.kind === 'void') return booleanConstant(false)
  if (value.kind === 'scalar') {
    if (value.type.sort === 'boolean') return value
    if (value.type.sort === 'opaque') return booleanConstant(true)
    const [leaf] = value.leaves
    return scalar(scalars.bool, l.builder.emit('ne', [leaf, l.builder.const(leaf.type, 0)]))
  }
  const present = presence(l, value)
  if (present && value.kind === 'optional') {
    const inner = truth(l, value.value)
    if (inner.kind !== 'scalar') return scalar(scalars.bool, present)
    return scalar(scalars.bool, l.builder.emit('and', [present, inner.leaves[0]]))
  }
  if (present) return scalar(scalars.bool, present)
  if (value.kind === 'record' || value.kind === 'element') return booleanConstant(true)
  if (value.kind !== 'error' && value.kind !== 'never')
    l.report('conditionExpected', { found: l.describe(value) })
  return { kind: 'error' }
}
