// The module that runs: a program's functions embedded in loops over batches of packets, one loop per way of running.
//
// Every loop takes the worker's context, the address of the first descriptor, how many packets, and the sequence
// number of the first. It returns to JavaScript once per batch: V8 replaces baseline code only at a call, and inlines
// nothing, so the program's code is written into each loop. What the loops are for stands in src/strategy.
// Read memory.ts first, then lower.ts.

import type { Func as IrFunc, Type } from '../../ir/types.js'
import { block, br, br_if, drop, i32, i64, if_, label, local, loop, memory } from './asm.js'
import type { Code, Local } from './asm.js'
import { encode } from './encode.js'
import type { Embedding } from './embedding.js'
import { wasmType } from './embedding.js'
import { lower } from './lower.js'
import { context, descriptor, descriptorBytes } from './memory.js'
import { Module } from './module.js'
import type { Func } from './module.js'

/** Where the objects, settings and counters of a program are, relative to their blocks. */
export interface Placement {
  /** Offset of each object, and whether its block is the rules block. */
  readonly objects: ReadonlyMap<string, { readonly offset: number; readonly rules: boolean }>
  /** Settings and counters in the order of their u64. */
  readonly settings: readonly string[]
  readonly counters: readonly string[]
}

export interface BatchSource {
  readonly name: string
  readonly placement: Placement
  /** Expanded functions that the others call, callees first. */
  readonly callees: readonly IrFunc[]
  readonly main: IrFunc
  /** For replication: the expanded slice and the bytes between two items. Absent: the program has none. */
  readonly slice?: { readonly extract: IrFunc; readonly advance: IrFunc; readonly itemStride: number }
  /** For sharding: returns the worker number of a packet (u32). */
  readonly steer?: IrFunc
}

/** The limits of the memory the module imports as env.memory, in 64 KiB pages; shared, of fixed size. */
export const importedMemory = { initial: 1, maximum: 65_536, shared: true } as const

/** The module's bytes. */
export function batchModule(source: BatchSource): Uint8Array {
  return encode(buildModule(source))
}

/** The module as a value, for printing. */
export function buildModule(source: BatchSource): Module {
  const module = new Module(source.name)
  module.importMemory('env', 'memory', importedMemory)
  const callees = new Map<string, Func>()
  for (const f of source.callees) callees.set(f.name, callee(module, source, f, callees))
  new Loop(module, source, callees, 'single').single()
  if (source.slice) {
    new Loop(module, source, callees, 'extract').extract(source.slice.extract, source.slice.itemStride)
    new Loop(module, source, callees, 'replicated').replicated(source.slice.advance, source.slice.itemStride)
  }
  if (source.steer) new Loop(module, source, callees, 'steer').steer(source.steer)
  new Loop(module, source, callees, 'listed').listed()
  new Loop(module, source, callees, 'shared').shared()
  tally(module)
  return module
}

/** A program function that others call: block addresses first, then its own parameters. */
function callee(module: Module, source: BatchSource, ir: IrFunc, known: ReadonlyMap<string, Func>): Func {
  const own = Object.fromEntries(ir.params.map((p, k) => [`arg${k}`, wasmType(p.type)]))
  const results = ir.result === 'void' ? [] : [wasmType(ir.result)]
  const func = module.func(ir.name, { state: 'i32', rules: 'i32', ...own }, results)
  const { state, rules } = func.params as Record<string, Local>
  const none = (what: string) => (): never => {
    throw new Error(`${ir.name} uses ${what}`)
  }
  const out = label('out')
  const value = results.length ? func.local('result', results[0]) : undefined
  const embedding: Embedding = {
    func,
    params: func.locals.slice(2),
    packet: state,
    length: state,
    item: state,
    input: none('a packet'),
    setting: none('a setting'),
    counter: none('a counter'),
    object: placed(source.placement, state, rules),
    callee: name => ({ func: known.get(name)!, leading: [local.get(state), local.get(rules)] }),
    leave: ([result]) => [value && result ? [result, local.set(value)] : [], br(out)],
  }
  func.emit(block(out, [lower(ir, embedding)]), value ? local.get(value) : [])
  return func
}

function placed(placement: Placement, state: Local, rules: Local): Embedding['object'] {
  return name => {
    const at = placement.objects.get(name)
    if (!at) throw new Error(`${name} has no place in memory`)
    return { base: at.rules ? rules : state, offset: at.offset }
  }
}

