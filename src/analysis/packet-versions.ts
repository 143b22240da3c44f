// Which version of the packet a load really depends on: stores that cannot touch its bytes are passed over, also where
// paths meet. Addresses are compared by what their sums do not have in common, and otherwise by their ranges.

import type { Interval } from './interval.js'
import { maxOf } from './interval.js'
import type { Block, Instr } from '../ir/types.js'
import type { Ranges } from './ranges.js'

/** Bytes of the packet: `width` of them at base + offset; no base means 0. */
export interface Access {
  readonly base: Instr | undefined
  readonly offset: bigint
  readonly width: bigint
}

/** The bytes that a load or store touches. Its address is operand 1, as in the op table. */
export function accessOf(i: Instr): Access {
  const [, address] = i.args
  const offset = BigInt(i.attrs.offset as number)
  const width = BigInt(i.attrs.width as number)
  if (address.op === 'const') return { base: undefined, offset: offset + BigInt(address.attrs.value), width }
  return { base: address, offset, width }
}

/** True if both touch exactly the same bytes, as far as the sums of their addresses show. */
export function sameBytes(a: Access, b: Access): boolean {
  if (a.width !== b.width) return false
  if (a.base === b.base) return a.offset === b.offset
  const [left, right] = [terms(a.base), terms(b.base)]
  const sum = (list: readonly Instr[]): bigint | undefined =>
    list.every(t => t.op === 'const') ? list.reduce((s, t) => s + BigInt(t.attrs.value), 0n) : undefined
  const [less, more] = [sum(without(left, right)), sum(without(right, left))]
  return (
    less !== undefined && more !== undefined && BigInt.asUintN(32, less + a.offset - more - b.offset) === 0n
  )
}

/** Whether the bytes of two accesses, one of them in `block`, are surely others. */
export function apart(a: Access, b: Access, ranges: () => Ranges, block: Block): boolean {
  if (a.base === b.base) return a.offset + a.width <= b.offset || b.offset + b.width <= a.offset
  const between = distance(a.base, b.base, ranges, block)
  if (between) {
    const [low, high] = [between.lo + b.offset, between.hi + b.offset]
    return low >= a.offset + a.width || high + b.width <= a.offset
  }
  const lowest = (x: Access): bigint => (x.base ? ranges().of(x.base).lo : 0n) + x.offset
  const end = (x: Access): bigint => (x.base ? ranges().of(x.base).hi : 0n) + x.offset + x.width
  return end(a) <= lowest(b) || end(b) <= lowest(a)
}

/** Offsets between accesses that are looked at; no packet is longer. */
const longest = 0x1_0000n

/**
 * How far base b lies behind base a at `block`, where one is the other plus values of known range, as the header behind
 * a header is. Both addresses lie in the packet, so a distance this small is exact, although sums wrap.
 */
function distance(
  a: Instr | undefined,
  b: Instr | undefined,
  ranges: () => Ranges,
  block: Block,
): { lo: bigint; hi: bigint } | undefined {
  const [left, right] = [terms(a), terms(b)]
  const more = without(right, left)
  const less = without(left, right)
  if (left.length - less.length === 0 || (more.length > 0 && less.length > 0)) return undefined
  const parts = (more.length > 0 ? more : less).map(t => rangeAt(t, ranges(), block))
  const lo = parts.reduce((sum, r) => sum + r.lo, 0n)
  const hi = parts.reduce((sum, r) => sum + r.hi, 0n)
  if (hi >= longest) return undefined
  return more.length > 0 ? { lo, hi } : { lo: -hi, hi: -lo }
}

/** A list less what another one has, each as often as it stands there. */
function without(list: readonly Instr[], other: readonly Instr[]): Instr[] {
  const left = [...other]
  return list.filter(t => {
    const at = left.indexOf(t)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

/** The terms of a sum, constants included. */
function terms(base: Instr | undefined): Instr[] {
  if (!base) return []
  return base.op === 'add' ? [...terms(base.args[0]), ...terms(base.args[1])] : [base]
}

/** A term's range, looking through one shift to what branches say about the value in it. */
function rangeAt(term: Instr, ranges: Ranges, block: Block): Pick<Interval, 'lo' | 'hi'> {
  const [x, by] = term.args
  if (term.op === 'shl' && by.op === 'const') {
    const { lo, hi } = ranges.at(x, block)
    const count = BigInt(by.attrs.value)
    if (hi << count <= maxOf(term.type)) return { lo: lo << count, hi: hi << count }
  }
  return ranges.at(term, block)
}

/** The oldest version in which these bytes, read in `block`, are what they are in `version`. */
export function settledVersion(version: Instr, access: Access, block: Block, ranges: () => Ranges): Instr {
  return settle(version, access, block, ranges, new Set())
}

function settle(version: Instr, access: Access, block: Block, ranges: () => Ranges, open: Set<Instr>): Instr {
  let v = version
  while (v.op === 'store' && apart(accessOf(v), access, ranges, block)) v = v.args[0]
  if (v.op !== 'phi' || open.has(v)) return v
  open.add(v)
  const from = new Set(v.args.map(a => settle(a, access, block, ranges, open)).filter(a => !open.has(a)))
  open.delete(v)
  return from.size === 1 ? [...from][0] : v
}
