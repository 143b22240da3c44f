// Random programs of the language, and what they mean: an evaluator over bigints that shares nothing with the compiler.
//
// An expression knows its type, its source text and its value for given operands. Values are exact integers read with
// the sign of their type. Generators only build what the language accepts: signed and unsigned are never mixed.

import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'

export type Type = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'i64' | 'bool'

/** Values of variables, exact. */
export type Environment = Readonly<Record<string, bigint>>

export interface Expression {
  readonly type: Type
  readonly text: string
  readonly value: (at: Environment) => bigint
  /** Functions its text calls, each complete. */
  readonly functions: readonly string[]
}

const widths: Readonly<Record<Type, number>> = { u8: 8, u16: 16, u32: 32, i32: 32, u64: 64, i64: 64, bool: 1 }
const isSigned = (t: Type): boolean => t === 'i32' || t === 'i64'

/** v modulo the width of a type, read with its sign. */
export const wrapped = (v: bigint, t: Type): bigint =>
  isSigned(t) ? BigInt.asIntN(widths[t], v) : BigInt.asUintN(widths[t], v)

/** Every operand a program has, in the order in which packets carry them (eight bytes each). */
export const operands: Readonly<Record<string, Type>> = {
  a8: 'u8',
  b8: 'u8',
  a16: 'u16',
  a32: 'u32',
  b32: 'u32',
  ai: 'i32',
  bi: 'i32',
  a64: 'u64',
  b64: 'u64',
  al: 'i64',
  bl: 'i64',
  flag: 'bool',
}

type Compute = (a: bigint, b: bigint, t: Type) => bigint
const truth = (b: boolean): bigint => (b ? 1n : 0n)
const count = (b: bigint, t: Type): bigint => BigInt.asUintN(64, b) % BigInt(widths[t])

const arithmetic: Readonly<Record<string, Compute>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => (b === 0n ? 0n : a / b),
  '%': (a, b) => (b === 0n ? a : a % b),
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '<<': (a, b, t) => a << count(b, t),
  '>>': (a, b, t) => a >> count(b, t),
}
const comparisons: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  '===': (a, b) => a === b,
  '!==': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

const suffix = (t: Type): string => (t === 'u64' || t === 'i64' ? 'n' : '')
const make = (
  type: Type,
  text: string,
  value: Expression['value'],
  ...parts: readonly Expression[]
): Expression => shown({ type, text, value, functions: parts.flatMap(p => p.functions) })

/** Counterexamples print as source text. */
const shown = (e: Expression): Expression =>
  Object.assign(e, { [fc.toStringMethod]: () => `${e.type}: ${e.text}` })

const binary = (op: string, type: Type, a: Expression, b: Expression): Expression =>
  make(
    type,
    `(${a.text} ${op} ${b.text})`,
    at => wrapped(arithmetic[op](a.value(at), b.value(at), type), type),
    a,
    b,
  )

/** A literal that fits the type; only ever one side of an operator, because two literals are exact. */
const literal = (type: Type): Arbitrary<Expression> => {
  const [low, high] = isSigned(type)
    ? [-(1n << BigInt(widths[type] - 1)) + 1n, (1n << BigInt(widths[type] - 1)) - 1n]
    : [0n, (1n << BigInt(widths[type])) - 1n]
  const edges = [low, high, 0n, 1n, 7n, high >> 1n].map(v => fc.constant(v))
  return fc
    .oneof(...edges, fc.bigInt({ min: low, max: high }))
    .map(v => make(type, v < 0n ? `(${v}${suffix(type)})` : `${v}${suffix(type)}`, () => v))
}

const variable = (type: Type, extra: readonly string[] = []): Arbitrary<Expression> =>
  fc
    .constantFrom(...Object.keys(operands).filter(n => operands[n] === type), ...extra)
    .map(name => make(type, name, at => at[name]))

/** Types whose values an operation of the type accepts beside its own. */
const accepts: Readonly<Partial<Record<Type, readonly Type[]>>> = {
  u32: ['u8', 'u16', 'u32'],
  i32: ['u8', 'u16', 'i32'],
  u64: ['u64'],
  i64: ['i64'],
}

