// Identities on widening, narrowing and comparisons.

import { decide, maxOf } from '../analysis/interval.js'
import { normal } from '../ir/ops.js'
import type { Instr, Type } from '../ir/types.js'
import { constOf } from './edit.js'
import type { Rule, Rules, Site } from './rules.js'

/** Operations on i64 whose low 32 bits depend on the low 32 bits of the operands alone. */
const narrowing: ReadonlySet<string> = new Set(['add', 'sub', 'mul', 'and', 'or', 'xor'])

/** The value as i32 if that costs nothing: widened from at most i32, or a constant. */
function asNarrow(x: Instr, s: Site): Instr | undefined {
  const c = constOf(x)
  if (c !== undefined) return s.const('i32', normal('i32', c))
  if (x.op !== 'zext' && x.op !== 'sext') return undefined
  return x.args[0].type === 'i32' ? x.args[0] : s.make('zext', [x.args[0]], 'i32')
}

export const conversions: Rules = {
  zext: (i, s) => {
    const [x] = i.args
    if (x.op === 'zext') return s.make('zext', [x.args[0]], i.type)
    if (x.op === 'trunc' && s.range(x.args[0]).hi <= maxOf(x.type)) return x.args[0]
    return undefined
  },
  sext: (i, s) => {
    const [x] = i.args
    return s.range(x).hi <= maxOf(x.type) >> 1n ? s.make('zext', [x], i.type) : undefined
  },
  trunc: (i, s) => {
    const [x] = i.args
    if (x.op === 'zext' || x.op === 'sext') return asNarrow(x, s)
    if (!narrowing.has(x.op) || s.userCount(x) !== 1) return undefined
    const narrow = x.args.map(a => asNarrow(a, s))
    return narrow.every(a => a !== undefined) ? s.make(x.op, narrow) : undefined
  },
}

const compare: Rule = (i, s) => {
  const [x, y] = i.args
  if (x === y) return s.const('i1', i.op === 'eq' || i.op === 'leu' || i.op === 'les' ? 1n : 0n)
  const known = decide(i.op, s.range(x), s.range(y), x.type)
  if (known !== undefined) return s.const('i1', known ? 1n : 0n)
  return widened(i, s) ?? (i.op === 'eq' || i.op === 'ne' ? equality(i, s) : atTheEnd(i, s))
}

/** Comparing widened values is comparing the values. */
function widened(i: Instr, s: Site): Instr | undefined {
  if (!i.args.some(a => a.op === 'zext')) return undefined
  const source = i.args.find(a => a.op === 'zext')!.args[0].type
  const narrow = i.args.map(a => unwiden(a, source, s))
  if (!narrow.every(a => a !== undefined)) return undefined
  const op = { lts: 'ltu', les: 'leu' }[i.op] ?? i.op
  return s.make(op, narrow)
}

function unwiden(a: Instr, to: Type, s: Site): Instr | undefined {
  if (a.op === 'zext' && a.args[0].type === to) return a.args[0]
  const c = constOf(a)
  return c !== undefined && c <= maxOf(to) ? s.const(to, c) : undefined
}

/** eq and ne with a constant: undo what was done to the value. */
function equality(i: Instr, s: Site): Instr | undefined {
  const [x, y] = i.args
  const c = constOf(y)
  if (c === undefined) return undefined
  if (x.type === 'i1') return (c === 1n) === (i.op === 'eq') ? x : s.make('not', [x])
  const k = x.args.length === 2 ? constOf(x.args[1]) : undefined
  if (k !== undefined && s.userCount(x) === 1) {
    const before = { add: c - k, sub: c + k, xor: c ^ k }[x.op]
    if (before !== undefined) return s.make(i.op, [x.args[0], s.const(x.type, normal(x.type, before))])
  }
  if (x.op !== 'select') return undefined
  const [cond, a, b] = [x.args[0], constOf(x.args[1]), constOf(x.args[2])]
  if (a === undefined || b === undefined || a === b) return undefined
  if (a !== c && b !== c) return s.const('i1', i.op === 'ne' ? 1n : 0n)
  return (a === c) === (i.op === 'eq') ? cond : s.make('not', [cond])
}

/** Unsigned comparisons with 0 and 1 that ask for equality. */
function atTheEnd(i: Instr, s: Site): Instr | undefined {
  const [x, y] = i.args
  const zero = (): Instr => s.const(x.type, 0n)
  if (i.op === 'ltu' && constOf(y) === 1n) return s.make('eq', [x, zero()])
  if (i.op === 'ltu' && constOf(x) === 0n) return s.make('ne', [y, zero()])
  if (i.op === 'leu' && constOf(x) === 1n) return s.make('ne', [y, zero()])
  if (i.op === 'leu' && constOf(y) === 0n) return s.make('eq', [x, zero()])
  return undefined
}

export const comparisons: Rules = Object.fromEntries(
  ['eq', 'ne', 'ltu', 'leu', 'lts', 'les'].map(op => [op, compare]),
)
