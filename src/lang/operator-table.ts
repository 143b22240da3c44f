// The language's operators, one row per operator and type, each with literal results at the edges.
//
// docs/language.md prints these rows, and test/language/ runs every one of them on every backend. The results are
// written by hand: they are the specification, and nothing in the compiler may be used to compute them.
// A case `a b = r` reads: with these operands the expression gives r; truth values are 0 and 1.

/** Types that operators work on, by their name in programs. */
export const operandTypes = ['u8', 'u16', 'u32', 'i32', 'u64', 'i64', 'bool'] as const
export type OperandType = (typeof operandTypes)[number]

export interface Row {
  /** As written: `+`, `++`, `u8( )`, `=`. */
  readonly operator: string
  /** Type of the operands. */
  readonly type: OperandType
  /** The expression, over variables `a` and `b` of that type. */
  readonly expression: string
  /** Statements before it, if the row is about a store. */
  readonly before?: string
  /** Type of the result. */
  readonly result: OperandType
  readonly cases: string
}

const wide = (type: OperandType): OperandType => (type === 'u8' || type === 'u16' ? 'u32' : type)
type Cases = Partial<Record<OperandType, string>>

const binary = (operator: string, cases: Cases, result: (t: OperandType) => OperandType = wide): Row[] =>
  Object.entries(cases).map(([type, text]) => ({
    operator,
    type: type as OperandType,
    expression: `a ${operator} b`,
    result: result(type as OperandType),
    cases: text,
  }))
const compare = (operator: string, cases: Cases): Row[] => binary(operator, cases, () => 'bool')
const unary = (operator: string, cases: Cases, result: (t: OperandType) => OperandType = wide): Row[] =>
  binary(operator, cases, result).map(row => ({
    ...row,
    operator: `${operator}x`,
    expression: `${operator}a`,
  }))

const arithmetic: Row[] = [
  ...binary('+', {
    u8: '255 255 = 510; 0 0 = 0; 255 1 = 256',
    u16: '65535 65535 = 131070; 65535 1 = 65536',
    u32: '7 5 = 12; 0xffffffff 1 = 0; 0x80000000 0x80000000 = 0; 0xffffffff 0xffffffff = 0xfffffffe',
    i32: '-5 3 = -2; 2147483647 1 = -2147483648; -2147483648 -1 = 2147483647',
    u64: '0xffffffff 1 = 0x100000000; 0xffffffffffffffff 1 = 0',
    i64: '-5 3 = -2; 9223372036854775807 1 = -9223372036854775808',
  }),
  ...binary('-', {
    u8: '5 3 = 2; 0 1 = 0xffffffff; 0 255 = 0xffffff01',
    u16: '5 3 = 2; 0 65535 = 0xffff0001',
    u32: '5 7 = 0xfffffffe; 0 1 = 0xffffffff; 9 9 = 0; 0x80000000 1 = 0x7fffffff',
    i32: '5 7 = -2; -2147483648 1 = 2147483647; 0 -2147483648 = -2147483648',
    u64: '5 7 = 0xfffffffffffffffe; 0x100000000 1 = 0xffffffff',
    i64: '5 7 = -2; -9223372036854775808 1 = 9223372036854775807',
  }),
  ...binary('*', {
    u8: '255 255 = 65025; 16 16 = 256',
    u16: '65535 65535 = 0xfffe0001; 256 256 = 65536',
    u32: '6 7 = 42; 0x10000 0x10000 = 0; 0xffffffff 0xffffffff = 1; 0x80000000 2 = 0',
    i32: '-6 7 = -42; -1 -2147483648 = -2147483648; 0x10000 0x8000 = -2147483648',
    u64: '0x100000000 0x100000000 = 0; 0xffffffff 0xffffffff = 0xfffffffe00000001',
    i64: '-6 7 = -42; -1 -9223372036854775808 = -9223372036854775808',
  }),
  ...binary('/', {
    u8: '255 2 = 127; 7 0 = 0',
    u16: '65535 256 = 255; 7 0 = 0',
    u32: '7 2 = 3; 7 0 = 0; 0xffffffff 2 = 0x7fffffff; 0x80000000 0xffffffff = 0',
    i32: '-7 2 = -3; 7 -2 = -3; -7 0 = 0; -2147483648 -1 = -2147483648',
    u64: '0xffffffffffffffff 2 = 0x7fffffffffffffff; 9 0 = 0',
    i64: '-7 2 = -3; 9 0 = 0; -9223372036854775808 -1 = -9223372036854775808',
  }),
  ...binary('%', {
    u8: '255 16 = 15; 7 0 = 7',
    u16: '65535 256 = 255; 7 0 = 7',
    u32: '7 4 = 3; 7 0 = 7; 0x80000000 0xffffffff = 0x80000000; 0xffffffff 16 = 15',
    i32: '-7 2 = -1; 7 -2 = 1; -7 0 = -7; -2147483648 -1 = 0',
    u64: '0xffffffffffffffff 10 = 5; 9 0 = 9',
    i64: '-7 2 = -1; -9 0 = -9; -9223372036854775808 -1 = 0',
  }),
]

