// Control flow of the state body as state sees it: which blocks hold state-dependent code, and which one is reached next.
//
// A block is a *station* if it holds tainted instructions or ends in a tainted branch whose ways differ. Between
// stations lie only tests of the packet; they are gathered into one Choice of arrivals (choice.ts). Code that becomes
// equal on both ways needs no test, and ways on which a packet has no effect are left out where nothing was written
// before: whoever asks has the effect bit in hand. Loops between stations must lead to one arrival. Throws Refused.

import type { Block, Func, Instr } from '../ir/types.js'
import { reversePostorder } from '../ir/order.js'
import { predIndex } from './cfg.js'
import { Choices, outcomesIn, testsIn } from './choice.js'
import type { Choice } from './choice.js'
import { conclude } from './facts.js'
import type { Congruence } from './congruence.js'
import type { FactContext, Facts } from './facts.js'
import type { Loop } from './loops.js'
import { isStateWrite } from './slice-body.js'
import type { Taint } from './taint.js'

/** A station, entered in one of the ways that its tainted phis tell apart; no block means the exit. */
export interface Arrival {
  readonly block?: Block
  /** The predecessors that make this way; their operands agree. */
  readonly preds: readonly number[]
}

export interface FlowContext extends FactContext {
  readonly func: Func
  readonly taint: Taint
  readonly congruence: Congruence
  readonly choices: Choices
  readonly loops: readonly Loop[]
  /** The block behind each loop, by the loop's header. */
  readonly joins: ReadonlyMap<Block, Block>
}

export class Flow {
  /** 1 if the packet may change state; a function of the packet, never 0 where it does. */
  readonly effect: Choice
  private readonly implications: Facts = new Map()
  readonly stations = new Set<Block>()
  readonly arrivals: Arrival[] = [{ preds: [] }]
  /** What is reached first. */
  readonly start: Choice
  private readonly context: FlowContext
  private readonly effects = new Map<Block, Choice>()
  /** Loops that the packet alone runs: they are not taken apart. */
  private readonly opaque: readonly Loop[]
  /** Blocks that control can reach after a write. */
  private readonly after = new Set<Block>()
  private readonly reached = new Map<Block, Choice>()
  private readonly reachable = new Map<Block, Set<Block>>()
  private readonly arrivalOf = new Map<Block, number[]>()

  constructor(context: FlowContext) {
    this.context = context
    const { func, loops, taint } = context
    const [entry] = func.blocks
    this.opaque = loops.filter(l => ![...l.blocks].some(b => b.instrs.some(i => taint.values.has(i))))
    const backwards = reversePostorder(func).toReversed()
    for (const block of backwards) this.effects.set(block, this.effectFrom(block))
    this.effect = this.effectOf(entry)
    this.implied()
    for (const block of backwards) {
      if (block.instrs.some(isStateWrite)) for (const t of block.term.targets) this.after.add(t)
      if (block.instrs.some(i => taint.values.has(i))) this.stations.add(block)
    }
    for (const block of this.after) for (const t of block.term.targets) this.after.add(t)
    for (const block of backwards) if (!this.stations.has(block)) this.reached.set(block, this.from(block))
    this.start = this.stations.has(entry) ? this.arrive(entry, -1) : this.reached.get(entry)!
  }

  /** Where control goes from a station: one choice, or two where it ends in a tainted branch. */
  next(station: Block): Choice[] {
    const { term } = station
    if (term.op !== 'branch') return term.targets.map((_, k) => this.along(station, k))
    if (this.context.taint.values.has(term.cond)) return [this.along(station, 0), this.along(station, 1)]
    return [this.branch(station)]
  }

  /** True if a branch of a static block never goes to target k with the effect bit set. */
  isFutile(block: Block, k: number): boolean {
    if (this.after.has(block) || this.context.taint.dynamic.has(block)) return false
    if (block.instrs.some(isStateWrite)) return false
    const effect = this.effectOf(block.term.targets[k] as Block)
    return effect.kind === 'outcome' && effect.value === 0
  }

  /** A test in a decision, unless its outcome is known. */
  test(block: Block, then: Choice, otherwise: Choice, choices = this.context.choices): Choice {
    const { term } = block
    if (term.op !== 'branch') throw new Error('not a branch')
    const known = this.known(term.cond)
    if (known !== undefined) return known ? then : otherwise
    if (this.isFutile(block, 0)) return otherwise
    if (this.isFutile(block, 1)) return then
    return choices.test(term.cond, block, then, otherwise)
  }

  /** What lies behind a loop, if all ways out of it that matter (undefined: does not) agree. */
  behind(loop: Loop, along: (from: Block, k: number) => Choice | undefined): Choice | undefined {
    const ways = new Set<Choice>()
    for (const { from, target } of loop.exits) {
      const way = this.isFutile(from, target) ? undefined : along(from, target)
      if (way) ways.add(way)
    }
    return ways.size === 1 ? [...ways][0] : undefined
  }

  /** The outermost loop around a block that the packet alone runs. */
  loopOf(block: Block): Loop | undefined {
    return this.opaque.find(l => l.blocks.has(block))
  }

  /** The loop that the packet alone runs and that is left to this block. */
  loopBehind(join: Block): Loop | undefined {
    return this.opaque.find(l => !this.loopOf(join) && this.joinOf(l) === join)
  }

  /** The block that a loop is left to: see slice-loops.ts. */
  joinOf(loop: Loop): Block {
    return this.context.joins.get(loop.header)!
  }

  /** The outermost loop around a block that is not around another. */
  loopBefore(block: Block, other: Block): Loop | undefined {
    return this.context.loops.find(l => l.blocks.has(block) && !l.blocks.has(other))
  }

