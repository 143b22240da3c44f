// The one table of operations: arity, types, effects, folding. Passes ask this table and never list op names.
//
// Integer semantics (docs/language.md is generated from here): arithmetic is modulo 2^32 or 2^64; x/0 = 0, x%0 = x,
// MIN/-1 = MIN, MIN%-1 = 0; shift counts are taken modulo the width. Constants and folded values are held as
// bigint, normalised to 0 <= v < 2^bits.

import type { Attrs, Type } from './types.js'

/** What an operation touches besides its operands. */
export type Effect =
  | 'none'
  | 'packet.read'
  | 'packet.write'
  | 'state.read'
  | 'state.write'
  | 'rules.read'
  | 'counter'
  | 'item.read'
  | 'item.write'
  | 'call'

/**
 * A part of a state object that operations read and write apart from the others: which keys are present (and in which
 * slots), when entries were last touched, and the value fields. A field is apart from every other field.
 */
export type Aspect = 'keys' | 'times' | 'values'
export const aspects: readonly Aspect[] = ['keys', 'times', 'values']

/** An operand's type: a fixed one, the instruction's own (`T`), or any scalar type shared by all `U` operands. */
export type Operand = Type | 'T' | 'U'

export interface OpInfo {
  /** Operand types; with `variadic`, any number of further operands may follow. */
  readonly args: readonly Operand[]
  readonly variadic?: boolean
  /** Result types allowed; the instruction's type must be one of them. */
  readonly result: readonly Type[]
  readonly effect: Effect
  /** Names of attributes, in printing order; all must be present. Their types stand in attrTypes. */
  readonly attrs?: readonly AttrName[]
  /** For state operations: what of the object they read or write; all of it if left out. */
  readonly aspects?: readonly Aspect[]
  /** True if a op b = b op a. */
  readonly commutative?: boolean
  /** Value for constant operands; types: the instruction's type and the first operand's. */
  readonly fold?: (v: bigint[], type: Type, argType: Type, attrs: Attrs) => bigint
  /** One sentence; goes into the IR reference. */
  readonly doc: string
}

/** The type of every attribute that operations have; numbers are non-negative integers. */
export const attrTypes = {
  value: 'bigint',
  index: 'number',
  width: 'number',
  offset: 'number',
  part: 'number',
  checked: 'boolean',
  name: 'string',
  object: 'string',
  field: 'string',
  counter: 'string',
  callee: 'string',
} as const
export type AttrName = keyof typeof attrTypes

/** Names and types of `input`: properties of the packet, and of the run (seed). */
export const inputs: Readonly<Record<string, Type>> = {
  length: 'i32',
  originalLength: 'i32',
  device: 'i32',
  timestamp: 'i64',
  sequence: 'i64',
  seed: 'i64',
}

/** Width of a scalar type in bits. */
export function bitsOf(type: Type): number {
  if (type === 'i1') return 1
  if (type === 'i32') return 32
  if (type === 'i64') return 64
  return 0
}

/** v modulo 2^bits(type), as a non-negative bigint. */
export const normal = (type: Type, v: bigint): bigint => BigInt.asUintN(bitsOf(type), v)
/** The signed reading of a normalised value. */
export const signed = (type: Type, v: bigint): bigint => BigInt.asIntN(bitsOf(type), v)

const ints = ['i32', 'i64'] as const
const scalars = ['i1', 'i32', 'i64'] as const
const bool = (b: boolean): bigint => (b ? 1n : 0n)

type Fold = NonNullable<OpInfo['fold']>
const binary = (doc: string, f: (a: bigint, b: bigint, t: Type) => bigint, commutative = false): OpInfo => ({
  args: ['T', 'T'],
  result: ints,
  effect: 'none',
  commutative,
  fold: ([a, b], t) => normal(t, f(a, b, t)),
  doc,
})
const logic = (doc: string, f: (a: bigint, b: bigint) => bigint): OpInfo => ({
  ...binary(doc, f, true),
  result: scalars,
})
const compare = (
  doc: string,
  f: (a: bigint, b: bigint, t: Type) => boolean,
  commutative = false,
): OpInfo => ({
  args: ['U', 'U'],
  result: ['i1'],
  effect: 'none',
  commutative,
  fold: ([a, b], _t, u) => bool(f(a, b, u)),
  doc,
})
const count = (t: Type, b: bigint): bigint => b & BigInt(bitsOf(t) - 1)
const swap =
  (bytes: number): Fold =>
  ([v]) => {
    let r = 0n
    for (let i = 0; i < bytes; i++) r = (r << 8n) | ((v >> BigInt(8 * i)) & 0xffn)
    return r
  }
const stateOp = (
  effect: Effect,
  args: readonly Operand[],
  result: readonly Type[],
  doc: string,
  attrs: readonly AttrName[] = ['object'],
  aspects?: readonly Aspect[],
): OpInfo => ({ args, result, effect, attrs, doc, ...(aspects && { aspects }) })
const field = ['object', 'field', 'part'] as const