const bits: Row[] = [
  ...binary('&', {
    u8: '0xf0 0x3c = 0x30; 0xff 0 = 0',
    u16: '0xff00 0x0ff0 = 0x0f00',
    u32: '0xffffffff 0x80000001 = 0x80000001; 0xf0 0x0f = 0',
    i32: '-1 0x7fffffff = 2147483647; -2147483648 -1 = -2147483648',
    u64: '0xffffffff00000000 0x00ffffffff000000 = 0x00ffffff00000000',
    i64: '-1 -2 = -2; -1 0x7fffffffffffffff = 9223372036854775807',
  }),
  ...binary('|', {
    u8: '0xf0 0x0f = 0xff; 0 0 = 0',
    u16: '0xff00 0x0ff0 = 0xfff0',
    u32: '0x80000000 1 = 0x80000001; 0xffff0000 0xffff = 0xffffffff',
    i32: '-2147483648 1 = -2147483647; 0 -1 = -1',
    u64: '0x8000000000000000 1 = 0x8000000000000001',
    i64: '-9223372036854775808 1 = -9223372036854775807; 0 -1 = -1',
  }),
  ...binary('^', {
    u8: '0xff 0x0f = 0xf0; 7 7 = 0',
    u16: '0xffff 0x00ff = 0xff00',
    u32: '0xffffffff 0x80000000 = 0x7fffffff; 5 0xffffffff = 0xfffffffa',
    i32: '-1 5 = -6; -1 -1 = 0',
    u64: '0xffffffffffffffff 1 = 0xfffffffffffffffe',
    i64: '-1 5 = -6; -9223372036854775808 -1 = 9223372036854775807',
  }),
  ...binary('<<', {
    u8: '255 8 = 0xff00; 1 31 = 0x80000000; 1 32 = 1',
    u16: '65535 16 = 0xffff0000; 1 33 = 2',
    u32: '1 31 = 0x80000000; 1 32 = 1; 3 31 = 0x80000000; 1 0xffffffff = 0x80000000',
    i32: '1 31 = -2147483648; -1 4 = -16; 1 -1 = -2147483648; 3 32 = 3',
    u64: '1 63 = 0x8000000000000000; 1 64 = 1; 3 63 = 0x8000000000000000',
    i64: '1 63 = -9223372036854775808; -1 4 = -16; 1 -1 = -9223372036854775808',
  }),
  ...binary('>>', {
    u8: '255 4 = 15; 255 32 = 255',
    u16: '65535 8 = 255; 65535 31 = 0',
    u32: '0x80000000 31 = 1; 0xffffffff 32 = 0xffffffff; 0x80000000 4 = 0x08000000',
    i32: '-2147483648 31 = -1; -16 2 = -4; 16 2 = 4; -1 33 = -1',
    u64: '0x8000000000000000 63 = 1; 0xffffffffffffffff 64 = 0xffffffffffffffff',
    i64: '-9223372036854775808 63 = -1; -16 2 = -4; -16 66 = -4',
  }),
  ...binary(
    '>>>',
    {
      u8: '255 4 = 15; 255 32 = 255',
      u16: '65535 8 = 255; 65535 31 = 0',
      u32: '0x80000000 31 = 1; 0xffffffff 32 = 0xffffffff; 0x80000000 4 = 0x08000000',
      i32: '-1 0 = 0xffffffff; -2147483648 31 = 1; -16 28 = 15; 16 2 = 4',
    },
    () => 'u32',
  ),
  ...unary('~', {
    u8: '0 0 = 0xffffffff; 255 0 = 0xffffff00',
    u16: '65535 0 = 0xffff0000',
    u32: '0 0 = 0xffffffff; 0xffffffff 0 = 0; 0x80000000 0 = 0x7fffffff',
    i32: '0 0 = -1; -1 0 = 0; 2147483647 0 = -2147483648',
    u64: '0 0 = 0xffffffffffffffff; 0xffffffff 0 = 0xffffffff00000000',
    i64: '0 0 = -1; 9223372036854775807 0 = -9223372036854775808',
  }),
  ...unary('-', {
    u8: '1 0 = 0xffffffff; 0 0 = 0',
    u16: '65535 0 = 0xffff0001',
    u32: '1 0 = 0xffffffff; 0 0 = 0; 0x80000000 0 = 0x80000000',
    i32: '1 0 = -1; -2147483648 0 = -2147483648; -7 0 = 7',
    u64: '1 0 = 0xffffffffffffffff; 0 0 = 0',
    i64: '1 0 = -1; -9223372036854775808 0 = -9223372036854775808',
  }),
]

