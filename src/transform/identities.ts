// Algebraic identities on integers and truth values. In all of them a constant operand of a commutative operation
// stands second (fold.ts puts it there), and shift counts are below the width.

import { bitLength, maxOf } from '../analysis/interval.js'
import { bitsOf, normal } from '../ir/ops.js'
import type { Instr } from '../ir/types.js'
import { constOf } from './edit.js'
import type { Rule, Rules, Site } from './rules.js'

const isConst = (i: Instr, v: bigint): boolean => constOf(i) === v
/** k if v = 2^k. */
const powerOf = (v: bigint | undefined): number | undefined =>
  v !== undefined && v > 0n && (v & (v - 1n)) === 0n ? bitLength(v) - 1 : undefined
const nonNegative = (i: Instr, s: Site): boolean => s.range(i).hi <= maxOf(i.type) >> 1n

/** (a op c1) op c2 = a op (c1 op c2), for an associative operation. */
function associate(i: Instr, s: Site, join: (a: bigint, b: bigint) => bigint): Instr | undefined {
  const [x, c2] = [i.args[0], constOf(i.args[1])]
  const c1 = x.op === i.op ? constOf(x.args[1]) : undefined
  if (c1 === undefined || c2 === undefined) return undefined
  return s.make(i.op, [x.args[0], s.const(i.type, normal(i.type, join(c1, c2)))])
}

/** Two shifts in the same direction are one. */
function shiftTwice(i: Instr, s: Site): Instr | undefined {
  const [x, c2] = [i.args[0], constOf(i.args[1])]
  const c1 = x.op === i.op ? constOf(x.args[1]) : undefined
  if (c1 === undefined || c2 === undefined) return undefined
  const sum = c1 + c2
  if (sum < BigInt(bitsOf(i.type))) return s.make(i.op, [x.args[0], s.const(i.type, sum)])
  return i.op === 'shrs' ? undefined : s.const(i.type, 0n)
}

/** Counts are taken modulo the width; then 0 is nothing. */
function shift(i: Instr, s: Site, more: Rule): Instr | undefined {
  const count = constOf(i.args[1])
  if (count !== undefined && count >= BigInt(bitsOf(i.type)))
    return s.make(i.op, [i.args[0], s.const(i.type, count % BigInt(bitsOf(i.type)))])
  if (count === 0n) return i.args[0]
  return shiftTwice(i, s) ?? more(i, s)
}

const isNotOf = (a: Instr, b: Instr): boolean =>
  (a.op === 'not' && a.args[0] === b) || (b.op === 'not' && b.args[0] === a)

export const arithmetic: Rules = {
  add: (i, s) => (isConst(i.args[1], 0n) ? i.args[0] : associate(i, s, (a, b) => a + b)),
  sub: (i, s) => {
    if (i.args[0] === i.args[1]) return s.const(i.type, 0n)
    return isConst(i.args[1], 0n) ? i.args[0] : undefined
  },
  mul: (i, s) => {
    const [x, y] = i.args
    if (isConst(y, 0n)) return y
    if (isConst(y, 1n)) return x
    const k = powerOf(constOf(y))
    return k === undefined ? associate(i, s, (a, b) => a * b) : s.make('shl', [x, s.const(i.type, BigInt(k))])
  },
  divu: (i, s) => {
    const c = constOf(i.args[1])
    if (c === undefined) return undefined
    if (c === 0n || s.range(i.args[0]).hi < c) return s.const(i.type, 0n)
    const k = powerOf(c)
    return k === undefined ? undefined : s.make('shru', [i.args[0], s.const(i.type, BigInt(k))])
  },
  remu: (i, s) => {
    const c = constOf(i.args[1])
    if (c === undefined) return undefined
    if (c === 0n || s.range(i.args[0]).hi < c) return i.args[0]
    return powerOf(c) === undefined ? undefined : s.make('and', [i.args[0], s.const(i.type, c - 1n)])
  },
  divs: (i, s) => (i.args.every(a => nonNegative(a, s)) ? s.make('divu', i.args) : undefined),
  rems: (i, s) => (i.args.every(a => nonNegative(a, s)) ? s.make('remu', i.args) : undefined),
  shl: (i, s) =>
    shift(i, s, () => {
      const [x, y] = i.args
      if (x.op !== 'shru' || constOf(y) === undefined || constOf(x.args[1]) !== constOf(y)) return undefined
      const keep = normal(i.type, maxOf(i.type) << constOf(y)!)
      return s.make('and', [x.args[0], s.const(i.type, keep)])
    }),
  shru: (i, s) =>
    shift(i, s, () => {
      const [x, y] = i.args
      const c = constOf(y)
      if (c === undefined) return undefined
      if (s.range(x).hi >> c === 0n) return s.const(i.type, 0n)
      if (x.op !== 'shl' || constOf(x.args[1]) !== c) return undefined
      return s.make('and', [x.args[0], s.const(i.type, maxOf(i.type) >> c)])
    }),
  shrs: (i, s) => shift(i, s, () => (nonNegative(i.args[0], s) ? s.make('shru', i.args) : undefined)),
}