/** An expression of exactly this type. */
export function expression(type: Type, depth: number): Arbitrary<Expression> {
  if (depth <= 0) return variable(type)
  const below = (t: Type): Arbitrary<Expression> => expression(t, depth - 1)
  const chosen = fc
    .tuple(below('bool'), below(type), below(type))
    .map(([c, a, b]) =>
      make(
        type,
        `(${c.text} ? ${a.text} : ${b.text})`,
        at => (c.value(at) ? a.value(at) : b.value(at)),
        c,
        a,
        b,
      ),
    )
  const forms: Arbitrary<Expression>[] = [variable(type), chosen, converted(type, depth), stored(type, depth)]
  if (type === 'bool') forms.push(...conditions(depth))
  else forms.push(looped(type, depth))
  const sides = accepts[type]
  if (sides) forms.push(...operations(type, sides, depth))
  return fc.oneof(...forms)
}

function operations(type: Type, sides: readonly Type[], depth: number): Arbitrary<Expression>[] {
  const below = (t: Type): Arbitrary<Expression> => expression(t, depth - 1)
  const own = below(type)
  const other = fc.oneof(...sides.map(below))
  const operator = fc.constantFrom(...Object.keys(arithmetic))
  const forms = [
    fc.tuple(operator, own, other).map(([op, a, b]) => binary(op, type, a, b)),
    fc.tuple(operator, own, literal(type)).map(([op, a, b]) => binary(op, type, a, b)),
    fc
      .tuple(operator, literal(type), own)
      .filter(([op]) => op !== '<<' && op !== '>>')
      .map(([op, a, b]) => binary(op, type, a, b)),
    own.map(a => make(type, `(-${a.text})`, at => wrapped(-a.value(at), type), a)),
    own.map(a => make(type, `(~${a.text})`, at => wrapped(~a.value(at), type), a)),
    fc
      .tuple(own, own)
      .map(([a, b]) => make(type, `(${a.text} || ${b.text})`, at => a.value(at) || b.value(at), a, b)),
    fc
      .tuple(own, own)
      .map(([a, b]) => make(type, `(${a.text} && ${b.text})`, at => (a.value(at) ? b.value(at) : 0n), a, b)),
  ]
  if (type === 'u32')
    forms.push(
      fc
        .tuple(below('i32'), below('i32'))
        .map(([a, b]) =>
          make(
            'u32',
            `(${a.text} >>> ${b.text})`,
            at => BigInt.asUintN(32, a.value(at)) >> count(b.value(at), 'u32'),
            a,
            b,
          ),
        ),
    )
  return forms
}

function conditions(depth: number): Arbitrary<Expression>[] {
  const below = (t: Type): Arbitrary<Expression> => expression(t, depth - 1)
  const pairs = (['u32', 'i32', 'u64', 'i64'] as const).flatMap(t =>
    accepts[t]!.map(o => fc.tuple(below(t), below(o))).concat(fc.tuple(below(t), literal(t))),
  )
  return [
    fc
      .tuple(fc.constantFrom(...Object.keys(comparisons)), fc.oneof(...pairs))
      .map(([op, [a, b]]) =>
        make(
          'bool',
          `(${a.text} ${op} ${b.text})`,
          at => truth(comparisons[op](a.value(at), b.value(at))),
          a,
          b,
        ),
      ),
    below('bool').map(a => make('bool', `!${a.text}`, at => 1n - a.value(at), a)),
    fc
      .tuple(below('bool'), below('bool'))
      .map(([a, b]) =>
        make('bool', `(${a.text} && ${b.text})`, at => (a.value(at) ? b.value(at) : 0n), a, b),
      ),
    fc
      .tuple(below('bool'), below('bool'))
      .map(([a, b]) => make('bool', `(${a.text} || ${b.text})`, at => a.value(at) || b.value(at), a, b)),
  ]
}

function converted(type: Type, depth: number): Arbitrary<Expression> {
  const from = fc.constantFrom<Type>('u8', 'u16', 'u32', 'i32', 'u64', 'i64', 'bool')
  return from
    .chain(t => expression(t, depth - 1))
    .map(a =>
      make(
        type,
        `${type}(${a.text})`,
        at => (type === 'bool' ? truth(a.value(at) !== 0n) : wrapped(a.value(at), type)),
        a,
      ),
    )
}