const table = {
  const: { args: [], result: scalars, effect: 'none', attrs: ['value'], doc: 'A constant.' },
  param: { args: [], result: scalars, effect: 'none', attrs: ['index'], doc: 'A parameter of the function.' },
  phi: {
    args: [],
    variadic: true,
    result: ['i1', 'i32', 'i64', 'mem'],
    effect: 'none',
    doc: 'The operand that belongs to the predecessor control came from.',
  },

  add: binary('Sum.', (a, b) => a + b, true),
  sub: binary('Difference.', (a, b) => a - b),
  mul: binary('Product.', (a, b) => a * b, true),
  divu: binary('Unsigned quotient; x/0 = 0.', (a, b) => (b === 0n ? 0n : a / b)),
  divs: binary('Signed quotient, towards zero; x/0 = 0, MIN/-1 = MIN.', (a, b, t) =>
    b === 0n ? 0n : signed(t, a) / signed(t, b),
  ),
  remu: binary('Unsigned remainder; x%0 = x.', (a, b) => (b === 0n ? a : a % b)),
  rems: binary("Signed remainder, the dividend's sign; x%0 = x, MIN%-1 = 0.", (a, b, t) =>
    b === 0n ? a : signed(t, a) % signed(t, b),
  ),
  and: logic('Bitwise and.', (a, b) => a & b),
  or: logic('Bitwise or.', (a, b) => a | b),
  xor: logic('Bitwise exclusive or.', (a, b) => a ^ b),
  shl: binary('Shift left; the count is taken modulo the width.', (a, b, t) => a << count(t, b)),
  shru: binary('Shift right, filling with 0; count modulo the width.', (a, b, t) => a >> count(t, b)),
  shrs: binary(
    'Shift right, filling with the sign; count modulo the width.',
    (a, b, t) => signed(t, a) >> count(t, b),
  ),

  eq: compare('Equal.', (a, b) => a === b, true),
  ne: compare('Not equal.', (a, b) => a !== b, true),
  ltu: compare('Unsigned less than.', (a, b) => a < b),
  leu: compare('Unsigned at most.', (a, b) => a <= b),
  lts: compare('Signed less than.', (a, b, u) => signed(u, a) < signed(u, b)),
  les: compare('Signed at most.', (a, b, u) => signed(u, a) <= signed(u, b)),

  not: {
    args: ['i1'],
    result: ['i1'],
    effect: 'none',
    fold: ([a]) => a ^ 1n,
    doc: 'Negation of a truth value.',
  },
  select: {
    args: ['i1', 'T', 'T'],
    result: scalars,
    effect: 'none',
    fold: ([c, a, b]) => (c ? a : b),
    doc: 'The second operand if the first is 1, else the third; all are evaluated.',
  },
  zext: {
    args: ['U'],
    result: ints,
    effect: 'none',
    fold: ([a]) => a,
    doc: 'Widens i1 or i32, filling with 0.',
  },
  sext: {
    args: ['i32'],
    result: ['i64'],
    effect: 'none',
    fold: ([a], t, u) => normal(t, signed(u, a)),
    doc: 'Widens i32 to i64, filling with the sign.',
  },
  trunc: {
    args: ['i64'],
    result: ['i32'],
    effect: 'none',
    fold: ([a], t) => normal(t, a),
    doc: 'The low 32 bits.',
  },
  bswap16: {
    args: ['i32'],
    result: ['i32'],
    effect: 'none',
    fold: swap(2),
    doc: 'Swaps the low two bytes; the rest become 0.',
  },
  bswap32: { args: ['i32'], result: ['i32'], effect: 'none', fold: swap(4), doc: 'Reverses four bytes.' },
  bswap64: { args: ['i64'], result: ['i64'], effect: 'none', fold: swap(8), doc: 'Reverses eight bytes.' },

  input: {
    args: [],
    result: ints,
    effect: 'none',
    attrs: ['name'],
    doc: 'A property of the packet: length (bytes present, i32), originalLength (i32), device (i32), timestamp (ns, i64), sequence (i64); or seed (i64), constant during a run.',
  },
  setting: {
    args: [],
    result: scalars,
    effect: 'none',
    attrs: ['name'],
    doc: "A program parameter's value, constant during a run.",
  },
  packet: { args: [], result: ['mem'], effect: 'none', doc: 'The packet bytes as received.' },
  load: {
    args: ['mem', 'i32'],
    result: ints,
    effect: 'packet.read',
    attrs: ['width', 'offset', 'checked'],
    doc: 'Reads width bytes (1, 2, 4 as i32; 8 as i64), little-endian, zero-extended, at operand + offset. Checked: 0 if any of the bytes lies beyond the length. Unchecked: a dominating check proves them present.',
  },
  store: {
    args: ['mem', 'i32', 'U'],
    result: ['mem'],
    effect: 'packet.write',
    attrs: ['width', 'offset'],
    doc: 'Writes the low width bytes of the value, little-endian, at operand + offset, which a dominating check proves present.',
  },

  'table.find': {
    ...stateOp(
      'state.read',
      [],
      ['i32'],
      'Operands: key leaves, then now (i32, table clock) if the table expires. Slot of the entry, or 0.',
    ),
    variadic: true,
    aspects: ['keys', 'times'],
  },
  'table.insert': {
    ...stateOp(
      'state.write',
      [],
      ['i32'],
      'Operands: key leaves, now if the table expires, low 32 bits of the sequence number if it evicts. The key must be absent. Slot of the new zeroed entry, or 0 if refused.',
    ),
    variadic: true,
  },
  'table.remove': stateOp('state.write', ['i32'], ['void'], 'Removes the entry in a slot (not 0).'),
  'table.touch': {
    ...stateOp(
      'state.write',
      ['i32'],
      ['void'],
      'Operands: slot (not 0), now if the table expires, sequence if it evicts. Refreshes the entry.',
    ),
    variadic: true,
    aspects: ['times'],
  },
  'table.load': stateOp(
    'state.read',
    ['i32'],
    ints,
    'Reads a value field of the entry in a slot (not 0).',
    field,
    ['values'],
  ),
  'table.store': stateOp(
    'state.write',
    ['i32', 'U'],
    ['void'],
    'Writes a value field, truncated to its width.',
    field,
    ['values'],
  ),
  'array.load': stateOp(
    'state.read',
    ['i32'],
    ints,
    'Reads a field of an element; 0 beyond the end.',
    field,
    ['values'],
  ),
  'array.store': stateOp(
    'state.write',
    ['i32', 'U'],
    ['void'],
    'Writes a field; ignored beyond the end.',
    field,
    ['values'],
  ),
  'pool.take': {
    ...stateOp(
      'state.write',
      [],
      ['i32'],
      'Operands: now (i32, table clock) of each expiring table that releases into the pool, in declared order. The longest-free number, or 0xFFFFFFFF if none is free.',
    ),
    variadic: true,
  },
  'pool.give': stateOp(
    'state.write',
    ['i32'],
    ['void'],
    'Returns a number to the pool; ignored if it is full.',
  ),
  'rules.lookup': {
    ...stateOp(
      'rules.read',
      [],
      ['i32'],
      'Operands: key leaves; where it stands for routes of the kernel, also the source address, length and DSCP. Entry of a rule table (exact or longest-prefix match), or 0.',
    ),
    variadic: true,
  },
  'rules.load': stateOp('rules.read', ['i32'], ints, 'Reads a value field of a rule entry (not 0).', field),
  'rules.redirect': stateOp(
    'rules.read',
    ['i32', 'i32'],
    ['i32'],
    'The verdict that redirects to the device behind a number (first operand), or the second operand where there is none.',
  ),
  count: stateOp('counter', ['i64'], ['void'], 'Adds to a counter of the worker.', ['counter']),

  'item.load': stateOp('item.read', [], ints, 'Reads width bytes of the history item, little-endian.', [
    'width',
    'offset',
  ]),
  'item.store': stateOp(
    'item.write',
    ['U'],
    ['void'],
    'Writes width bytes of the history item, little-endian.',
    ['width', 'offset'],
  ),

  'state.load': stateOp(
    'state.read',
    ['i32'],
    ints,
    'Expanded form: reads width bytes at operand + offset from the start of a state object.',
    ['object', 'width', 'offset'],
  ),
  'state.store': stateOp(
    'state.write',
    ['i32', 'U'],
    ['void'],
    'Expanded form: writes width bytes at operand + offset from the start of a state object.',
    ['object', 'width', 'offset'],
  ),
  'state.add': stateOp(
    'state.write',
    ['i32', 'T'],
    ints,
    'Expanded form: adds to width bytes at operand + offset, a multiple of the width, in one step that no other worker can part. What was there before, zero-extended.',
    ['object', 'width', 'offset'],
  ),
  call: {
    args: [],
    variadic: true,
    result: ['void', 'i1', 'i32', 'i64'],
    effect: 'call',
    attrs: ['callee'],
    doc: 'Calls a function of the same program.',
  },
} satisfies Record<string, OpInfo>

export type Op = keyof typeof table
export const ops: Readonly<Record<string, OpInfo>> = table

const rows: ReadonlyMap<string, OpInfo> = new Map(Object.entries(table))

/** The row of an operation; throws on an unknown name, which is our bug, never the author's. */
export function opInfo(op: string): OpInfo {
  const info = rows.get(op)
  if (!info) throw new Error(`unknown operation ${op}`)
  return info
}

/** True if leaving it out when nobody uses the value is unobservable. */
export function isRemovable(op: string): boolean {
  const { effect } = opInfo(op)
  return effect === 'none' || effect.endsWith('.read')
}

/** True if evaluating it early, late or never is unobservable given the same operands. */
export const isPure = (op: string): boolean => opInfo(op).effect === 'none'