/** One exported loop function under construction. */
class Loop {
  private readonly func: Func
  private readonly source: BatchSource
  private readonly callees: ReadonlyMap<string, Func>
  private readonly l: Record<string, Local>

  constructor(module: Module, source: BatchSource, callees: ReadonlyMap<string, Func>, name: string) {
    this.source = source
    this.callees = callees
    const extra = loopParameters[name]
    this.func = module.func(name, { ctx: 'i32', desc: 'i32', count: 'i32', seq: 'i64', ...extra }, [])
    module.export(name, this.func)
    this.l = { ...(this.func.params as Record<string, Local>) }
    for (const n of [...blocks, 'packet', 'length', 'i']) this.declare(n, 'i32')
    this.func.emit(blocks.map(n => [local.get(this.l.ctx), i32.load(context[n]), local.set(this.l[n])]))
  }

  private declare(name: string, type: 'i32' | 'i64'): Local {
    return (this.l[name] ??= this.func.local(name, type))
  }

  /** for (; i < count; i++, step) body */
  private each(body: Code, step: Code): void {
    const { i, count } = this.l
    const again = label('next')
    const done = label('done')
    this.func.emit(
      block(done, [
        [local.get(i), local.get(count), i32.ge_u, br_if(done)],
        loop(again, [
          body,
          step,
          [local.get(i), i32.const(1), i32.add, local.tee(i), local.get(count), i32.lt_u, br_if(again)],
        ]),
      ]),
    )
  }

  /** Moves to the next descriptor and sequence number. */
  private nextPacket(): Code {
    const { desc, seq } = this.l
    return [
      [local.get(desc), i32.const(descriptorBytes), i32.add, local.set(desc)],
      [local.get(seq), i64.const(1), i64.add, local.set(seq)],
    ]
  }

  /** Loads the packet's address and length from its descriptor. */
  private openPacket(): Code {
    const { desc, packet, length } = this.l
    return [
      [local.get(desc), i32.load(descriptor.address), local.set(packet)],
      [local.get(desc), i32.load(descriptor.length), local.set(length)],
    ]
  }

  /** A program function written in place; `leave` is what follows it, with its result. */
  private inline(ir: IrFunc, leave: (result: Code) => Code, item?: Local): Code {
    const { l, func, source } = this
    const out = label(`end of ${ir.name}`)
    const { settings, counters } = source.placement
    const embedding: Embedding = {
      func,
      params: [],
      packet: l.packet,
      length: l.length,
      item: item ?? l.packet,
      input: name => this.input(name),
      setting: (name, type) => loadSetting(l.settings, 8 * settings.indexOf(name), type),
      counter: name => ({ base: l.counters, offset: 8 * counters.indexOf(name) }),
      object: name =>
        name === 'steering'
          ? { base: l.steering, offset: 0 }
          : placed(source.placement, l.state, l.rules)(name),
      callee: name => ({ func: this.callees.get(name)!, leading: [local.get(l.state), local.get(l.rules)] }),
      leave: results => [leave(results[0] ?? []), br(out)],
    }
    return block(out, [lower(ir, embedding)])
  }

  private input(name: string): Code {
    const { l } = this
    switch (name) {
      case 'length':
        return local.get(l.length)
      case 'originalLength':
        return [local.get(l.desc), i32.load(descriptor.original)]
      case 'device':
        return [local.get(l.desc), i32.load(descriptor.device)]
      case 'timestamp':
        return [local.get(l.desc), i64.load(descriptor.timestamp)]
      case 'sequence':
        return local.get(l.seq)
      case 'seed':
        return [local.get(l.ctx), i64.load(context.seed)]
      default:
        throw new Error(`no input ${name}`)
    }
  }

  private process(): Code {
    const verdict = this.declare('verdict', 'i32')
    return [
      this.openPacket(),
      this.inline(this.source.main, result => [result, local.set(verdict)]),
      [local.get(this.l.desc), local.get(verdict), i32.store(descriptor.verdict)],
    ]
  }

  /** Notes when the packet at `index` was finished, if the slab is one that is sampled (stamps is not 0). */
  private stamp(index: Local): Code {
    const { ctx, stamps } = this.l
    return [
      local.get(stamps),
      if_([
        [local.get(stamps), local.get(index), i32.const(2), i32.shl, i32.add],
        [local.get(ctx), i32.load(context.clock), i32.const(1), i32.atomic.rmw.add(), i32.store()],
      ]),
    ]
  }

