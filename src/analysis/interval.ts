// Sets of unsigned integers, approximated from above: a lower and an upper bound, and the bits that may be 1. One
// function per operation says what it makes of such sets. Sound: the result contains every value the operation can
// give. ranges.ts applies them to functions.

import { bitsOf, normal, opInfo } from '../ir/ops.js'
import type { Instr, Type } from '../ir/types.js'

/** All v with lo <= v <= hi and no bit set outside `ones`; unsigned. */
export interface Interval {
  readonly lo: bigint
  readonly hi: bigint
  readonly ones: bigint
}

/** The largest value of a type. */
export const maxOf = (type: Type): bigint => largest[type]
const largest: Readonly<Record<Type, bigint>> = {
  i1: 1n,
  i32: 0xffffffffn,
  i64: 0xffffffffffffffffn,
  mem: 0n,
  void: 0n,
}

/** Bits needed to write v in binary; 0 for 0. */
export function bitLength(v: bigint): number {
  if (v <= 0xffffffffn) return 32 - Math.clz32(Number(v))
  return v <= 0xffffffffffffffffn ? 64 - Math.clz32(Number(v >> 32n)) : v.toString(2).length
}
const fills: readonly bigint[] = Array.from({ length: 65 }, (_, n) => (1n << BigInt(n)) - 1n)
/** The smallest 2^n - 1 that is at least v. */
function fill(v: bigint): bigint {
  const n = bitLength(v)
  return n < fills.length ? fills[n] : (1n << BigInt(n)) - 1n
}
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

export function interval(lo: bigint, hi: bigint, ones: bigint = fill(hi)): Interval {
  const top = min(hi, ones)
  return { lo: min(lo, top), hi: top, ones: ones & fill(top) }
}
const all = Object.fromEntries(
  Object.entries(largest).map(([type, max]) => [type, interval(0n, max)]),
) as Readonly<Record<Type, Interval>>
export const exactly = (v: bigint): Interval => ({ lo: v, hi: v, ones: v })
export const everything = (type: Type): Interval => all[type]
export const isExact = (r: Interval): boolean => r.lo === r.hi
export const sameInterval = (a: Interval, b: Interval): boolean =>
  a.lo === b.lo && a.hi === b.hi && a.ones === b.ones

export const union = (a: Interval, b: Interval): Interval =>
  interval(min(a.lo, b.lo), max(a.hi, b.hi), a.ones | b.ones)

/** Values in both; undefined if there are none. */
export function intersect(a: Interval, b: Interval): Interval | undefined {
  const ones = a.ones & b.ones
  const [lo, hi] = [max(a.lo, b.lo), min(min(a.hi, b.hi), ones)]
  return lo <= hi ? interval(lo, hi, ones) : undefined
}

/** Zero bits at the low end that every value has. */
function lowZeros(r: Interval): bigint {
  if (r.ones === 0n) return 64n
  let n = 0n
  while (!((r.ones >> n) & 1n)) n++
  return n
}
const above = (zeros: bigint, hi: bigint): bigint => (fill(hi) >> zeros) << zeros

/** x & (2^k - 1), where all x agree in the bits above. */
function lowBits(x: Interval, mask: Interval): Interval | undefined {
  const { lo: m } = mask
  if (!isExact(mask) || (m & (m + 1n)) !== 0n || (x.lo & ~m) !== (x.hi & ~m)) return undefined
  return interval(x.lo & m, x.hi & m, x.ones & m)
}

type Transfer = (a: Interval, b: Interval, type: Type, argType: Type) => Interval | undefined

const nonNegative = (r: Interval, type: Type): boolean => r.hi <= maxOf(type) >> 1n

