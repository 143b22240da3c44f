// A loop over a batch of packets under construction: what all ways of running have in common.
//
// Every loop takes the worker's context, the address of the first descriptor, how many packets, and the sequence
// number of the first. It returns to JavaScript once per batch: V8 replaces baseline code only at a call, and inlines
// nothing, so the program's code is written into each loop. Read ../memory.ts and ../embedding.ts first.

import type { Func as IrFunc, Type } from '../../../ir/types.js'
import { block, br, br_if, i32, i64, if_, label, local, loop } from '../asm.js'
import type { Code, Local } from '../asm.js'
import type { Embedding } from '../embedding.js'
import { lower } from '../lower.js'
import { context, descriptor, descriptorBytes } from '../memory.js'
import type { Func, Module } from '../module.js'
import type { Section } from './section.js'

/** Where the objects, settings and counters of a program are, relative to their blocks. */
export interface Placement {
  /** Offset of each object, and whether its block is the rules block. */
  readonly objects: ReadonlyMap<string, { readonly offset: number; readonly rules: boolean }>
  /** Settings and counters in the order of their u64. */
  readonly settings: readonly string[]
  readonly counters: readonly string[]
}

/** The two halves of a replicated program, expanded. */
export interface Slice {
  readonly extract: IrFunc
  readonly advance: IrFunc
  /** Bytes from one item to the next in the slab. */
  readonly itemStride: number
}

/** Ways of running that take loops of their own. One worker alone takes `single` and `tally`, which all modules have. */
export type Way = 'replicated' | 'replicated-by-value' | 'sharded' | 'shared'

export interface BatchSource {
  readonly name: string
  /** The ways of running that the module is for; all of them if left out. */
  readonly ways?: readonly Way[]
  readonly placement: Placement
  /** Expanded functions that the others call, callees first. */
  readonly callees: readonly IrFunc[]
  readonly main: IrFunc
  /** For replication: the expanded slice and the bytes between two items. Absent: the program has none. */
  readonly slice?: Slice
  /** Whether the module can replicate over a transport that loses frames (recovery.ts). */
  readonly recovery?: boolean
  /** Whether the module can replicate heavy keys and shard the others (hybrid.ts). */
  readonly hybrid?: boolean
  /** For state that changes hands in the stream of packets: what a worker does about it (handover.ts). */
  readonly handover?: { readonly handOut: IrFunc; readonly takeIn: IrFunc }
  /** For shared state: the expanded packet function by form; `main` under the program lock if left out. */
  readonly shared?: ReadonlyMap<string, IrFunc>
  /** For sharding: returns the worker number of a packet (u32). */
  readonly steer?: IrFunc
}

/** What loops of one module share. */
export interface LoopParts {
  readonly module: Module
  readonly source: BatchSource
  readonly callees: ReadonlyMap<string, Func>
  /** The locks of shared state, where a form needs them. */
  readonly section?: Section
}

/** Blocks whose addresses every loop reads from the context first. */
const blocks = ['state', 'rules', 'settings', 'counters', 'steering'] as const

/** One exported loop function under construction. */
export class Loop {
  readonly func: Func
  readonly source: BatchSource
  private readonly callees: ReadonlyMap<string, Func>
  private readonly section: Section | undefined
  private added: Embedding['added']
  /** Parameters and locals by name. */
  readonly l: Record<string, Local>

  /** `extra` parameters, all i32, follow ctx, desc, count and seq. */
  constructor(parts: LoopParts, name: string, extra: readonly string[] = []) {
    const { module, source, callees, section } = parts
    this.source = source
    this.callees = callees
    this.section = section
    const own = Object.fromEntries(extra.map(n => [n, 'i32' as const]))
    this.func = module.func(name, { ctx: 'i32', desc: 'i32', count: 'i32', seq: 'i64', ...own }, [])
    module.export(name, this.func)
    this.l = { ...(this.func.params as Record<string, Local>) }
    for (const n of [...blocks, 'packet', 'length', 'i']) this.declare(n, 'i32')
    this.blocks.set('steering', this.l.steering)
    this.func.emit(blocks.map(n => [local.get(this.l.ctx), i32.load(context[n]), local.set(this.l[n])]))
  }

  declare(name: string, type: 'i32' | 'i64'): Local {
    return (this.l[name] ??= this.func.local(name, type))
  }