  /** single(ctx, desc, count, seq): every packet, in order. */
  single(): void {
    this.each(this.process(), this.nextPacket())
  }

  /** extract(ctx, desc, count, seq, items, effects): the sequencer's half; an item and an effect byte per packet. */
  extract(extract: IrFunc, stride: number): void {
    const { items, effects } = this.l
    const effect = this.declare('effect', 'i32')
    this.each(
      [
        this.openPacket(),
        this.inline(extract, result => [result, local.set(effect)], items),
        [local.get(effects), local.get(effect), i32.store8()],
      ],
      [
        this.nextPacket(),
        [local.get(items), i32.const(stride), i32.add, local.set(items)],
        [local.get(effects), i32.const(1), i32.add, local.set(effects)],
      ],
    )
  }

  /**
   * replicated(ctx, desc, count, seq, items, effects): the worker's half. Processes the packets that are its own
   * (sequence number modulo workers = worker), fast-forwards through all others whose item has an effect.
   */
  replicated(advance: IrFunc, stride: number): void {
    const { ctx, items, effects } = this.l
    const turn = this.countdown()
    const replayed = this.declare('replayed', 'i32')
    this.each(
      [
        local.get(turn),
        if_(
          [
            [local.get(turn), i32.const(1), i32.sub, local.set(turn)],
            local.get(effects),
            i32.load8_u(),
            if_([
              this.inline(advance, () => [], items),
              [local.get(replayed), i32.const(1), i32.add, local.set(replayed)],
            ]),
          ],
          [this.restart(turn), this.process(), this.stamp(this.l.i)],
        ),
      ],
      [
        this.nextPacket(),
        [local.get(items), i32.const(stride), i32.add, local.set(items)],
        [local.get(effects), i32.const(1), i32.add, local.set(effects)],
      ],
    )
    this.func.emit(
      [local.get(ctx), local.get(ctx), i64.load(context.replayed)],
      [local.get(replayed), i64.extend_i32_u, i64.add, i64.store(context.replayed)],
    )
  }

  /**
   * shared(ctx, desc, count, seq, commits, lock): the worker's own packets, each inside the program lock. A packet's
   * commit number is taken and kept while the lock is held, so that verify can replay the order things happened in.
   */
  shared(): void {
    const { lock, commits } = this.l
    const turn = this.countdown()
    const taken = label('taken')
    const again = label('again')
    const spin = this.declare('spin', 'i32')
    // Lock word: 0 free, 1 held, 2 held and somebody sleeps (Drepper, "Futexes Are Tricky", mutex 2).
    const acquire: Code = block(taken, [
      [i32.const(spinsBeforeSleep), local.set(spin)],
      loop(again, [
        [local.get(lock), i32.const(0), i32.const(1), i32.atomic.rmw.cmpxchg()],
        [i32.eqz, br_if(taken)],
        [local.get(spin), i32.const(1), i32.sub, local.tee(spin), br_if(again)],
      ]),
      loop(again, [
        [local.get(lock), i32.const(2), i32.atomic.rmw.xchg(), i32.eqz, br_if(taken)],
        [local.get(lock), i32.const(2), i64.const(-1), memory.atomic.wait32(), drop, br(again)],
      ]),
    ])
    const release: Code = [
      [local.get(lock), i32.const(0), i32.atomic.rmw.xchg(), i32.const(2), i32.eq],
      if_([local.get(lock), i32.const(1), memory.atomic.notify(), drop]),
    ]
    const commit: Code = [
      [
        local.get(lock),
        local.get(lock),
        i32.load(commitOffset),
        i32.const(1),
        i32.add,
        i32.store(commitOffset),
      ],
      [local.get(commits), local.get(lock), i32.load(commitOffset), i32.store()],
    ]
    this.each(
      [
        local.get(turn),
        if_(
          [local.get(turn), i32.const(1), i32.sub, local.set(turn)],
          [this.restart(turn), acquire, commit, this.process(), release, this.stamp(this.l.i)],
        ),
      ],
      [this.nextPacket(), [local.get(commits), i32.const(4), i32.add, local.set(commits)]],
    )
  }

