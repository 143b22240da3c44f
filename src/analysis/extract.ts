// Generates extract: from a packet, whether it can change state (the effect bit), and if so its item.
//
// The function follows the state body's own control flow through its static blocks, so loads keep the bounds checks
// that prove them. In front of state-dependent code it jumps to where control is certain again; what that code needs of
// the packet is computed on the spot, with checked loads, whether or not control would have come there. Fields are
// variables that are written where they are needed and stored together at the end: an item is written whole when the
// result is 1 and not touched when it is 0. Contains no state operation and writes no packet.

import { FunctionBuilder } from '../ir/builder.js'
import type { Variable } from '../ir/builder.js'
import { opInfo } from '../ir/ops.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { prune } from '../transform/prune.js'
import { testsIn } from './choice.js'
import type { Choice } from './choice.js'
import { outcomesIn } from './choice.js'
import type { DominatorTree } from './dominators.js'
import type { Placement } from './item.js'
import { storeItem } from './item-code.js'
import { Early } from './extract-early.js'
import { isStateWrite } from './slice-body.js'
import type { Need } from './slice-cut.js'
import { isSelector, testBlocks } from './slice-data.js'
import type { Data } from './slice-data.js'
import type { Flow } from './slice-flow.js'
import type { Taint } from './taint.js'

export interface ExtractContext {
  readonly body: Func
  readonly name: string
  readonly taint: Taint
  readonly flow: Flow
  readonly data: Data
  readonly tree: DominatorTree
  readonly needs: readonly Need[]
  readonly placement: Placement
}

/** Throws Refused where a value cannot be computed before state is known. */
export function buildExtract(context: ExtractContext): Func {
  const func = new ExtractBuilder(context).build()
  prune(func, i => opInfo(i.op).effect === 'item.write')
  return func
}

class ExtractBuilder {
  private readonly c: ExtractContext
  private readonly b: FunctionBuilder
  private readonly blocks = new Map<Block, Block>()
  private readonly values = new Map<Instr, Instr>()
  private readonly phis = new Map<Instr, Variable>()
  private readonly fields: readonly Variable[]
  private readonly effect: Variable
  private readonly done: Block
  private readonly nothing: Block
  /** Edges not yet made into each block. */
  private readonly pending = new Map<Block, number>()
  private earlier: Early | undefined

  constructor(context: ExtractContext) {
    this.c = context
    this.b = new FunctionBuilder(context.name, [], 'i1')
    this.fields = context.needs.map(({ node }) => this.b.variable(isSelector(node) ? 'i32' : node.type))
    this.effect = this.b.variable('i1', 'effect')
    this.done = this.b.block()
    this.nothing = this.b.block()
  }

  build(): Func {
    const { b, c } = this
    const order = reversePostorder(c.body).filter(block => !c.taint.dynamic.has(block))
    for (const block of order) {
      this.blocks.set(block, b.block())
      for (const i of block.instrs)
        if (i.op === 'phi' && !c.taint.values.has(i)) this.phis.set(i, b.variable(i.type, i.name))
    }
    for (const block of order)
      for (const t of this.targets(block)) this.pending.set(t, (this.pending.get(t) ?? 0) + 1)
    b.write(this.effect, b.const('i1', 0))
    for (const field of this.fields) b.write(field, b.const(field.type, 0))
    b.jump(this.blocks.get(order[0])!)
    if (!this.pending.get(order[0])) b.seal(this.blocks.get(order[0])!)
    for (const block of order) this.block(block)
    this.finish()
    return b.finish()
  }

  /** Where a static block leads to, past dynamic code. */
  private targets(block: Block): Block[] {
    const { region: regionOf, resume } = this.c.taint
    const region = regionOf(block)
    return region.size ? [resume([...region][0])] : [...block.term.targets]
  }

  private block(block: Block): void {
    const { b, c } = this
    b.at(this.blocks.get(block)!)
    for (const i of block.instrs) {
      if (c.taint.values.has(i)) continue
      if (i.span) b.span = i.span
      this.values.set(i, i.op === 'phi' ? b.read(this.phis.get(i)!) : this.copy(i))
    }
    if (block.instrs.some(isStateWrite)) b.write(this.effect, b.const('i1', 1))
    const region = c.taint.region(block)
    c.needs.forEach((need, k) => this.field(need, this.fields[k], block, region))
    if (region.size) this.regionEffect(region, block)
    this.leave(block, region)
  }