const edges: Cases = {
  u8: '0 255; 255 0; 7 7',
  u16: '0 65535; 65535 0; 7 7',
  u32: '0 0xffffffff; 0xffffffff 0; 0x80000000 0x80000000; 0x7fffffff 0x80000000',
  i32: '-1 0; 0 -1; -5 -5; 2147483647 -2147483648',
  u64: '0 0xffffffffffffffff; 0xffffffffffffffff 0; 9 9; 0x7fffffffffffffff 0x8000000000000000',
  i64: '-1 0; 0 -1; -5 -5; 9223372036854775807 -9223372036854775808',
}
/** Whether the first operand of each edge is less (-1), equal (0) or greater (1), by type. */
const orders: Partial<Record<OperandType, readonly number[]>> = {
  u8: [-1, 1, 0],
  u16: [-1, 1, 0],
  u32: [-1, 1, 0, -1],
  i32: [-1, 1, 0, 1],
  u64: [-1, 1, 0, -1],
  i64: [-1, 1, 0, 1],
}
const ordered = (operator: string, holds: (order: number) => boolean, more: Cases = {}): Row[] =>
  compare(operator, {
    ...Object.fromEntries(
      Object.entries(edges).map(([type, text]) => [
        type,
        text
          .split('; ')
          .map((e, k) => `${e} = ${holds(orders[type as OperandType]![k]) ? 1 : 0}`)
          .join('; '),
      ]),
    ),
    ...more,
  })

const comparisons: Row[] = [
  ...ordered('===', o => o === 0, { bool: '0 0 = 1; 0 1 = 0; 1 1 = 1' }),
  ...ordered('!==', o => o !== 0, { bool: '0 0 = 0; 1 0 = 1; 1 1 = 0' }),
  ...ordered('<', o => o < 0),
  ...ordered('<=', o => o <= 0),
  ...ordered('>', o => o > 0),
  ...ordered('>=', o => o >= 0),
]

const truth: Row[] = [
  ...unary(
    '!',
    {
      u8: '0 0 = 1; 255 0 = 0',
      u16: '0 0 = 1; 256 0 = 0',
      u32: '0 0 = 1; 0x80000000 0 = 0',
      i32: '0 0 = 1; -1 0 = 0',
      u64: '0 0 = 1; 0x100000000 0 = 0',
      i64: '0 0 = 1; -1 0 = 0',
      bool: '0 0 = 1; 1 0 = 0',
    },
    () => 'bool',
  ),
  ...binary(
    '&&',
    {
      u8: '0 9 = 0; 7 9 = 9; 7 0 = 0',
      u16: '0 9 = 0; 7 9 = 9',
      u32: '0 9 = 0; 0x80000000 0xffffffff = 0xffffffff',
      i32: '0 -9 = 0; -7 -9 = -9',
      u64: '0 9 = 0; 0x100000000 9 = 9',
      i64: '0 -9 = 0; -7 -9 = -9',
      bool: '0 1 = 0; 1 0 = 0; 1 1 = 1',
    },
    t => t,
  ),
  ...binary(
    '||',
    {
      u8: '0 9 = 9; 7 9 = 7; 0 0 = 0',
      u16: '0 9 = 9; 7 9 = 7',
      u32: '0 9 = 9; 0x80000000 9 = 0x80000000',
      i32: '0 -9 = -9; -7 -9 = -7',
      u64: '0 9 = 9; 0x100000000 9 = 0x100000000',
      i64: '0 -9 = -9; -7 -9 = -7',
      bool: '0 1 = 1; 1 0 = 1; 0 0 = 0',
    },
    t => t,
  ),
  ...binary('??', { u32: '0 9 = 0; 7 9 = 7' }, t => t).map(row => ({
    ...row,
    before: 'const none: u32 | undefined = a === 7 ? undefined : a',
    expression: 'none ?? b',
    cases: '0 9 = 0; 7 9 = 9; 8 9 = 8',
  })),
]

