// State objects as plain maps: the smallest StateAccess, for tests of the IR that need no byte layout. Stricter than a
// real table: after each insert or remove every slot has a new number, so that using an old one throws.

import type {
  ArrayAccess,
  PoolAccess,
  RawAccess,
  RulesAccess,
  StateAccess,
  TableAccess,
  Value,
} from './access.js'
import { InvariantError } from './invariant.js'
import type { Type } from './types.js'

export interface FieldShape {
  readonly name: string
  readonly part: number
  /** Bytes: 1, 2, 4 (read as i32) or 8 (read as i64). */
  readonly width: 1 | 2 | 4 | 8
}
export interface TableShape {
  readonly name: string
  /** Types of the key leaves. */
  readonly key: readonly Type[]
  readonly fields: readonly FieldShape[]
  readonly capacity: number
  /** Ticks; operations then take `now`. */
  readonly expire?: { readonly after: number }
  /** With 'oldest', insert and touch take the sequence number; the model refuses all the same. */
  readonly evict: 'none' | 'oldest'
}
export interface ArrayShape {
  readonly name: string
  readonly fields: readonly FieldShape[]
  readonly length: number
}
export interface PoolShape {
  readonly name: string
  readonly first: number
  readonly last: number
}
export interface RulesShape {
  readonly name: string
  /** A table of devices: the key is an index, the one field the device. */
  readonly devices?: boolean
  readonly key: readonly Type[]
  readonly fields: readonly FieldShape[]
}
/** The state objects of a test program. */
export interface StateShape {
  readonly tables: readonly TableShape[]
  readonly arrays: readonly ArrayShape[]
  readonly pools: readonly PoolShape[]
  readonly rules: readonly RulesShape[]
}

type Fields = Map<string, Value>
const fieldKey = (field: string, part: number): string => `${field}#${part}`
const cut = (fields: readonly FieldShape[], field: string, part: number, value: Value): Value => {
  const shape = fields.find(f => f.name === field && f.part === part)
  if (!shape) throw new InvariantError(`no field ${field} part ${part}`)
  const v = BigInt.asUintN(shape.width * 8, BigInt(value))
  return shape.width === 8 ? v : Number(v)
}

class ModelTable implements TableAccess {
  private readonly shape: TableShape
  private readonly entries = new Map<string, { touched: number; fields: Fields }>()
  /** Key text by slot; renumbered by every insert and remove. */
  private slots = new Map<number, string>()
  private generation = 0

  constructor(shape: TableShape) {
    this.shape = shape
  }

  private split(operands: readonly Value[]): { key: string; now: number } {
    const n = this.shape.key.length
    const extra = (this.shape.expire ? 1 : 0) + (this.shape.evict === 'oldest' ? 1 : 0)
    if (operands.length !== n && operands.length !== n + extra && !this.shape.expire)
      throw new InvariantError(`${this.shape.name}: ${operands.length} operands`)
    return { key: operands.slice(0, n).join(), now: this.shape.expire ? Number(operands[n]) : 0 }
  }

  private slotOf(key: string): number {
    for (const [slot, k] of this.slots) if (k === key) return slot
    return 0
  }

  private renumber(): void {
    this.generation++
    this.slots = new Map([...this.entries.keys()].map((key, k) => [this.generation * 64 + k + 1, key]))
  }

  private at(slot: number): { touched: number; fields: Fields } {
    const entry = this.entries.get(this.slots.get(slot) ?? '')
    if (!entry) throw new InvariantError(`${this.shape.name}: slot ${slot} is stale`)
    return entry
  }

  find(operands: readonly Value[]): number {
    const { key, now } = this.split(operands)
    const entry = this.entries.get(key)
    const expired = entry && this.shape.expire && (now - entry.touched) >>> 0 >= this.shape.expire.after
    return entry && !expired ? this.slotOf(key) : 0
  }

  insert(operands: readonly Value[]): number {
    if (this.find(operands)) throw new InvariantError(`${this.shape.name}: insert of a key that is present`)
    const { key, now } = this.split(operands)
    this.entries.delete(key)
    const room = this.entries.size < this.shape.capacity
    if (room) this.entries.set(key, { touched: now, fields: new Map() })
    this.renumber()
    return room ? this.slotOf(key) : 0
  }

  remove(slot: number): void {
    this.at(slot)
    this.entries.delete(this.slots.get(slot)!)
    this.renumber()
  }