  /** Packets until the worker's next own one (sequence number modulo workers = worker), as a local set up front. */
  private countdown(): Local {
    const { ctx, seq } = this.l
    const turn = this.declare('turn', 'i32')
    const workers = this.declare('workers', 'i32')
    const wide = (code: Code): Code => [code, i64.extend_i32_u]
    this.func.emit(
      [local.get(ctx), i32.load(context.workers), local.set(workers)],
      [wide([local.get(ctx), i32.load(context.worker)]), wide(local.get(workers)), i64.add],
      [local.get(seq), wide(local.get(workers)), i64.rem_u, i64.sub],
      [wide(local.get(workers)), i64.rem_u, i32.wrap_i64, local.set(turn)],
    )
    return turn
  }

  private restart(turn: Local): Code {
    return [local.get(this.l.workers), i32.const(1), i32.sub, local.set(turn)]
  }

  /** steer(ctx, desc, count, seq, lists, room): appends each packet's index to its worker's list of u32. */
  steer(steer: IrFunc): void {
    const { lists, room, i } = this.l
    const list = this.declare('list', 'i32')
    const length = this.declare('listLength', 'i32')
    const worker = this.declare('chosen', 'i32')
    // A list is u32 length, then the indices; lists stand `room` bytes apart.
    this.each(
      [
        this.openPacket(),
        this.inline(steer, result => [result, local.set(worker)]),
        [local.get(lists), local.get(worker), local.get(room), i32.mul, i32.add, local.tee(list)],
        [i32.load(), local.set(length)],
        [local.get(list), local.get(length), i32.const(2), i32.shl, i32.add, local.get(i), i32.store(4)],
        [local.get(list), local.get(length), i32.const(1), i32.add, i32.store()],
      ],
      this.nextPacket(),
    )
  }

  /** listed(ctx, desc, count, seq, list): the packets whose indices stand at `list`, in that order. */
  listed(): void {
    const { list, desc, seq } = this.l
    const base = this.declare('base', 'i32')
    const first = this.declare('first', 'i64')
    const index = this.declare('index', 'i32')
    this.func.emit([local.get(desc), local.set(base)], [local.get(seq), local.set(first)])
    this.each(
      [
        [local.get(list), i32.load(), local.set(index)],
        [local.get(base), local.get(index), i32.const(descriptorBytes), i32.mul, i32.add, local.set(desc)],
        [local.get(first), local.get(index), i64.extend_i32_u, i64.add, local.set(seq)],
        this.process(),
        this.stamp(index),
      ],
      [local.get(list), i32.const(4), i32.add, local.set(list)],
    )
  }
}

/**
 * tally(desc, count, into): adds up verdicts. Eight u64 pairs {packets, captured bytes} by the low three bits of the
 * verdict; XDP's numbers are 0 to 4.
 */
function tally(module: Module): void {
  const func = module.func('tally', { desc: 'i32', count: 'i32', into: 'i32' }, [])
  module.export('tally', func)
  const { desc, count, into } = func.params
  const at = func.local('at', 'i32')
  const again = label('next')
  const add = (offset: number, amount: Code): Code => [
    [local.get(at), local.get(at), i64.load(offset), amount, i64.add, i64.store(offset)],
  ]
  func.emit(
    local.get(count),
    if_([
      loop(again, [
        [local.get(desc), i32.load(descriptor.verdict), i32.const(7), i32.and, i32.const(4), i32.shl],
        [local.get(into), i32.add, local.set(at)],
        add(0, i64.const(1)),
        add(8, [local.get(desc), i32.load(descriptor.length), i64.extend_i32_u]),
        [local.get(desc), i32.const(descriptorBytes), i32.add, local.set(desc)],
        [local.get(count), i32.const(1), i32.sub, local.tee(count), br_if(again)],
      ]),
    ]),
  )
}

/** Tries before a worker sleeps on the program lock. */
const spinsBeforeSleep = 200
/** Offset of the commit counter from the lock word: another cache line. */
const commitOffset = 64

/** Blocks whose addresses every loop reads from the context first. */
const blocks = ['state', 'rules', 'settings', 'counters', 'steering'] as const

const loopParameters: Readonly<Record<string, Readonly<Record<string, 'i32'>>>> = {
  extract: { items: 'i32', effects: 'i32' },
  replicated: { items: 'i32', effects: 'i32', stamps: 'i32' },
  steer: { lists: 'i32', room: 'i32' },
  listed: { list: 'i32', stamps: 'i32' },
  shared: { commits: 'i32', lock: 'i32', stamps: 'i32' },
}

function loadSetting(base: Local, offset: number, type: Type): Code {
  return [local.get(base), type === 'i64' ? i64.load(offset) : i32.load(offset)]
}