const conversion = (to: OperandType, cases: Cases): Row[] =>
  Object.entries(cases).map(([type, text]) => ({
    operator: `${to}( )`,
    type: type as OperandType,
    expression: `${to}(a)`,
    result: to,
    cases: text,
  }))

const conversions: Row[] = [
  ...conversion('u8', {
    u16: '0x1ff 0 = 0xff; 256 0 = 0',
    u32: '0xffffff80 0 = 0x80',
    i32: '-1 0 = 255; -256 0 = 0',
    u64: '0x1234567890 0 = 0x90',
    i64: '-2 0 = 254',
    bool: '0 0 = 0; 1 0 = 1',
  }),
  ...conversion('u16', {
    u8: '255 0 = 255',
    u32: '0xffff8000 0 = 0x8000',
    i32: '-1 0 = 65535',
    u64: '0x1234567890 0 = 0x7890',
    i64: '-2 0 = 65534',
    bool: '1 0 = 1',
  }),
  ...conversion('u32', {
    u8: '255 0 = 255',
    i32: '-1 0 = 0xffffffff; 5 0 = 5',
    u64: '0xf00000001 0 = 1',
    i64: '-1 0 = 0xffffffff',
    bool: '1 0 = 1',
  }),
  ...conversion('i32', {
    u8: '255 0 = 255',
    u32: '0xffffffff 0 = -1; 0x7fffffff 0 = 2147483647',
    u64: '0xffffffff 0 = -1; 0x100000000 0 = 0',
    i64: '-5 0 = -5; 0x80000000 0 = -2147483648',
    bool: '1 0 = 1',
  }),
  ...conversion('u64', {
    u8: '255 0 = 255',
    u32: '0xffffffff 0 = 0xffffffff',
    i32: '-1 0 = 0xffffffffffffffff; 5 0 = 5',
    i64: '-1 0 = 0xffffffffffffffff',
    bool: '1 0 = 1',
  }),
  ...conversion('i64', {
    u8: '255 0 = 255',
    u32: '0xffffffff 0 = 0xffffffff',
    i32: '-1 0 = -1; -2147483648 0 = -2147483648',
    u64: '0xffffffffffffffff 0 = -1',
    bool: '1 0 = 1',
  }),
  ...conversion('bool', {
    u8: '0 0 = 0; 2 0 = 1',
    u32: '0x80000000 0 = 1; 0 0 = 0',
    i32: '-1 0 = 1',
    u64: '0x100000000 0 = 1; 0 0 = 0',
    i64: '-1 0 = 1',
  }),
]

/** Rows about stores: what a variable of the type holds afterwards. */
const stored = (operator: string, statement: string, cases: Cases): Row[] =>
  Object.entries(cases).map(([type, text]) => ({
    operator,
    type: type as OperandType,
    before: `let x: ${type} = a\n${statement}`,
    expression: 'x',
    result: type as OperandType,
    cases: text,
  }))

