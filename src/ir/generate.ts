// Random IR functions and packets for property tests of passes and backends. Every function verifies, ends, and reads
// the packet beyond its length only with checked loads. Equal seeds give equal functions. Biased towards the shapes
// that programs have: length checks, byte-order swaps, find-or-insert, and the same look-up twice.

import { FunctionBuilder } from './builder.js'
import type { Variable } from './builder.js'
import type { ReceivedPacket } from './access.js'
import type { FieldShape, StateShape } from './model.js'
import { bitsOf, inputs, ops } from './ops.js'
import type { Func, Instr, Program, Type } from './types.js'

/** Uniform over 0 <= v < n. */
export type Random = (n: number) => number

/** A small deterministic generator (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return n => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n)
  }
}

export interface GenerateOptions {
  /** Statements, roughly. */
  readonly size: number
  readonly shape: StateShape
  /** Bytes of the history item that the function may read and write; 0 or absent: none. */
  readonly itemBytes?: number
  readonly settings?: readonly string[]
  readonly counters?: readonly string[]
  /** False: no writes to the packet. */
  readonly stores?: boolean
}

/** A small state with one object of each kind; field types and key types are mixed. */
export const sampleShape: StateShape = {
  tables: [
    {
      name: 'flows',
      key: ['i32', 'i32'],
      fields: [
        { name: 'bytes', part: 0, width: 8 },
        { name: 'state', part: 0, width: 1 },
        { name: 'port', part: 0, width: 2 },
      ],
      capacity: 6,
      evict: 'none',
    },
    {
      name: 'recent',
      key: ['i64'],
      fields: [{ name: 'count', part: 0, width: 4 }],
      capacity: 4,
      evict: 'none',
      expire: { after: 3 },
    },
  ],
  arrays: [{ name: 'cells', fields: [{ name: 'value', part: 0, width: 4 }], length: 4 }],
  pools: [{ name: 'ports', first: 100, last: 103 }],
  rules: [
    { name: 'routes', key: ['i32'], fields: [{ name: 'device', part: 0, width: 1 }] },
    { name: 'links', devices: true, key: ['i32'], fields: [{ name: 'device', part: 0, width: 4 }] },
  ],
}

/** A program whose only function is `main`, without parameters, returning i32. */
export function generateProgram(random: Random, options: GenerateOptions): Program {
  const { tables, arrays, pools, rules } = options.shape
  return {
    name: 'random',
    file: 'random.ts',
    source: '',
    objects: [...tables, ...arrays, ...pools, ...rules],
    settings: (options.settings ?? []).map(name => ({ name, type: 'u32', default: 3n })),
    counters: (options.counters ?? []).map(name => ({ name })),
    functions: [new Generator(random, options).main()],
  }
}

/** A packet of up to 80 bytes; bytes are small more often than not, so that comparisons and keys meet. */
export function generatePacket(random: Random, sequence: number): ReceivedPacket {
  const bytes = Uint8Array.from({ length: random(4) ? random(80) : random(12) }, () =>
    random(3) ? random(4) : random(256),
  )
  return {
    bytes,
    originalLength: bytes.length + random(3) * 100,
    timestamp: BigInt(sequence) * 700_000n,
    sequence: BigInt(sequence),
    device: random(3),
  }
}

type Computation = { op: string; type: Type; args: Type[] }

const scalars = ['i1', 'i32', 'i64'] as const

/** Every operation that only computes, for every combination of types it has. */
const computations: readonly Computation[] = Object.entries(ops).flatMap(([op, info]) =>
  info.fold
    ? info.result.flatMap(type =>
        scalars.flatMap(shared => {
          if (!info.args.includes('U') && shared !== 'i32') return []
          if (op === 'zext' && bitsOf(shared) >= bitsOf(type)) return []
          return [{ op, type, args: info.args.map(a => (a === 'T' ? type : a === 'U' ? shared : a)) }]
        }),
      )
    : [],
)