const parameters = Object.entries(operands)
  .map(([n, t]) => `${n}: ${t}`)
  .join(', ')
const names = Object.keys(operands).join(', ')
let helpers = 0

/** A call of a helper that stores to a variable of the type: the stores truncate. */
function stored(type: Type, depth: number): Arbitrary<Expression> {
  // A variable of type u32 is no u8 to TypeScript, the result of arithmetic is a plain number.
  const narrow = type === 'u8' || type === 'u16'
  const source: Type = narrow ? 'u32' : type
  const plain = (e: Expression): string => (narrow ? `(${e.text} | 0)` : e.text)
  return fc
    .tuple(expression(source, depth - 1), expression('bool', depth - 1), expression(source, depth - 1))
    .map(([a, c, b]) => {
      const name = `store${helpers++}`
      const text = [
        `function ${name}(${parameters}): ${type} {`,
        `  let x: ${type} = ${plain(a)}`,
        `  if (${c.text}) x = ${plain(b)}`,
        '  return x',
        '}',
      ].join('\n')
      const value = (at: Environment): bigint => wrapped(c.value(at) ? b.value(at) : a.value(at), type)
      const { functions } = make(type, '', value, a, b, c)
      return shown({ type, text: `${name}(${names})`, value, functions: [...functions, text] })
    })
}

/** A helper with a bounded loop that may leave early, and a switch. */
function looped(type: Type, depth: number): Arbitrary<Expression> {
  return fc
    .tuple(
      expression(type, depth - 1),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 0, max: 5 }),
      fc.boolean(),
    )
    .map(([a, times, stop, leave]) => {
      const name = `loop${helpers++}`
      const one = `1${suffix(type)}`
      const text = [
        `function ${name}(${parameters}): ${type} {`,
        `  let x: ${type} = ${a.text}`,
        `  for (let i = 0; i < ${times}; i++) {`,
        '    switch (i) {',
        `      case ${stop}:`,
        `        if (flag) ${leave ? 'return x' : 'continue'}`,
        '      case 1:',
        `        x += ${one}`,
        '        break',
        '      default:',
        `        x *= 3${suffix(type)}`,
        '    }',
        '  }',
        '  return x',
        '}',
      ].join('\n')
      const value = (at: Environment): bigint => {
        let x = a.value(at)
        for (let i = 0; i < times; i++) {
          if (i === stop && at.flag) {
            if (leave) return x
            continue
          }
          x = wrapped(i === stop || i === 1 ? x + 1n : x * 3n, type)
        }
        return x
      }
      return shown({ type, text: `${name}(${names})`, value, functions: [...a.functions, text] })
    })
}

/** A program that stores the value of each expression, widened with its sign, in an element of `results`. */
export function program(list: readonly Expression[]): string {
  const reads = Object.entries(operands).map(([n, t], k) => `  const ${n} = ${t}(packet.u64(${8 * k}) ?? 0n)`)
  return [
    "import { type Packet, Verdict, array, bool, i32, i64, u16, u32, u64, u8 } from 'hairpin'",
    `const results = array(u64, ${list.length})`,
    ...new Set(list.flatMap(e => e.functions)),
    'export default function random(packet: Packet): Verdict {',
    ...reads,
    ...list.map((e, k) => `  results.set(${k}, u64(${e.text}))`),
    '  return Verdict.Pass',
    '}',
    '',
  ].join('\n')
}

/** Values for all operands: edges more often than others. */
export const environment: Arbitrary<Environment> = fc.record(
  Object.fromEntries(
    Object.entries(operands).map(([n, t]) => [
      n,
      fc
        .oneof(
          fc.constantFrom(
            0n,
            1n,
            -1n,
            1n << BigInt(widths[t] - 1),
            (1n << BigInt(widths[t] - 1)) - 1n,
            31n,
            32n,
            33n,
          ),
          fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        )
        .map(v => wrapped(v, t)),
    ]),
  ),
)

/** The packet that carries an environment. */
export function packetOf(at: Environment): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * Object.keys(operands).length))
  Object.keys(operands).forEach((n, k) => view.setBigUint64(8 * k, BigInt.asUintN(64, at[n])))
  return new Uint8Array(view.buffer)
}