  private copy(i: Instr): Instr {
    const args = i.args.map(a => this.values.get(a)!)
    const made = this.b.emit(i.op, args, i.attrs, i.type)
    if (i.name !== undefined) made.name = i.name
    return made
  }

  /** Writes the field if this block, or the dynamic code behind it, needs it. */
  private field({ node, places }: Need, field: Variable, block: Block, region: ReadonlySet<Block>): void {
    const { b } = this
    if (!isSelector(node)) {
      const at = [...places.keys()].find(p => p === block || region.has(p))
      const value = at && places.get(at)
      if (value && !isSelector(value)) b.write(field, this.valueAt(value, block))
      return
    }
    for (const choice of node.choices) {
      const outcomes = outcomesIn(choice)
      const number = (c: Choice): Instr =>
        b.const(
          'i32',
          outcomes.findIndex(o => o === c),
        )
      if (testBlocks(choice).some(t => region.has(t))) b.write(field, this.decide(choice, block, number))
      for (const test of testsIn(choice)) {
        if (!test.blocks.has(block)) continue
        const [then, otherwise] = [test.yes, test.no].map(c => (c.kind === 'outcome' ? number(c) : undefined))
        if (then && otherwise)
          b.write(field, b.emit('select', [this.valueAt(test.cond, block), then, otherwise]))
        else if (then ?? otherwise) b.write(field, (then ?? otherwise)!)
      }
    }
  }

  private regionEffect(region: ReadonlySet<Block>, block: Block): void {
    const { b, c } = this
    if (![...region].some(r => r.instrs.some(isStateWrite))) return
    const choice = c.flow.effectWithin(block, region)
    const bit = this.decide(choice, block, o => b.const('i1', o.kind === 'outcome' ? o.value : 0))
    const before = b.read(this.effect)
    b.write(
      this.effect,
      before.op === 'const' && before.attrs.value === 0n ? bit : b.emit('or', [before, bit]),
    )
  }

  private leave(block: Block, region: ReadonlySet<Block>): void {
    const { b, c } = this
    const { term } = block
    if (term.span) b.span = term.span
    if (term.op === 'return') return this.end()
    const targets = this.targets(block)
    for (const target of new Set(targets))
      for (const phi of target.instrs) {
        if (phi.op !== 'phi' || c.taint.values.has(phi)) continue
        const k = target.preds.findIndex(p => p === block || region.has(p))
        b.write(this.phis.get(phi)!, this.valueAt(phi.args[k], block))
      }
    const made = targets.map(t => this.blocks.get(t)!)
    if (made.length === 2 && term.op === 'branch') b.branch(this.valueAt(term.cond, block), made[0], made[1])
    else b.jump(made[0])
    for (const target of targets) {
      const left = this.pending.get(target)! - 1
      this.pending.set(target, left)
      if (left === 0) b.seal(this.blocks.get(target)!)
    }
  }

  /** The exit, on each way to it: known effect bits need no test. */
  private end(): void {
    const { b } = this
    const effect = b.read(this.effect)
    if (effect.op === 'const') b.jump(effect.attrs.value ? this.done : this.nothing)
    else b.branch(effect, this.done, this.nothing)
  }

  private finish(): void {
    const { b, c } = this
    b.span = undefined
    b.seal(this.done)
    b.seal(this.nothing)
    b.at(this.done)
    storeItem(
      b,
      c.placement,
      this.fields.map(f => b.read(f)),
      c.needs.map(n => n.bits),
    )
    b.return([b.const('i1', 1)])
    b.at(this.nothing)
    b.return([b.const('i1', 0)])
  }

  /** A packet-only value at the end of a static block, computed early if control has not passed its definition. */
  private valueAt(value: Instr, block: Block): Instr {
    return this.early(block).value(value)
  }

  private decide(choice: Choice, block: Block, outcome: (c: Choice) => Instr): Instr {
    return this.early(block).decide(choice, outcome)
  }

  private early(block: Block): Early {
    if (this.earlier?.block !== block) this.earlier = new Early(this.b, block, this.values, this.c)
    return this.earlier
  }
}