class Generator {
  private readonly random: Random
  private readonly options: GenerateOptions
  private readonly b = new FunctionBuilder('main', [], 'i32')
  private readonly memory: Variable
  private readonly variables: readonly Variable[]
  private left: number
  private recent: { type: 'i32' | 'i64'; width: number; offset: number } = {
    type: 'i32',
    width: 2,
    offset: 0,
  }

  constructor(random: Random, options: GenerateOptions) {
    this.random = random
    this.options = options
    this.left = options.size
    this.memory = this.b.variable('mem')
    this.variables = (['i32', 'i32', 'i32', 'i64', 'i64', 'i1'] as const).map((t, k) =>
      this.b.variable(t, `v${k}`),
    )
  }

  main(): Func {
    this.b.write(this.memory, this.b.emit('packet', [], {}, 'mem'))
    for (const v of this.variables) this.b.write(v, this.leaf(v.type))
    this.statements(3)
    this.return()
    return this.b.finish()
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random(list.length)]
  }

  private variable(type: Type): Variable {
    return this.pick(this.variables.filter(v => v.type === type))
  }

  private const(type: Type): Instr {
    const special = [0n, 1n, 2n, 3n, 8n, 16n, 24n, 255n, 0x0300n, 0xffffn, 0x03000000n, 0x80000000n, -1n, -2n]
    return this.b.const(type, this.random(5) ? this.pick(special) : BigInt(this.random(2 ** 32)) * 0x10001n)
  }

  private leaf(type: Type): Instr {
    const names = Object.keys(inputs).filter(n => inputs[n] === type)
    const choice = this.random(8)
    if (choice < 3) return this.const(type)
    if (choice < 4 && names.length) return this.b.emit('input', [], { name: this.pick(names) }, type)
    if (choice < 5 && type === 'i32' && this.options.settings?.length)
      return this.b.emit('setting', [], { name: this.pick(this.options.settings) }, type)
    if (choice < 7 && type !== 'i1') return this.checkedLoad(type)
    return this.b.read(this.variable(type))
  }

  private checkedLoad(type: Type): Instr {
    const width = type === 'i64' ? 8 : this.pick([1, 2, 4])
    const address = this.random(3) ? this.b.const('i32', 0) : this.expression('i32', 1)
    return this.load(type, address, width, this.random(24), true)
  }

  private load(type: Type, address: Instr, width: number, offset: number, checked: boolean): Instr {
    return this.b.emit('load', [this.b.read(this.memory), address], { width, offset, checked }, type)
  }

  private expression(type: Type, depth: number): Instr {
    if (depth === 0 || this.random(6) === 0)
      return this.random(2) ? this.b.read(this.variable(type)) : this.leaf(type)
    if (type === 'i32' && this.random(6) === 0) return this.bigEndian()
    if (this.options.itemBytes && type !== 'i1' && this.random(9) === 0) {
      const width = type === 'i64' ? 8 : this.pick([1, 2, 4])
      if (width <= this.options.itemBytes)
        return this.b.emit(
          'item.load',
          [],
          { width, offset: this.random(Math.min(3, this.options.itemBytes - width + 1)) },
          type,
        )
    }
    const { op, args } = this.pick(computations.filter(c => c.type === type))
    return this.b.emit(
      op,
      args.map(t => this.expression(t, depth - 1)),
      {},
      type,
    )
  }

  /** Two or four bytes put together, or a swapped wider load. */
  private bigEndian(): Instr {
    const [zero, offset, bytes] = [this.b.const('i32', 0), this.random(20), this.pick([2, 4])]
    if (this.random(2)) {
      const checked = this.random(2) === 0 ? this.b.read(this.variable('i32')) : zero
      return this.b.emit(bytes === 2 ? 'bswap16' : 'bswap32', [
        this.load('i32', checked, bytes, offset, true),
      ])
    }
    return this.assembled(bytes, k => this.load('i32', zero, 1, offset + k, true))
  }

  /** Bytes put together, mostly most significant first. */
  private assembled(bytes: number, byte: (k: number) => Instr): Instr {
    const little = this.random(4) === 0
    const parts = Array.from({ length: bytes }, (_, k) => {
      const place = little === this.random(8) > 0 ? k : bytes - 1 - k
      return this.b.emit('shl', [byte(k), this.b.const('i32', 8 * place)])
    })
    return parts.reduce((a, p) => this.b.emit(this.random(6) ? 'or' : 'add', [a, p]))
  }

  private statements(depth: number): void {
    for (let n = 1 + this.random(4); n > 0 && this.left > 0; n--) {
      this.left--
      this.statement(depth)
    }
  }

  private statement(depth: number): void {
    const { shape, counters } = this.options
    const simple = [
      () => this.assign(),
      () => this.assign(),
      () => this.guardedAccess(),
      () => this.guardedAccess(),
      ...(shape.tables.length ? [() => this.tableAccess(), () => this.tableAccess()] : []),
      ...(shape.arrays.length ? [() => this.arrayAccess()] : []),
      ...(shape.pools.length ? [() => this.poolAccess()] : []),
      ...(shape.rules.length ? [() => this.rulesAccess()] : []),
      ...(counters?.length
        ? [() => void this.b.emit('count', [this.expression('i64', 1)], { counter: this.pick(counters) })]
        : []),
      ...(this.options.itemBytes ? [() => this.itemStore()] : []),
    ]
    const nested = [
      () => this.ifElse(depth),
      () => this.ifElse(depth),
      () => this.ifElse(depth),
      () => this.loop(depth),
      () => this.early(),
    ]
    this.pick(depth > 0 ? [...simple, ...nested] : simple)()
  }

  private assign(): void {
    const v = this.pick(this.variables)
    this.b.write(v, this.expression(v.type, 3))
  }

  private return(): void {
    const a = this.b.read(this.variable('i32'))
    this.b.return([this.b.emit('xor', [a, this.b.emit('trunc', [this.expression('i64', 2)])])])
  }

  private when(cond: Instr, then: () => void, otherwise: () => void = () => {}): void {
    const [yes, no, join] = [this.b.block(), this.b.block(), this.b.block()]
    this.b.branch(cond, yes, no)
    this.b.seal(yes)
    this.b.seal(no)
    this.b.at(yes)
    then()
    this.b.jump(join)
    this.b.at(no)
    otherwise()
    this.b.jump(join)
    this.b.seal(join)
    this.b.at(join)
  }

  private condition(): Instr {
    if (this.random(3)) return this.expression('i1', 2)
    return this.b.emit(this.pick(['eq', 'ne']), [this.bigEndian(), this.const('i32')])
  }

  private ifElse(depth: number): void {
    this.when(
      this.condition(),
      () => this.statements(depth - 1),
      () => this.random(2) && this.statements(depth - 1),
    )
  }

  private early(): void {
    this.when(this.condition(), () => this.return())
  }

  /** for (i = 0; i < n; i++) { …; if (…) break } with n up to 5. */
  private loop(depth: number): void {
    const i = this.b.variable('i32', 'i')
    const [header, body, exit] = [this.b.block(), this.b.block(), this.b.block()]
    this.b.write(i, this.b.const('i32', 0))
    this.b.jump(header)
    this.b.at(header)
    this.b.branch(this.b.emit('ltu', [this.b.read(i), this.b.const('i32', this.random(6))]), body, exit)
    this.b.seal(body)
    this.b.at(body)
    const left = this.left
    this.left = Math.min(left, 4)
    this.statements(depth - 1)
    if (this.random(2)) {
      const next = this.b.block()
      this.b.branch(this.expression('i1', 2), exit, next)
      this.b.seal(next)
      this.b.at(next)
    }
    this.left = left - 1
    this.b.write(this.variable('i32'), this.b.read(i))
    this.b.write(i, this.b.emit('add', [this.b.read(i), this.b.const('i32', 1)]))
    this.b.jump(header)
    this.b.seal(header)
    this.b.seal(exit)
    this.b.at(exit)
  }

  /** Reads, and sometimes writes, behind a length check: at a constant or at a small variable base. */
  private guardedAccess(): void {
    const need = this.pick([14, 34, 40])
    const base = this.random(2)
      ? this.b.const('i32', 0)
      : this.b.emit('shl', [
          this.b.emit('and', [this.expression('i32', 1), this.b.const('i32', 15)]),
          this.b.const('i32', 2),
        ])
    const end = this.b.emit('add', [base, this.b.const('i32', need)])
    const length = this.b.emit('input', [], { name: 'length' }, 'i32')
    const cond = this.random(2)
      ? this.b.emit('leu', [end, length])
      : this.b.emit('not', [this.b.emit('ltu', [length, end])])
    const start = this.random(need - 12)
    this.when(cond, () => {
      const bases = [base, base, this.b.const('i32', 0)]
      for (let n = 1 + this.random(6); n > 0; n--) {
        const at = this.pick(bases)
        if (this.random(5)) this.packetAccess(at, start)
        else this.when(this.condition(), () => this.packetAccess(at, start))
      }
    })
  }

  /** Reads or writes some of the 12 bytes from base + start; accesses nearby overlap, and many repeat the one before. */
  private packetAccess(base: Instr, start: number): void {
    const type = this.pick(['i32', 'i32', 'i64'] as const)
    const width = type === 'i64' ? 8 : this.pick([1, 2, 4])
    const offset = start + this.random(5)
    const v = this.variable(type)
    if (this.options.stores !== false && this.random(3) === 0) {
      const version = this.b.emit(
        'store',
        [this.b.read(this.memory), base, this.b.read(v)],
        { width, offset },
        'mem',
      )
      this.b.write(this.memory, version)
    } else if (this.random(3) === 0 && type === 'i32') {
      const gap = this.random(10) ? 1 : 2
      this.b.write(
        v,
        this.assembled(this.pick([2, 4]), k => this.load('i32', base, 1, offset + gap * k, false)),
      )
    } else if (this.random(2) === 0) {
      this.recent = { type, width, offset: offset - start }
      this.b.write(v, this.load(type, base, width, offset, false))
    } else {
      const again = this.recent
      this.b.write(
        this.variable(again.type),
        this.load(again.type, base, again.width, start + again.offset, false),
      )
    }
  }

  private now(): Instr {
    const ms = this.b.emit('divu', [
      this.b.emit('input', [], { name: 'timestamp' }, 'i64'),
      this.b.const('i64', 1_000_000n),
    ])
    return this.b.emit('trunc', [ms])
  }

  private field(
    fields: readonly FieldShape[],
    object: string,
  ): { attrs: { object: string; field: string; part: number }; type: Type } {
    const { name, part, width } = this.pick(fields)
    return { attrs: { object, field: name, part }, type: width === 8 ? 'i64' : 'i32' }
  }

  private tableAccess(): void {
    const table = this.pick(this.options.shape.tables)
    const object = table.name
    const keyOf = (type: Type): Instr =>
      this.b.emit('and', [this.b.read(this.variable(type)), this.b.const(type, this.pick([1, 1, 3]))])
    const key = table.key.map(keyOf)
    const now = table.expire ? [this.now()] : []
    const sequence =
      table.evict === 'oldest'
        ? [this.b.emit('trunc', [this.b.emit('input', [], { name: 'sequence' }, 'i64')])]
        : []
    const find = (): Instr => this.b.emit('table.find', [...key, ...now], { object }, 'i32')
    const present = (slot: Instr): Instr => this.b.emit('ne', [slot, this.b.const('i32', 0)])
    const use = (slot: Instr): void => {
      if (this.random(2)) this.b.emit('table.touch', [slot, ...now, ...sequence], { object }, 'void')
      for (let n = table.fields.length && this.random(4); n > 0; n--) {
        const { attrs, type } = this.field(table.fields, object)
        const v = this.variable(type)
        if (this.random(2)) this.b.write(v, this.b.emit('table.load', [slot], attrs, type))
        else this.b.emit('table.store', [slot, this.expression(type, 1)], attrs)
      }
    }
    const upsert = (then: (slot: Instr) => void): void => {
      const slot = find()
      const entry = this.b.variable('i32', 'entry')
      this.b.write(entry, slot)
      this.when(
        present(slot),
        () => {},
        () =>
          this.b.write(entry, this.b.emit('table.insert', [...key, ...now, ...sequence], { object }, 'i32')),
      )
      this.when(present(this.b.read(entry)), () => then(this.b.read(entry)))
    }
    const kind = this.random(8)
    if (kind === 0) {
      const slot = find()
      this.when(present(slot), () => void this.b.emit('table.remove', [slot], { object }))
    } else if (kind === 1) {
      const slot = find()
      this.when(present(slot), () => {
        use(slot)
        use(find())
      })
    } else if (kind < 5) upsert(use)
    else {
      upsert(slot => {
        // Half of the time the same key, which no pass sees.
        const alias = (k: Instr): Instr =>
          this.b.emit('and', [this.b.emit('or', [k, this.b.const(k.type, 4)]), this.b.const(k.type, 3)])
        const keys = this.random(2) ? key.map(alias) : table.key.map(keyOf)
        const other = this.b.emit('table.find', [...keys, ...now], { object }, 'i32')
        this.when(present(other), () => {
          for (let n = 0; n < 5; n++) use(this.random(2) ? slot : other)
        })
      })
    }
  }

  private arrayAccess(): void {
    const array = this.pick(this.options.shape.arrays)
    const index = this.b.emit('and', [this.expression('i32', 1), this.b.const('i32', 7)])
    for (let n = 1 + this.random(3); n > 0; n--) {
      const { attrs, type } = this.field(array.fields, array.name)
      if (this.random(2)) this.b.write(this.variable(type), this.b.emit('array.load', [index], attrs, type))
      else this.b.emit('array.store', [index, this.expression(type, 2)], attrs)
    }
  }

  private poolAccess(): void {
    const object = this.pick(this.options.shape.pools).name
    if (this.random(2)) this.b.write(this.variable('i32'), this.b.emit('pool.take', [], { object }, 'i32'))
    else this.b.emit('pool.give', [this.expression('i32', 1)], { object })
  }

  private rulesAccess(): void {
    const rules = this.pick(this.options.shape.rules)
    const object = rules.name
    if (rules.devices && this.random(2)) {
      const args = [this.b.read(this.variable('i32')), this.b.const('i32', this.random(4))]
      this.b.write(this.variable('i32'), this.b.emit('rules.redirect', args, { object }, 'i32'))
      return
    }
    const lookup = (): Instr =>
      this.b.emit(
        'rules.lookup',
        rules.key.map(t => this.b.read(this.variable(t))),
        { object },
        'i32',
      )
    const entry = this.random(2) ? lookup() : (lookup(), lookup())
    this.when(this.b.emit('ne', [entry, this.b.const('i32', 0)]), () => {
      const { attrs, type } = this.field(rules.fields, object)
      this.b.write(this.variable(type), this.b.emit('rules.load', [entry], attrs, type))
    })
  }

  private itemStore(): void {
    const type = this.pick(['i32', 'i64'] as const)
    const width = type === 'i64' ? 8 : this.pick([1, 2, 4])
    const room = this.options.itemBytes! - width
    if (room >= 0)
      this.b.emit('item.store', [this.expression(type, 2)], {
        width,
        offset: this.random(Math.min(3, room + 1)),
      })
  }
}
