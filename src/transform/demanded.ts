// Demanded bits: where only some bits of a value count (those that are stored, kept by a mask, or left after a
// truncation), operations that change the others alone are dropped: masks, mostly.

import { maxOf } from '../analysis/interval.js'
import { bitsOf } from '../ir/ops.js'
import type { Instr } from '../ir/types.js'
import { constOf } from './edit.js'
import type { Rule, Rules, Site } from './rules.js'

/** Operations whose bit k depends on no bit above k of the operands. */
const upward: ReadonlySet<string> = new Set(['and', 'or', 'xor', 'add', 'sub'])
const maxDepth = 3

/** A cheaper value with the same bits where `bits` has ones; undefined if there is none. */
function demanded(x: Instr, bits: bigint, s: Site, depth = maxDepth): Instr | undefined {
  if (x.op === 'and') {
    const mask = constOf(x.args[1])
    if (mask !== undefined && (mask & bits) === bits) return demanded(x.args[0], bits, s, depth) ?? x.args[0]
  }
  if (depth > 0 && (x.op === 'trunc' || x.op === 'shru')) return moved(x, bits, s, depth)
  if (depth === 0 || !upward.has(x.op) || x.type === 'i1' || s.userCount(x) !== 1) return undefined
  // A carry can come from any bit below.
  const below = x.op === 'add' || x.op === 'sub' ? fill(bits) : bits
  const parts = x.args.map(a => demanded(a, below, s, depth - 1))
  if (parts.every(p => p === undefined)) return undefined
  return s.make(
    x.op,
    parts.map((p, k) => p ?? x.args[k]),
  )
}

/** Of a truncation or a shift to the right by a constant, other bits of the operand count. */
function moved(x: Instr, bits: bigint, s: Site, depth: number): Instr | undefined {
  const [from, by] = x.args
  const count = x.op === 'trunc' ? 0n : constOf(by)
  if (count === undefined || count >= BigInt(bitsOf(x.type))) return undefined
  const better = demanded(from, (bits << count) & maxOf(from.type), s, depth - 1)
  if (better) return s.make(x.op, x.args.with(0, better), x.type)
  return x.op === 'shru' ? shiftedOnce(x, bits, s) : undefined
}

/** Half of a shifted value, shifted again, is one shift if what it leaves is all in that half. */
function shiftedOnce(x: Instr, bits: bigint, s: Site): Instr | undefined {
  const [half, again] = x.args
  const [inner] = half.args
  if (half.op !== 'trunc' || inner.op !== 'shru') return undefined
  const [a, b] = [constOf(inner.args[1]), constOf(again)]
  if (a === undefined || b === undefined || bits << b > maxOf('i32') || a + b >= 64n) return undefined
  return s.make('trunc', [s.make('shru', [inner.args[0], s.const('i64', a + b)])])
}

const fill = (v: bigint): bigint => (1n << BigInt(v.toString(2).length)) - 1n

/** The rule that one operand counts only in these bits. */
const operand =
  (k: number, bitsOf: (i: Instr) => bigint | undefined): Rule =>
  (i, s) => {
    const bits = bitsOf(i)
    if (bits === undefined || bits === 0n) return undefined
    const better = demanded(i.args[k], bits, s)
    return better && s.make(i.op, i.args.with(k, better), i.type, i.attrs)
  }

const stored = (i: Instr): bigint => (1n << (8n * BigInt(i.attrs.width as number))) - 1n

export const demands: Rules = {
  store: operand(2, stored),
  'state.store': operand(1, stored),
  'item.store': operand(0, stored),
  bswap16: operand(0, () => 0xffffn),
  trunc: operand(0, () => maxOf('i32')),
  shl: operand(0, i => {
    const count = constOf(i.args[1])
    return count === undefined ? undefined : maxOf(i.type) >> (count & BigInt(bitsOf(i.type) - 1))
  }),
  and: operand(0, i => (i.type === 'i1' ? undefined : constOf(i.args[1]))),
}