const stores: Row[] = [
  ...stored('+=', 'x += b', {
    u8: '255 1 = 0; 200 100 = 44',
    u16: '65535 2 = 1',
    u32: '0xffffffff 2 = 1',
    i32: '2147483647 1 = -2147483648',
    u64: '0xffffffffffffffff 2 = 1',
    i64: '9223372036854775807 1 = -9223372036854775808',
  }),
  ...stored('-=', 'x -= b', {
    u8: '0 1 = 255',
    u16: '0 1 = 65535',
    u32: '0 1 = 0xffffffff',
    i32: '0 1 = -1',
    u64: '0 1 = 0xffffffffffffffff',
  }),
  ...stored('*=', 'x *= b', {
    u8: '16 17 = 16',
    u16: '256 257 = 256',
    u32: '0x10000 0x10001 = 0x10000',
    i32: '-3 5 = -15',
    i64: '-3 5 = -15',
  }),
  ...stored('/=', 'x /= b', {
    u8: '255 16 = 15',
    u32: '9 0 = 0',
    i32: '-9 2 = -4',
    u64: '9 2 = 4',
    i64: '-9 2 = -4',
  }),
  ...stored('%=', 'x %= b', {
    u8: '255 16 = 15',
    u32: '9 0 = 9',
    i32: '-9 2 = -1',
    u64: '9 2 = 1',
    i64: '-9 2 = -1',
  }),
  ...stored('&=', 'x &= b', { u8: '0xff 0x0f = 0x0f', i32: '-1 7 = 7', u64: '0xff 0x0f = 0x0f' }),
  ...stored('|=', 'x |= b', { u8: '0xf0 0x0f = 0xff', i32: '-8 7 = -1', u64: '0xf0 0x0f = 0xff' }),
  ...stored('^=', 'x ^= b', { u8: '0xff 0x0f = 0xf0', i32: '-1 7 = -8', u64: '0xff 0x0f = 0xf0' }),
  ...stored('<<=', 'x <<= b', {
    u8: '0xff 4 = 0xf0; 1 8 = 0',
    u16: '1 16 = 0',
    u32: '1 32 = 1',
    i32: '1 31 = -2147483648',
    u64: '1 64 = 1',
  }),
  ...stored('>>=', 'x >>= b', {
    u8: '0xff 4 = 15',
    u32: '0x80000000 31 = 1',
    i32: '-16 2 = -4',
    i64: '-16 2 = -4',
  }),
  ...stored('>>>=', 'x >>>= b', {
    u8: '0xff 4 = 15',
    u32: '0x80000000 31 = 1',
    i32: '-16 28 = 15; -1 0 = -1',
  }),
  ...stored('++', 'x++', {
    u8: '255 0 = 0',
    u16: '65535 0 = 0',
    u32: '0xffffffff 0 = 0',
    i32: '2147483647 0 = -2147483648',
    u64: '0xffffffffffffffff 0 = 0',
    i64: '-1 0 = 0',
  }),
  ...stored('--', 'x--', {
    u8: '0 0 = 255',
    u16: '0 0 = 65535',
    u32: '0 0 = 0xffffffff',
    i32: '-2147483648 0 = 2147483647',
    u64: '0 0 = 0xffffffffffffffff',
    i64: '0 0 = -1',
  }),
]

/** Every row, in the order of docs/language.md. */
export const operatorTable: readonly { readonly title: string; readonly rows: readonly Row[] }[] = [
  { title: 'Arithmetic', rows: arithmetic },
  { title: 'Bits', rows: bits },
  { title: 'Comparison', rows: comparisons },
  { title: 'Truth and absence', rows: truth },
  { title: 'Conversion', rows: conversions },
  { title: 'Assignment', rows: stores },
]

/** One case: operands and result, exact (a negative one stands for its two's complement). */
export interface Case {
  readonly a: bigint
  readonly b: bigint
  readonly result: bigint
}

/** The cases of a row as numbers. */
export const casesOf = (row: Row): Case[] =>
  row.cases.split('; ').map(text => {
    const [operands, result] = text.split(' = ')
    const [a, b] = operands.split(' ').map(literal)
    return { a, b, result: literal(result) }
  })

const literal = (text: string): bigint => (text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text))

/** The most cases a row has. */
export const mostCases = 8

/**
 * A program that evaluates the row for the operands in each packet: u64 a, u64 b, u32 index, all big-endian from
 * byte 0. It stores the result, widened to 64 bits with its sign, in element `index` of the array `results`.
 */
export function rowProgram(row: Row): string {
  const { type } = row
  const lines = [
    "import { type Packet, Verdict, array, bool, i32, i64, u16, u32, u64, u8 } from 'hairpin'",
    '',
    `const results = array(u64, ${mostCases})`,
    '',
    `function evaluate(a: ${type}, b: ${type}): ${row.result} {`,
    ...(row.before ?? '')
      .split('\n')
      .filter(l => l !== '')
      .map(l => `  ${l}`),
    `  return ${row.expression}`,
    '}',
    '',
    'export default function row(packet: Packet): Verdict {',
    `  const value = evaluate(${type}(packet.u64(0) ?? 0n), ${type}(packet.u64(8) ?? 0n))`,
    '  results.set(packet.u32(16) ?? 0, u64(value))',
    '  return Verdict.Pass',
    '}',
    '',
  ]
  return lines.join('\n')
}

/** The packets that carry a row's cases, and what `results` must hold afterwards. */
export function rowPackets(row: Row): { packets: Uint8Array[]; expected: bigint[] } {
  const cases = casesOf(row)
  const packets = cases.map(({ a, b }, index) => {
    const view = new DataView(new ArrayBuffer(60))
    view.setBigUint64(0, BigInt.asUintN(64, a))
    view.setBigUint64(8, BigInt.asUintN(64, b))
    view.setUint32(16, index)
    return new Uint8Array(view.buffer)
  })
  return { packets, expected: cases.map(c => BigInt.asUintN(64, c.result)) }
}