  /** The blocks that a choice of what is reached next leads to. */
  endsOf(choice: Choice): Block[] {
    return outcomesIn(choice).flatMap(o => this.arrivals[o.value].block ?? [])
  }

  /** True if control can come from a to b; true of a block and itself. */
  reaches(a: Block, b: Block): boolean {
    let found = this.reachable.get(a)
    if (!found) {
      found = new Set([a])
      for (const block of found) for (const t of block.term.targets) found.add(t)
      this.reachable.set(a, found)
    }
    return found.has(b)
  }

  /** The constant that a value is wherever the effect bit is set. */
  known(i: Instr): bigint | undefined {
    return this.implications.get(this.context.congruence.of(i))
  }

  /** The block an instruction stands in. */
  placeOf(i: Instr): Block {
    return this.context.places.get(i)!
  }

  /** Whether a write can follow from the start of a block. */
  private effectOf(block: Block): Choice {
    const loop = this.context.loops.find(l => l.blocks.has(block))
    return this.effects.get(loop?.header ?? block)!
  }

  private effectFrom(block: Block): Choice {
    const { choices, taint, loops } = this.context
    if (block.instrs.some(isStateWrite)) return choices.outcome(1)
    const loop = loops.find(l => l.blocks.has(block))
    if (loop && (block !== loop.header || [...loop.blocks].some(b => b.instrs.some(isStateWrite))))
      return choices.outcome(1)
    if (loop) return this.any(loop.exits.map(e => this.effectOf(e.from.term.targets[e.target] as Block)))
    const ways = block.term.targets.map(t => this.effectOf(t))
    const { term } = block
    if (term.op === 'branch' && !taint.values.has(term.cond))
      return choices.test(term.cond, block, ways[0], ways[1])
    return this.any(ways)
  }

  private any(effects: readonly Choice[]): Choice {
    const { choices } = this.context
    return effects.reduce((a, b) => choices.either(a, b), choices.outcome(0))
  }

  /** Whether a static block's dynamic region can write, as a choice between 0 and 1. */
  effectWithin(block: Block, region: ReadonlySet<Block>): Choice {
    const { choices, taint } = this.context
    const none = choices.outcome(0)
    const done = new Map<Block, Choice>()
    const from = (b: Block): Choice => {
      let choice = region.has(b) ? done.get(b) : none
      if (!choice) done.set(b, (choice = b.instrs.some(isStateWrite) ? choices.outcome(1) : leaving(b)))
      return choice
    }
    const leaving = (b: Block): Choice => {
      const loop = this.loopBefore(b, block)
      if (loop && [...loop.blocks].some(x => x.instrs.some(isStateWrite))) return choices.outcome(1)
      if (loop) return this.any(loop.exits.map(e => from(e.from.term.targets[e.target] as Block)))
      const ways = b.term.targets.map(from)
      const { term } = b
      if (term.op === 'branch' && !taint.values.has(term.cond))
        return choices.test(term.cond, undefined, ways[0], ways[1])
      return this.any(ways)
    }
    return leaving(block)
  }

  private implied(): void {
    const { choices } = this.context
    const none = choices.outcome(0)
    for (const { cond } of testsIn(this.effect))
      for (const value of [0n, 1n])
        if (choices.restrict(this.effect, cond, value === 0n) === none)
          conclude(cond, value, this.implications, this.context)
    for (const [i, value] of this.implications) this.implications.set(this.context.congruence.of(i), value)
  }

  /** What is reached from the start of a block without tainted instructions. */
  private from(block: Block): Choice {
    const { taint, choices } = this.context
    const loop = this.loopOf(block)
    if (loop && block !== loop.header) return choices.outcome(0)
    // Every way out leads to the block behind the loop (slice-loops.ts), unless no packet with an effect takes any.
    if (loop) return this.behind(loop, (from, k) => this.along(from, k)) ?? choices.outcome(0)
    const { term } = block
    if (term.op === 'jump') return this.along(block, 0)
    if (term.op !== 'branch') return choices.outcome(0)
    if (!taint.values.has(term.cond)) return this.branch(block)
    if (!this.waysDiffer(block)) return this.along(block, 0)
    this.stations.add(block)
    return choices.outcome(0)
  }

  private waysDiffer(block: Block): boolean {
    return this.along(block, 0) !== this.along(block, 1)
  }

  private branch(block: Block): Choice {
    const [then, otherwise] = [this.along(block, 0), this.along(block, 1)]
    return then === otherwise ? then : this.test(block, then, otherwise)
  }

  /** What is reached along an edge. */
  private along(from: Block, k: number): Choice {
    const to = from.term.targets[k] as Block
    return this.stations.has(to) ? this.arrive(to, predIndex(from, k)) : this.reached.get(to)!
  }

  private arrive(block: Block, pred: number): Choice {
    let ways = this.arrivalOf.get(block)
    if (!ways) {
      const byOperands = new Map<string, number[]>()
      const phis = block.instrs.filter(i => i.op === 'phi' && this.context.taint.values.has(i))
      block.preds.forEach((_, k) => {
        const key = phis.map(i => i.args[k].id).join(' ')
        byOperands.set(key, [...(byOperands.get(key) ?? []), k])
      })
      if (block.preds.length === 0) byOperands.set('', [-1])
      ways = []
      for (const preds of byOperands.values()) {
        const number = this.arrivals.push({ block, preds }) - 1
        for (const k of preds) ways[Math.max(k, 0)] = number
      }
      this.arrivalOf.set(block, ways)
    }
    return this.context.choices.outcome(ways[Math.max(pred, 0)])
  }
}