export const bitwise: Rules = {
  and: (i, s) => {
    const [x, y] = i.args
    const c = constOf(y)
    if (x === y) return x
    if (i.type === 'i1') return isNotOf(x, y) ? s.const('i1', 0n) : conjunction(x, y, s)
    if (c === undefined) return undefined
    const flipped = x.op === 'xor' ? constOf(x.args[1]) : undefined
    if (flipped !== undefined && s.userCount(x) === 1)
      return s.make('xor', [s.make('and', [x.args[0], y]), s.const(i.type, flipped & c)])
    const { ones } = s.range(x)
    if ((ones & c) === 0n) return s.const(i.type, 0n)
    return (ones & ~c) === 0n ? x : associate(i, s, (a, b) => a & b)
  },
  or: (i, s) => {
    const [x, y] = i.args
    if (x === y || isConst(y, 0n)) return x
    if (isConst(y, maxOf(i.type))) return y
    if (i.type === 'i1') return isNotOf(x, y) ? s.const('i1', 1n) : disjunction(x, y, s)
    return associate(i, s, (a, b) => a | b)
  },
  xor: (i, s) => {
    const [x, y] = i.args
    if (x === y) return s.const(i.type, 0n)
    if (isConst(y, 0n)) return x
    if (i.type === 'i1' && isConst(y, 1n)) return s.make('not', [x])
    return associate(i, s, (a, b) => a ^ b)
  },
  not: ({ args: [x] }, s) => {
    if (x.op === 'not') return x.args[0]
    if (s.userCount(x) !== 1) return undefined
    const [a, b] = x.args
    if (x.op === 'eq' || x.op === 'ne') return s.make(x.op === 'eq' ? 'ne' : 'eq', [a, b])
    const other = { ltu: 'leu', leu: 'ltu', lts: 'les', les: 'lts' }[x.op]
    return other ? s.make(other, [b, a]) : undefined
  },
  select: (i, s) => {
    const [c, x, y] = i.args
    if (x === y) return x
    const known = s.range(c)
    if (known.lo === known.hi) return known.lo ? x : y
    if (c.op === 'not') return s.make('select', [c.args[0], y, x])
    if (i.type === 'i1') return truthSelect(c, x, y, s)
    if (isConst(x, 1n) && isConst(y, 0n)) return s.make('zext', [c], i.type)
    return sameChoice(c, x, y, s)
  },
}

/**
 * c ? a : (d ? a : b) = (c | d) ? a : b, and c ? (d ? a : b) : b = (c & d) ? a : b, where the conditions choose
 * more values than this one: those become choices by the same condition.
 */
function sameChoice(c: Instr, x: Instr, y: Instr, s: Site): Instr | undefined {
  const alone = (inner: Instr): boolean =>
    inner.op === 'select' && s.userCount(inner) === 1 && [c, inner.args[0]].every(v => s.userCount(v) > 2)
  if (alone(y) && y.args[1] === x) return s.make('select', [s.make('or', [c, y.args[0]]), x, y.args[2]])
  if (alone(x) && x.args[2] === y) return s.make('select', [s.make('and', [c, x.args[0]]), x.args[1], y])
  return undefined
}

/** A part that is known to be true here does not matter; one that is false decides; a & (a & b) and a & (a | b) are less. */
function conjunction(x: Instr, y: Instr, s: Site): Instr | undefined {
  const less = absorbed(x, y, 'or', 'and')
  if (less) return less
  if (s.range(y).lo === 1n) return x
  if (s.range(x).lo === 1n) return y
  return [x, y].some(a => s.range(a).hi === 0n) ? s.const('i1', 0n) : undefined
}

function disjunction(x: Instr, y: Instr, s: Site): Instr | undefined {
  const less = absorbed(x, y, 'and', 'or')
  if (less) return less
  if (s.range(y).hi === 0n) return x
  if (s.range(x).hi === 0n) return y
  return [x, y].some(a => s.range(a).lo === 1n) ? s.const('i1', 1n) : undefined
}

/** x where y is (x outer …), and y where it is (x inner …); the same the other way round. */
function absorbed(x: Instr, y: Instr, outer: string, inner: string): Instr | undefined {
  for (const [a, b] of [
    [x, y],
    [y, x],
  ]) {
    if (a === b) continue
    if (isPart(a, b, outer)) return a
    if (isPart(a, b, inner)) return b
  }
  return undefined
}

/** Whether `whole` is a conjunction or disjunction, of a few parts, that `part` is one of. */
function isPart(part: Instr, whole: Instr, op: string, depth = 3): boolean {
  if (part === whole) return true
  return depth > 0 && whole.op === op && whole.args.some(a => isPart(part, a, op, depth - 1))
}

/** The part of a conjunction that says that `c` is not so. */
function denial(x: Instr, c: Instr, depth = 3): Instr | undefined {
  if (x.op === 'not' && x.args[0] === c) return x
  if (depth === 0 || x.op !== 'and') return undefined
  return denial(x.args[0], c, depth - 1) ?? denial(x.args[1], c, depth - 1)
}

/** c ? x : y on truth values. */
function truthSelect(c: Instr, x: Instr, y: Instr, s: Site): Instr | undefined {
  if (isPart(c, x, 'or')) return s.make('or', [c, y])
  if (isPart(c, y, 'and')) return s.make('and', [c, x])
  const denied = denial(x, c)
  if (denied) return s.make('and', [denied, y])
  if (isConst(x, 1n)) return isConst(y, 0n) ? c : s.make('or', [c, y])
  if (isConst(y, 0n)) return s.make('and', [c, x])
  if (isConst(x, 0n)) return s.make('and', [s.make('not', [c]), y])
  return isConst(y, 1n) ? s.make('or', [s.make('not', [c]), x]) : undefined
}
