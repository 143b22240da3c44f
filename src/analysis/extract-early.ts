// Values that extract computes before it is known whether control will come to them, because state decides that.
//
// Nothing may depend on checks that were passed on the way: loads are checked, entries of rule tables are tested, phis
// become selects, and a loop is run as a whole. All of it is total, so running it in vain is only a loss of time.

import type { FunctionBuilder, Variable } from '../ir/builder.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { predIndex } from './cfg.js'
import { outcomesIn } from './choice.js'
import type { Choice } from './choice.js'
import type { DominatorTree } from './dominators.js'
import type { Loop } from './loops.js'
import { Refused } from './refusal.js'
import type { Data } from './slice-data.js'
import type { Flow } from './slice-flow.js'
import type { Taint } from './taint.js'

export interface EarlyContext {
  readonly body: Func
  readonly taint: Taint
  readonly flow: Flow
  readonly data: Data
  readonly tree: DominatorTree
}

/** Computes values at the end of one static block. */
export class Early {
  readonly block: Block
  private readonly b: FunctionBuilder
  private readonly passed: ReadonlyMap<Instr, Instr>
  private readonly c: EarlyContext
  private readonly made = new Map<Instr, Instr>()

  /** `passed` holds the values of static blocks that control has been through. */
  constructor(b: FunctionBuilder, block: Block, passed: ReadonlyMap<Instr, Instr>, context: EarlyContext) {
    this.b = b
    this.block = block
    this.passed = passed
    this.c = context
  }

  /** A packet-only value; the one that control has passed if it has. */
  value(i: Instr): Instr {
    const { flow, tree, taint } = this.c
    const place = flow.placeOf(i)
    if (tree.dominates(place, this.block) && !taint.dynamic.has(place)) return this.passed.get(i)!
    const known = this.made.get(i)
    if (known) return known
    const made = this.make(i)
    if (i.name !== undefined && made.op !== 'const') made.name = i.name
    this.made.set(i, made)
    return made
  }

  private make(i: Instr): Instr {
    const { data, flow } = this.c
    const simplest = data.simplest(i)
    if (simplest !== i) return this.value(simplest)
    const loop = flow.loopOf(flow.placeOf(i)) ?? flow.loopBehind(flow.placeOf(i))
    if (loop && (i.op === 'phi' || loop.blocks.has(flow.placeOf(i)))) {
      this.run(loop)
      return this.made.get(i)!
    }
    if (i.op !== 'phi') return this.emit(i, a => this.value(a))
    const selection = data.selection(i)
    if (!selection) throw refuse(i)
    const outcomes = outcomesIn(selection.choice)
    return this.decide(selection.choice, o =>
      this.value(selection.operands[outcomes.findIndex(x => x === o)]),
    )
  }

  private emit(i: Instr, value: (a: Instr) => Instr): Instr {
    const args = i.args.map(value)
    if (i.op === 'rules.load') return this.ruleLoad(i, args[0])
    const attrs = i.op === 'load' ? { ...i.attrs, checked: true } : i.attrs
    const made = this.b.emit(i.op, args, attrs, i.type)
    if (i.name !== undefined && i.op !== 'const') made.name = i.name
    return made
  }

  /** The value that the outcome of a choice stands for. */
  decide(choice: Choice, outcome: (c: Choice) => Instr): Instr {
    const done = new Map<Choice, Instr>()
    const walk = (c: Choice): Instr => {
      let value = done.get(c)
      if (value) return value
      if (c.kind === 'outcome') value = outcome(c)
      else {
        const [yes, no] = [walk(c.yes), walk(c.no)]
        value = this.b.emit('select', [this.value(c.cond), yes, no])
      }
      done.set(c, value)
      return value
    }
    return walk(choice)
  }

  /** Runs a copy of a loop; its values and the phis behind it are then known. */
  private run(loop: Loop): void {
    const { b, made } = this
    const join = this.c.flow.joinOf(loop)
    const order = reversePostorder(this.c.body).filter(block => loop.blocks.has(block))
    const inside = new Set(order.flatMap(block => block.instrs))
    const value = (i: Instr): Instr => (inside.has(i) ? made.get(i)! : this.value(i))
    // What comes from outside is computed once, before the loop.
    for (const i of [...inside, ...join.instrs.filter(i => i.op === 'phi')])
      for (const a of i.args) if (!inside.has(a)) this.value(a)
    for (const { term } of order) if (term.op === 'branch' && !inside.has(term.cond)) this.value(term.cond)

    const copies = new Map(order.map(block => [block, b.block()]))
    const behind = b.block()
    const phis = new Map<Instr, Variable>()
    for (const block of [...order, join])
      for (const i of block.instrs) if (i.op === 'phi') phis.set(i, b.variable(i.type, i.name))
    const enter = (to: Block, pred: number): void => {
      for (const i of to.instrs) if (i.op === 'phi') b.write(phis.get(i)!, value(i.args[pred]))
    }
    enter(
      loop.header,
      loop.header.preds.findIndex(p => !loop.blocks.has(p)),
    )
    b.jump(copies.get(loop.header)!)
    for (const block of order) {
      b.at(copies.get(block)!)
      for (const i of block.instrs) made.set(i, i.op === 'phi' ? b.read(phis.get(i)!) : this.emit(i, value))
      const ways = block.term.targets.map(to => (loop.blocks.has(to) ? copies.get(to)! : b.block()))
      block.term.targets.forEach((to, k) => {
        if (loop.blocks.has(to)) enter(to, predIndex(block, k))
      })
      if (block.term.op === 'branch') b.branch(value(block.term.cond), ways[0], ways[1])
      else b.jump(ways[0])
      block.term.targets.forEach((to, k) => {
        if (loop.blocks.has(to)) return
        b.seal(ways[k])
        b.at(ways[k])
        enter(join, join.preds.indexOf(to))
        b.jump(behind)
      })
    }
    for (const copy of copies.values()) b.seal(copy)
    b.seal(behind)
    b.at(behind)
    for (const i of join.instrs) if (i.op === 'phi') made.set(i, b.read(phis.get(i)!))
  }

  /** A rule entry that was not found must not be read. */
  private ruleLoad(i: Instr, entry: Instr): Instr {
    const { b } = this
    const [found, join] = [b.block(), b.block()]
    const result = b.variable(i.type, i.name)
    b.write(result, b.const(i.type, 0))
    b.branch(b.emit('ne', [entry, b.const('i32', 0)]), found, join)
    b.seal(found)
    b.at(found)
    b.write(result, b.emit('rules.load', [entry], i.attrs, i.type))
    b.jump(join)
    b.seal(join)
    b.at(join)
    return b.read(result)
  }
}

const refuse = (i: Instr): Refused =>
  new Refused({
    kind: 'state-guarded',
    reason:
      'this value is chosen behind a loop that only some packets come to, and state decides whether it is needed',
    ...(i.span && { span: i.span }),
  })