  touch(slot: number, operands: readonly Value[]): void {
    const entry = this.at(slot)
    if (this.shape.expire) entry.touched = Number(operands[0])
  }

  load(slot: number, field: string, part: number): Value {
    return this.at(slot).fields.get(fieldKey(field, part)) ?? cut(this.shape.fields, field, part, 0)
  }

  store(slot: number, field: string, part: number, value: Value): void {
    this.at(slot).fields.set(fieldKey(field, part), cut(this.shape.fields, field, part, value))
  }

  dump(): string {
    const lines = [...this.entries].map(
      ([key, e]) => `${key} @${e.touched} ${[...e.fields].toSorted().join(' ')}`,
    )
    return `${this.shape.name}\n${lines.toSorted().join('\n')}`
  }
}

class ModelArray implements ArrayAccess {
  private readonly shape: ArrayShape
  private readonly elements: Fields[]

  constructor(shape: ArrayShape) {
    this.shape = shape
    this.elements = Array.from({ length: shape.length }, () => new Map())
  }

  load(index: number, field: string, part: number): Value {
    return this.elements[index]?.get(fieldKey(field, part)) ?? cut(this.shape.fields, field, part, 0)
  }

  store(index: number, field: string, part: number, value: Value): void {
    this.elements[index]?.set(fieldKey(field, part), cut(this.shape.fields, field, part, value))
  }

  dump(): string {
    return `${this.shape.name}\n${this.elements.map(e => [...e].toSorted().join(' ')).join('\n')}`
  }
}

class ModelPool implements PoolAccess {
  private readonly shape: PoolShape
  private readonly free: number[]

  constructor(shape: PoolShape) {
    this.shape = shape
    this.free = Array.from({ length: shape.last - shape.first + 1 }, (_, k) => shape.first + k)
  }

  take(): number {
    return this.free.shift() ?? 0xffffffff
  }

  give(number: number): void {
    if (this.free.length <= this.shape.last - this.shape.first) this.free.push(number)
  }

  dump(): string {
    return `${this.shape.name}\n${this.free.join(' ')}`
  }
}

/** Entry k of four belongs to the keys whose leaves add up to k modulo 4; its fields are multiples of k. */
const modelRules = (shape: RulesShape): RulesAccess => ({
  lookup: key => Number(key.reduce((sum: bigint, leaf) => sum + BigInt(leaf), 0n) % 4n),
  load: (entry, field, part) => cut(shape.fields, field, part, entry * 1000003 + part),
})

class ModelBytes implements RawAccess {
  private readonly bytes = new Uint8Array(4096)

  load(address: number, width: number): Value {
    let v = 0n
    for (let k = width - 1; k >= 0; k--) v = (v << 8n) | BigInt(this.bytes[address + k])
    return v
  }

  store(address: number, width: number, value: Value): void {
    for (let k = 0; k < width; k++) this.bytes[address + k] = Number((BigInt(value) >> BigInt(8 * k)) & 0xffn)
  }

  dump(): string {
    return this.bytes.toString()
  }
}

/** Fresh state of a shape. `raw` objects exist under any name: 4,096 bytes each. */
export class ModelState implements StateAccess {
  private readonly objects = new Map<string, ModelTable | ModelArray | ModelPool | RulesAccess | ModelBytes>()

  constructor(shape: Partial<StateShape> = {}) {
    for (const t of shape.tables ?? []) this.objects.set(t.name, new ModelTable(t))
    for (const a of shape.arrays ?? []) this.objects.set(a.name, new ModelArray(a))
    for (const p of shape.pools ?? []) this.objects.set(p.name, new ModelPool(p))
    for (const r of shape.rules ?? []) this.objects.set(r.name, modelRules(r))
  }

  private get<T>(name: string): T {
    const object = this.objects.get(name)
    if (!object) throw new InvariantError(`no state object ${name}`)
    return object as T
  }

  table = (name: string): TableAccess => this.get(name)
  array = (name: string): ArrayAccess => this.get(name)
  pool = (name: string): PoolAccess => this.get(name)
  rules = (name: string): RulesAccess => this.get(name)

  raw = (name: string): RawAccess => {
    if (!this.objects.has(name)) this.objects.set(name, new ModelBytes())
    return this.get(name)
  }

  /** Everything in the state as text; equal states give equal text. */
  dump(): string {
    return [...this.objects.values()].map(o => ('dump' in o ? o.dump() : '')).join('\n\n')
  }
}
