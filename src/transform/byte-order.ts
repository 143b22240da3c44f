// Rules that make byte swaps disappear: packets are loaded little-endian, and most of what is done with a big-endian
// field can be done with the raw value and a swapped constant.

import { maxOf } from '../analysis/interval.js'
import { opInfo } from '../ir/ops.js'
import type { Instr } from '../ir/types.js'
import { constOf } from './edit.js'
import type { Rule, Rules, Site } from './rules.js'

const swaps: Readonly<Record<string, bigint>> = {
  bswap16: 0xffffn,
  bswap32: maxOf('i32'),
  bswap64: maxOf('i64'),
}
const isSwap = (i: Instr): boolean => Object.hasOwn(swaps, i.op)
/** Values that the swap only reorders: those without bits above it. */
const reorders = (swap: Instr, x: Instr, s: Site): boolean => s.range(x).hi <= swaps[swap.op]
const swapped = (swap: Instr, v: bigint): bigint => opInfo(swap.op).fold!([v], swap.type, swap.type, {})

/** eq or ne with a constant or with the same kind of swap: needs no swap. */
function ignoresOrder(user: Instr | undefined, swap: Instr): boolean {
  if (user?.op !== 'eq' && user?.op !== 'ne') return false
  const other = user.args[0] === swap ? user.args[1] : user.args[0]
  return constOf(other) !== undefined || other.op === swap.op
}

const compareRaw: Rule = (i, s) => {
  const [x, y] = i.args
  if (!isSwap(x) || !reorders(x, x.args[0], s)) return undefined
  if (y.op === x.op && reorders(y, y.args[0], s)) return s.make(i.op, [x.args[0], y.args[0]])
  const c = constOf(y)
  if (c === undefined || !s.users(x).every(u => ignoresOrder(u, x))) return undefined
  // A constant with bits above the swap never equals it; comparing ranges has seen that.
  if (c > swaps[x.op]) return undefined
  return s.make(i.op, [x.args[0], s.const(x.type, swapped(x, c))])
}

/** swap(x) op c = swap(x op swap(c)), which brings the swap closer to a comparison. */
const maskRaw: Rule = (i, s) => {
  const [x, y] = i.args
  const c = constOf(y)
  if (!isSwap(x) || c === undefined || s.userCount(x) !== 1 || !reorders(x, x.args[0], s)) return undefined
  const mask = i.op === 'and' ? c & swaps[x.op] : c
  if (mask > swaps[x.op]) return undefined
  return s.make(x.op, [s.make(i.op, [x.args[0], s.const(x.type, swapped(x, mask))])])
}

const widths: Readonly<Record<string, bigint>> = { bswap16: 16n, bswap32: 32n, bswap64: 64n }

/** One byte of a swapped value is another one of the raw value. */
const oneByte: Rule = (i, s) => {
  const [x, y] = i.args
  const mask = constOf(y)
  if (mask === undefined || mask > 0xffn) return undefined
  const shifted = x.op === 'trunc' ? x.args[0] : x
  const by = shifted.op === 'shru' ? constOf(shifted.args[1]) : 0n
  const swap = shifted.op === 'shru' ? shifted.args[0] : shifted
  if (by === undefined || by % 8n !== 0n || !isSwap(swap) || by >= widths[swap.op]) return undefined
  const [raw] = swap.args
  const byte = s.make('shru', [raw, s.const(raw.type, widths[swap.op] - 8n - by)])
  return s.make('and', [x.op === 'trunc' ? s.make('trunc', [byte]) : byte, y])
}

/** swap(x op y) = swap(x) op swap(y), where one side is a swap already. */
const swapParts: Rule = (i, s) => {
  const [x] = i.args
  if (x.op !== 'and' && x.op !== 'or' && x.op !== 'xor') return undefined
  if (!x.args.some(a => a.op === i.op) || s.userCount(x) !== 1) return undefined
  return s.make(
    x.op,
    x.args.map(a => s.make(i.op, [a])),
  )
}

/** swap(x) op swap(y) = swap(x op y), which saves a swap. */
const swapOnce: Rule = (i, s) => {
  const [x, y] = i.args
  if (!isSwap(x) || x.op !== y.op || [x, y].some(a => s.userCount(a) !== 1)) return undefined
  return s.make(x.op, [s.make(i.op, [x.args[0], y.args[0]])])
}

const first =
  (...rules: Rule[]): Rule =>
  (i, s) => {
    for (const rule of rules) {
      const better = rule(i, s)
      if (better) return better
    }
    return undefined
  }

/** The last byte of a swapped value is the first of the raw one. */
const topByte: Rule = (i, s) => {
  const [x, y] = i.args
  if (!isSwap(x) || x.type !== i.type) return undefined
  const last = { bswap16: 8n, bswap32: 24n, bswap64: 56n }[x.op]
  if (constOf(y) !== last) return undefined
  return s.make('and', [x.args[0], s.const(x.type, 0xffn)])
}

/** swap(x << c) = swap(x) >> c for whole bytes: what is loaded is swapped as it is. */
const swapShifted: Rule = (i, s) => {
  const [x] = i.args
  const by = x.op === 'shl' ? constOf(x.args[1]) : undefined
  if (by === undefined || by % 8n !== 0n || i.op === 'bswap16') return undefined
  return s.make('shru', [s.make(i.op, [x.args[0]]), x.args[1]])
}

/** swap(c ? swap(x) : swap(y)) = c ? x : y, whoever else uses the swaps. */
const swapSelected: Rule = (i, s) => {
  const [x] = i.args
  if (x.op !== 'select') return undefined
  const [c, ...choices] = x.args
  if (!choices.every(a => a.op === i.op && reorders(a, a.args[0], s))) return undefined
  return s.make('select', [c, ...choices.map(a => a.args[0])])
}

const swapTwice: Rule = (i, s) => {
  const [x] = i.args
  if (x.op !== i.op) return undefined
  const raw = x.args[0]
  return reorders(x, raw, s) ? raw : s.make('and', [raw, s.const(raw.type, swaps[x.op])])
}

/** c ? swap(x) : swap(y) = swap(c ? x : y). */
const selectRaw: Rule = (i, s) => {
  const [c, x, y] = i.args
  if (!isSwap(x)) return undefined
  const k = constOf(y)
  const other =
    y.op === x.op
      ? y.args[0]
      : k !== undefined && k <= swaps[x.op]
        ? s.const(y.type, swapped(x, k))
        : undefined
  if (!other || s.userCount(x) !== 1 || s.userCount(y) !== 1) return undefined
  return s.make(x.op, [s.make('select', [c, x.args[0], other])])
}

export const byteOrder: Rules = {
  eq: compareRaw,
  ne: compareRaw,
  and: first(oneByte, swapOnce, maskRaw),
  or: first(swapOnce, maskRaw),
  xor: first(swapOnce, maskRaw),
  shru: topByte,
  select: selectRaw,
  bswap16: first(swapTwice, swapSelected, swapParts),
  bswap32: first(swapTwice, swapSelected, swapParts, swapShifted),
  bswap64: first(swapTwice, swapSelected, swapParts, swapShifted),
}
