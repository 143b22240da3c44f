/** Random declarations: state, parameters, rule tables, counters, constants. */

import { Draw } from './draw.js'
import { statement } from './tree.js'
import type { Tree } from './tree.js'
import { declared, plain, scalars } from './types.js'
import type { Scalar, Shape } from './types.js'

export interface TableObject {
  readonly kind: 'table'
  readonly name: string
  readonly key: Shape
  readonly value: Shape
}
export interface ArrayObject {
  readonly kind: 'array' | 'cell'
  readonly name: string
  readonly value: Shape
  readonly length: number
}
export interface PoolObject {
  readonly kind: 'pool'
  readonly name: string
}
export interface RulesObject {
  readonly kind: 'rules' | 'lpm' | 'devices'
  readonly name: string
  readonly key: Shape
  readonly value: Shape
}

/** What a random program can name at the top level. */
export interface Declarations {
  readonly tables: readonly TableObject[]
  readonly arrays: readonly ArrayObject[]
  readonly pools: readonly PoolObject[]
  readonly rules: readonly RulesObject[]
  readonly counters: readonly string[]
  /** Parameters and module constants. */
  readonly values: readonly { readonly name: string; readonly type: Scalar; readonly literal: boolean }[]
  readonly trees: readonly Tree[]
}

const names = ['a', 'b', 'c', 'd']

/** A key or value of one to four fields of these types. */
function shape(draw: Draw, types: readonly Scalar[]): Shape {
  if (draw.chance(1, 3)) return { plain: true, fields: [{ name: 'value', type: draw.pick(types) }] }
  const count = 1 + draw.below(names.length)
  return { plain: false, fields: names.slice(0, count).map(name => ({ name, type: draw.pick(types) })) }
}

const { u8, u16, u32, u64, bool, ipv4, ipv6, port, mac, bytes6, bytes11, i32 } = scalars
const keyTypes = [
  u8,
  u16,
  u32,
  u64,
  ipv4,
  ipv4,
  ipv4,
  port,
  port,
  mac,
  ipv6,
  ipv6,
  i32,
  bool,
  bytes6,
  bytes11,
]
const valueTypes = [...plain, ...plain, ipv4, port, mac, ipv6]

/** A constant of a type as the program writes it. */
export function literal(draw: Draw, type: Scalar): string {
  switch (type.sort) {
    case 'bool':
      return draw.pick(['true', 'false'])
    case 'signed':
      return `${draw.signed(32)}`
    case 'wide':
      return `${draw.number(type.bits)}n`
    case 'signedWide':
      return `${draw.signed(64)}n`
    case 'opaque':
      return `ipv6('${draw.pick(['::', '::1', '2001:db8::1', 'fe80::ffff:1'])}')`
    default:
      return `${draw.number(type.bits)}`
  }
}

class Declaring {
  readonly tables: TableObject[] = []
  readonly arrays: ArrayObject[] = []
  readonly pools: PoolObject[] = []
  readonly rules: RulesObject[] = []
  readonly counters: string[] = []
  readonly values: { name: string; type: Scalar; literal: boolean }[] = []
  readonly trees: Tree[] = []
  readonly #draw: Draw

  constructor(draw: Draw) {
    this.#draw = draw
  }

  add(text: string): void {
    this.trees.push(statement(text))
  }

  pool(): void {
    const name = `pool${this.pools.length}`
    const first = Number(this.#draw.number(16))
    this.pools.push({ kind: 'pool', name })
    this.add(`const ${name} = pool(${first}, ${first + this.#draw.below(6)})`)
  }

  table(): void {
    const draw = this.#draw
    const name = `table${this.tables.length}`
    const key = shape(draw, keyTypes)
    const releasing = this.pools.length > 0 && draw.chance(1, 2)
    const value: Shape = releasing
      ? {
          plain: false,
          fields: [...shape(draw, valueTypes).fields, { name: 'given', type: draw.pick([u16, u32]) }],
        }
      : shape(draw, valueTypes)
    const options = [
      `key: ${declared(key)}`,
      `value: ${declared(value)}`,
      `capacity: ${1 + draw.below(draw.pick([2, 6, 20]))}`,
    ]
    if (draw.chance(1, 2)) options.push(`evict: 'oldest'`)
    if (draw.chance(1, 2))
      options.push(
        draw.chance(1, 2)
          ? `expire: { after: milliseconds(${1 + draw.below(40)}) }`
          : `expire: { after: microseconds(${1 + draw.below(9000)}), unit: 'us' }`,
      )
    if (releasing) options.push(`release: { pool: ${draw.pick(this.pools).name}, field: 'given' }`)
    this.tables.push({ kind: 'table', name, key, value })
    this.add(`const ${name} = table({ ${options.join(', ')} })`)
  }

  array(): void {
    const draw = this.#draw
    const value = shape(draw, valueTypes)
    const cell = draw.chance(1, 2)
    const length = cell ? 1 : 1 + draw.below(5)
    const name = `${cell ? 'cell' : 'array'}${this.arrays.length}`
    this.arrays.push({ kind: cell ? 'cell' : 'array', name, value, length })
    this.add(`const ${name} = ${cell ? 'cell' : 'array'}(${declared(value)}${cell ? '' : `, ${length}`})`)
  }

  ruleTable(): void {
    const draw = this.#draw
    const kind = draw.pick(['rules', 'lpm', 'devices'] as const)
    const name = `rules${this.rules.length}`
    const only = (type: Scalar): Shape => ({ plain: true, fields: [{ name: 'key', type }] })
    if (kind === 'devices') {
      this.rules.push({ kind, name, key: only(u32), value: only(u32) })
      return this.add(`const ${name} = devices({ capacity: 4 })`)
    }
    const key = kind === 'lpm' ? only(draw.pick([ipv4, ipv4, ipv6])) : only(draw.pick([u8, u16, ipv4, port]))
    const value = shape(draw, [u8, u16, u32, u64, bool])
    this.rules.push({ kind, name, key, value })
    this.add(`const ${name} = ${kind}({ key: ${declared(key)}, value: ${declared(value)}, capacity: 12 })`)
  }

  value(): void {
    const draw = this.#draw
    const name = `value${this.values.length}`
    const type = draw.pick(plain)
    const literally = type.sort !== 'bool' && draw.chance(1, 3)
    this.values.push({ name, type, literal: literally })
    const initial = literal(draw, type)
    this.add(`const ${name} = ${literally ? initial : `parameter(${type.name}, ${initial})`}`)
  }

  counter(): void {
    const name = `counter${this.counters.length}`
    this.counters.push(name)
    this.add(`const ${name} = counter()`)
  }
}

/** One to five state objects, and what else programs declare. */
export function declarations(draw: Draw): Declarations {
  const d = new Declaring(draw)
  if (draw.chance(1, 2)) d.pool()
  for (let n = 1 + draw.below(3); n > 0; n--)
    draw.weighted([
      [5, () => d.table()],
      [2, () => d.array()],
    ])
  for (let n = draw.below(2); n > 0; n--) d.ruleTable()
  for (let n = draw.below(3); n > 0; n--) d.value()
  for (let n = draw.below(2); n > 0; n--) d.counter()
  return d
}