const transfers: Readonly<Record<string, Transfer>> = {
  zext: a => a,
  trunc: a => (a.hi <= 0xffffffffn ? a : interval(0n, 0xffffffffn, a.ones & 0xffffffffn)),
  sext: (a, _b, _t, from) => (nonNegative(a, from) ? a : undefined),
  and: (a, b) => lowBits(a, b) ?? lowBits(b, a) ?? interval(0n, min(a.hi, b.hi), a.ones & b.ones),
  or: (a, b) => interval(max(a.lo, b.lo), a.hi + b.hi, a.ones | b.ones),
  xor: (a, b) => interval(0n, a.hi + b.hi, a.ones | b.ones),
  add: (a, b, type) => {
    const hi = a.hi + b.hi
    const zeros = min(lowZeros(a), lowZeros(b))
    return hi <= maxOf(type)
      ? interval(a.lo + b.lo, hi, above(zeros, hi))
      : interval(0n, maxOf(type), above(zeros, maxOf(type)))
  },
  sub: (a, b) => (a.lo >= b.hi ? interval(a.lo - b.hi, a.hi - b.lo) : undefined),
  mul: (a, b, type) => {
    const hi = a.hi * b.hi
    return hi <= maxOf(type)
      ? interval(a.lo * b.lo, hi, above(min(64n, lowZeros(a) + lowZeros(b)), hi))
      : undefined
  },
  divu: (a, b) => (b.lo > 0n ? interval(a.lo / b.hi, a.hi / b.lo) : interval(0n, a.hi)),
  remu: (a, b) => {
    if (b.lo === 0n) return interval(0n, a.hi)
    return a.hi < b.lo ? a : interval(0n, min(a.hi, b.hi - 1n))
  },
  divs: (a, b, type) =>
    nonNegative(a, type) && nonNegative(b, type) ? transfers.divu(a, b, type, type) : undefined,
  rems: (a, b, type) =>
    nonNegative(a, type) && nonNegative(b, type) ? transfers.remu(a, b, type, type) : undefined,
  shl: (a, b, type) => {
    if (b.hi >= BigInt(bitsOf(type))) return undefined
    const hi = a.hi << b.hi
    if (hi <= maxOf(type))
      return interval(a.lo << b.lo, hi, isExact(b) ? a.ones << b.lo : above(lowZeros(a), hi))
    return isExact(b) ? interval(0n, maxOf(type), (a.ones << b.lo) & maxOf(type)) : undefined
  },
  shru: (a, b, type) => {
    if (b.hi >= BigInt(bitsOf(type))) return interval(0n, a.hi)
    return interval(a.lo >> b.hi, a.hi >> b.lo, isExact(b) ? a.ones >> b.lo : undefined)
  },
  shrs: (a, b, type) => (nonNegative(a, type) ? transfers.shru(a, b, type, type) : undefined),
  bswap16: (a, _b, type) => swapped('bswap16', a, type),
  bswap32: (a, _b, type) => swapped('bswap32', a, type),
  bswap64: (a, _b, type) => swapped('bswap64', a, type),
}

/** Reordering bytes reorders the bits that may be 1. */
function swapped(op: string, a: Interval, type: Type): Interval {
  const ones = opInfo(op).fold!([a.ones], type, type, {})
  return interval(0n, ones, ones)
}

/** The outcome of a comparison, or undefined if the intervals allow both. */
export function decide(op: string, a: Interval, b: Interval, type: Type): boolean | undefined {
  const apart =
    a.hi < b.lo ||
    b.hi < a.lo ||
    (isExact(a) && (a.lo & ~b.ones) !== 0n) ||
    (isExact(b) && (b.lo & ~a.ones) !== 0n)
  if (op === 'eq' || op === 'ne') {
    if (apart) return op === 'ne'
    return isExact(a) && isExact(b) ? op === 'eq' : undefined
  }
  const signedOp = op === 'lts' || op === 'les'
  if (signedOp && !(nonNegative(a, type) && nonNegative(b, type))) return undefined
  if (op === 'ltu' || op === 'lts') {
    if (a.hi < b.lo) return true
    return a.lo >= b.hi ? false : undefined
  }
  if (op !== 'leu' && op !== 'les') return undefined
  if (a.hi <= b.lo) return true
  return a.lo > b.hi ? false : undefined
}

/** What an operation can give, from what its operands can be. Phis and reads are not looked at: everything. */
export function transfer(i: Instr, args: readonly Interval[]): Interval {
  const info = opInfo(i.op)
  if (info.fold && args.every(isExact))
    return exactly(
      normal(
        i.type,
        info.fold(
          args.map(a => a.lo),
          i.type,
          i.args[0].type,
          i.attrs,
        ),
      ),
    )
  if (i.op === 'select') {
    if (isExact(args[0])) return args[0].lo ? args[1] : args[2]
    return union(args[1], args[2])
  }
  if (i.op === 'not') return everything('i1')
  if (i.type === 'i1' && i.args.length === 2) {
    const known = decide(i.op, args[0], args[1], i.args[0].type)
    if (known !== undefined) return exactly(known ? 1n : 0n)
  }
  const known = transfers[i.op]?.(args[0], args[1], i.type, i.args[0].type)
  return known ?? everything(i.type)
}