  /** for (; i < count; i++, step) body */
  each(body: Code, step: Code): void {
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

  /** The same for the worker's own packets alone; the others are not looked at. Sequence numbers are left to the body. */
  eachOwn(body: Code): void {
    const { i, count, desc } = this.l
    const turn = this.countdown()
    const { workers } = this.l
    const again = label('next')
    const done = label('done')
    const ahead = (packets: Local): Code => [
      [local.get(desc), local.get(packets), i32.const(descriptorBytes), i32.mul, i32.add, local.set(desc)],
      [local.get(i), local.get(packets), i32.add, local.tee(i), local.get(count)],
    ]
    this.func.emit(
      block(done, [
        [ahead(turn), i32.ge_u, br_if(done)],
        loop(again, [body, ahead(workers), i32.lt_u, br_if(again)]),
      ]),
    )
  }

  /** Moves to the next descriptor and sequence number. */
  nextPacket(): Code {
    const { desc, seq } = this.l
    return [
      [local.get(desc), i32.const(descriptorBytes), i32.add, local.set(desc)],
      [local.get(seq), i64.const(1), i64.add, local.set(seq)],
    ]
  }

  /** Loads the packet's address and length from its descriptor. */
  openPacket(): Code {
    const { desc, packet, length } = this.l
    return [
      [local.get(desc), i32.load(descriptor.address), local.set(packet)],
      [local.get(desc), i32.load(descriptor.length), local.set(length)],
    ]
  }

  /** A program function written in place; `leave` is what follows it, with its result. */
  inline(ir: IrFunc, leave: (result: Code) => Code, item?: Local): Code {
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
        this.blocks.has(name)
          ? { base: this.blocks.get(name)!, offset: 0 }
          : placed(source.placement, l.state, l.rules)(name),
      callee: name => {
        const lock = this.section?.calls.get(name)
        if (lock) return { func: lock, leading: [] }
        return { func: this.callees.get(name)!, leading: [local.get(l.state), local.get(l.rules)] }
      },
      ...(this.added && { added: this.added }),
      leave: results => [leave(results[0] ?? []), br(out)],
    }
    return block(out, [lower(ir, embedding)])
  }

  private readonly inputs = new Map<string, Code>()
  /** Blocks of memory besides those of the program's objects, by the names that functions know them by. */
  private readonly blocks = new Map<string, Local>()

  /** Gives functions a block of memory, whose address stands in a local. */
  knowBlock(name: string, at: Local): void {
    this.blocks.set(name, at)
  }

  /** Takes a property of the packet from elsewhere than its descriptor. */
  replaceInput(name: string, code: Code): void {
    this.inputs.set(name, code)
  }

  /** Has code follow every addition in one step. */
  noteAdditions(added: NonNullable<Embedding['added']>): void {
    this.added = added
  }

  private input(name: string): Code {
    const { l } = this
    const replaced = this.inputs.get(name)
    if (replaced) return replaced
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

  process(main = this.source.main): Code {
    const verdict = this.declare('verdict', 'i32')
    return [
      this.openPacket(),
      this.inline(main, result => [result, local.set(verdict)]),
      [local.get(this.l.desc), local.get(verdict), i32.store(descriptor.verdict)],
    ]
  }

  /** Notes when the packet at `index` was finished, if the slab is one that is sampled (stamps is not 0). */
  stamp(index: Local): Code {
    const { ctx, stamps } = this.l
    return [
      local.get(stamps),
      if_([
        [local.get(stamps), local.get(index), i32.const(2), i32.shl, i32.add],
        [local.get(ctx), i32.load(context.clock), i32.const(1), i32.atomic.rmw.add(), i32.store()],
      ]),
    ]
  }

  /** Packets until the worker's next own one (sequence number modulo workers = worker), as a local set up front. */
  countdown(): Local {
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

  restart(turn: Local): Code {
    return [local.get(this.l.workers), i32.const(1), i32.sub, local.set(turn)]
  }
}

/** Where a program's objects are, given the locals that hold the addresses of its blocks. */
export function placed(placement: Placement, state: Local, rules: Local): Embedding['object'] {
  return name => {
    const at = placement.objects.get(name)
    if (!at) throw new Error(`${name} has no place in memory`)
    return { base: at.rules ? rules : state, offset: at.offset }
  }
}

function loadSetting(base: Local, offset: number, type: Type): Code {
  return [local.get(base), type === 'i64' ? i64.load(offset) : i32.load(offset)]
}
