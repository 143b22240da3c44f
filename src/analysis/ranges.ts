// Which values each instruction can give: bounds and significant bits, for the whole function and, more narrowly, at a
// block, where the branches that must have been taken say more (`if (x < 10)`). Sound for every input; loops are
// widened after a few rounds and then narrowed. What operations do to intervals stands in interval.ts.

import { predIndex } from './cfg.js'
import { dominators } from './dominators.js'
import type { DominatorTree } from './dominators.js'
import {
  bitLength,
  everything,
  exactly,
  intersect,
  interval,
  maxOf,
  sameInterval,
  transfer,
  union,
} from './interval.js'
import type { Interval } from './interval.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'

export interface RangeOptions {
  /** Bits an instruction is known to need, if its op does not say: fields of state, settings. */
  readonly bits?: (i: Instr) => number | undefined
  readonly tree?: DominatorTree
}

/** Facts that hold when a condition has a known outcome: this value lies in that interval. */
type Facts = ReadonlyMap<Instr, Interval>

/** A condition whose outcome is known in every block that `entry` dominates, if any. */
interface Settled {
  readonly cond: Instr
  readonly outcome: boolean
  readonly entry: Block | undefined
  /** The values in the condition, but for constants: what is known of one bears on the others. */
  readonly values: ReadonlySet<Instr>
}

/** Rounds before loops are widened to the signed maximum, and before they are widened to everything. */
const widenAfter = [3, 6] as const
const narrowings = 2

export class Ranges {
  /** By id of the instruction, as are the mentions. */
  protected readonly known: (Interval | undefined)[]
  protected readonly tree: DominatorTree
  protected readonly facts = new Map<Instr, { yes?: Facts; no?: Facts }>()
  /** For each value, the conditions that may say something about it, where they are settled. */
  private readonly mentions: (Settled[] | undefined)[]
  /** Those of them that are settled somewhere. */
  private readonly guards: (Settled[] | undefined)[]
  private widened = false
  /** Values whose users must be looked at again: 1 by id. Those of the round before stand in the other array. */
  private stale: Uint8Array
  private staleBefore: Uint8Array
  private anyStale = false
  /** By id, 1 for what later rounds look at. */
  private readonly late: Uint8Array
  private readonly bitsHint: NonNullable<RangeOptions['bits']>

  constructor(func: Func, options: RangeOptions = {}) {
    this.bitsHint = options.bits ?? (() => undefined)
    this.tree = options.tree ?? dominators(func)
    this.known = Array(func.nextId)
    this.mentions = Array(func.nextId)
    this.guards = Array(func.nextId)
    this.late = new Uint8Array(func.nextId)
    this.stale = new Uint8Array(func.nextId)
    this.staleBefore = new Uint8Array(func.nextId)
    const { order } = this.tree
    for (const block of order) this.mention(block)
    for (const p of func.params) this.known[p.id] = everything(p.type)
    this.settle(order)
  }

  /** Finds the ranges of all values. */
  protected settle(order: readonly Block[]): void {
    this.round(order, 0)
    if (hasLoop(order)) this.iterate(order)
  }

  /** Without loops one round is enough: every operand is known before it is used. */
  private iterate(order: readonly Block[]): void {
    for (let round = 1; this.round(order, round); round++);
    for (let k = 0; k < narrowings && this.widened; k++) this.round(order, -1)
    this.facts.clear()
  }

  /** Enters the block's condition for every value that collect() may learn something about. */
  private mention(block: Block): void {
    const { term } = block
    if (term.op !== 'branch') return
    const values = new Set<Instr>([term.cond])
    const settled = term.targets.map((target, k) => {
      const entry = target.preds.length === 1 ? target : undefined
      return { cond: term.cond, outcome: k === 0, entry, values }
    })
    const guards = settled.filter(({ entry }) => entry)
    for (const value of values) {
      if (value.op === 'const') continue
      enter(this.mentions, value, settled)
      enter(this.guards, value, guards)
      if (value.type === 'i1' && opInfo(value.op).fold)
        for (const a of value.args) if (a.op !== 'const') values.add(a)
      if (value.op === 'sub') values.add(value.args[0])
    }
  }

  /** What the value can be, anywhere. */
  of(value: Instr): Interval {
    return this.known[value.id] ?? everything(value.type)
  }

  /** What the value can be while `block` is executed. */
  at(value: Instr, block: Block): Interval {
    let range = this.of(value)
    const guards = this.guards[value.id]
    if (!guards) return range
    for (let k = 0; k < guards.length; k++) {
      const { cond, outcome, entry } = guards[k]
      if (this.tree.dominates(entry!, block)) range = this.refine(range, value, cond, outcome)
    }
    return range
  }

  /** Significant bits: the value is below 2^bits. */
  bits(value: Instr): number {
    return bitLength(this.of(value).hi)
  }

  /** What operand `pred` of a phi in `block` can be when control comes from there. */
  protected atEdge(value: Instr, block: Block, pred: number): Interval {
    const from = block.preds[pred]
    const range = this.at(value, from)
    if (!this.mentions[value.id]) return range
    if (from.term.op !== 'branch' || from.term.targets[0] === from.term.targets[1]) return range
    const target = predIndex(from, 0) === pred && from.term.targets[0] === block ? 0 : 1
    return this.refine(range, value, from.term.cond, target === 0)
  }

  private refine(range: Interval, value: Instr, cond: Instr, outcome: boolean): Interval {
    const fact = this.factsOf(cond, outcome).get(value)
    return (fact && intersect(range, fact)) ?? range
  }

  private factsOf(cond: Instr, outcome: boolean): Facts {
    let both = this.facts.get(cond)
    if (!both) this.facts.set(cond, (both = {}))
    let facts = outcome ? both.yes : both.no
    if (!facts) {
      const found = new Map<Instr, Interval>()
      this.collect(cond, outcome, found)
      facts = found
      both[outcome ? 'yes' : 'no'] = facts
    }
    return facts
  }

  private collect(cond: Instr, outcome: boolean, facts: Map<Instr, Interval>): void {
    const learn = (value: Instr, fact: Interval | undefined): void => {
      const before = facts.get(value)
      const both = before && fact ? intersect(before, fact) : fact
      if (both) facts.set(value, both)
      // x - c in lo..hi: x in lo + c..hi + c, if that does not wrap.
      const c =
        value.op === 'sub' && value.args[1].op === 'const' ? BigInt(value.args[1].attrs.value) : undefined
      if (c !== undefined && both && both.hi + c <= maxOf(value.type))
        learn(value.args[0], interval(both.lo + c, both.hi + c))
    }
    learn(cond, exactly(outcome ? 1n : 0n))
    const [a, b] = cond.args
    if (cond.op === 'not') this.collect(a, !outcome, facts)
    else if (cond.op === (outcome ? 'and' : 'or')) for (const c of cond.args) this.collect(c, outcome, facts)
    else if (cond.op === (outcome ? 'eq' : 'ne')) {
      learn(a, this.of(b))
      learn(b, this.of(a))
    } else if (cond.op === (outcome ? 'ne' : 'eq')) {
      learn(a, this.without(a, b))
      learn(b, this.without(b, a))
    } else this.order(cond, outcome, learn)
  }

  /** a without b's value, where that is one end of a. */
  private without(a: Instr, b: Instr): Interval | undefined {
    const [x, y] = [this.of(a), this.of(b)]
    if (y.lo !== y.hi || x.lo === x.hi) return undefined
    if (x.lo === y.lo) return interval(x.lo + 1n, x.hi, x.ones)
    return x.hi === y.lo ? interval(x.lo, x.hi - 1n, x.ones) : undefined
  }

  private order(cond: Instr, outcome: boolean, learn: (v: Instr, fact: Interval | undefined) => void): void {
    const strict = cond.op === 'ltu' || cond.op === 'lts'
    if (!strict && cond.op !== 'leu' && cond.op !== 'les') return
    const [small, large] = outcome ? cond.args : [cond.args[1], cond.args[0]]
    const gap = strict === outcome ? 1n : 0n
    const [s, l] = [this.of(small), this.of(large)]
    const type = small.type
    const half = maxOf(type) >> 1n
    if ((cond.op === 'lts' || cond.op === 'les') && (s.hi > half || l.hi > half)) return
    if (l.hi >= gap) learn(small, interval(0n, l.hi - gap))
    if (s.lo + gap <= maxOf(type)) learn(large, { lo: s.lo + gap, hi: maxOf(type), ones: maxOf(type) })
  }

  /**
   * One pass over the function; true if something changed that was looked at before. Round 0 evaluates everything, round
   * 1 the phis that had to do without an operand, and all later ones what depends on values that changed; round < 0
   * narrows.
   */
  private round(order: readonly Block[], round: number): boolean {
    const [before, stale] = [this.stale, this.staleBefore.fill(0)]
    this.stale = stale
    this.staleBefore = before
    this.anyStale = false
    this.facts.clear()
    for (const block of order) {
      const { instrs } = block
      for (let n = 0; n < instrs.length; n++) {
        const i = instrs[n]
        if (round === 0) {
          this.known[i.id] = this.evaluate(i, block)
          if (i.op === 'phi' && !i.args.every(a => this.known[a.id])) this.late[i.id] = 1
          continue
        }
        // What took part in no loop stays as round 0 found it.
        let due = i.op === 'phi' && this.late[i.id] === 1 && (round < 0 || round === 1)
        const { args } = i
        for (let k = 0; k < args.length && !due; k++) due = before[args[k].id] + stale[args[k].id] > 0
        if (!due) continue
        this.late[i.id] = 1
        const was = this.known[i.id]
        let now = this.evaluate(i, block)
        if (round >= 0 && was && i.op === 'phi') now = this.widen(was, union(was, now), round, i)
        if (was && sameInterval(was, now)) continue
        this.known[i.id] = now
        this.spread(i)
      }
    }
    return this.anyStale
  }

  /** A value has changed, and with it what conditions say about the values beside it. */
  private spread(value: Instr): void {
    this.anyStale = true
    this.stale[value.id] = 1
    for (const { values, cond } of this.mentions[value.id] ?? []) {
      this.facts.delete(cond)
      for (const v of values) this.stale[v.id] = 1
    }
  }

  private widen(before: Interval, now: Interval, round: number, i: Instr): Interval {
    if (round < widenAfter[0] || sameInterval(before, now)) return now
    this.widened = true
    const half = maxOf(i.type) >> 1n
    return round < widenAfter[1] && now.hi <= half ? interval(0n, half) : everything(i.type)
  }

  /** What the operands can be; the choices of a select as its condition has them. */
  private argsOf(i: Instr, block: Block): Interval[] {
    const args: Interval[] = []
    for (let k = 0; k < i.args.length; k++) args.push(this.at(i.args[k], block))
    if (i.op !== 'select') return args
    const chosen = (k: 1 | 2): Interval => {
      const facts = new Map<Instr, Interval>()
      this.collect(i.args[0], k === 1, facts)
      const fact = facts.get(i.args[k])
      return (fact && intersect(args[k], fact)) ?? args[k]
    }
    return [args[0], chosen(1), chosen(2)]
  }

  /** Whether a phi can get this operand as far as is known yet: a loop's operands come in with the next round. */
  protected arrives(operand: Instr): boolean {
    return this.known[operand.id] !== undefined
  }

  protected evaluate(i: Instr, block: Block): Interval {
    if (i.op === 'const') return exactly(BigInt(i.attrs.value))
    if (i.op === 'phi') {
      let all: Interval | undefined
      for (let k = 0; k < i.args.length; k++) {
        if (!this.arrives(i.args[k])) continue
        const from = this.atEdge(i.args[k], block, k)
        all = all ? union(all, from) : from
      }
      return all ?? everything(i.type)
    }
    const { width } = i.attrs
    const known = this.bitsHint(i) ?? (typeof width === 'number' ? width * 8 : undefined)
    const range = transfer(i, this.argsOf(i, block))
    return (known !== undefined && intersect(range, interval(0n, (1n << BigInt(known)) - 1n))) || range
  }
}

/** Adds to the list of a value. */
function enter(lists: (Settled[] | undefined)[], { id }: Instr, settled: readonly Settled[]): void {
  const list = lists[id]
  if (list) list.push(...settled)
  else if (settled.length) lists[id] = [...settled]
}

function hasLoop(order: readonly Block[]): boolean {
  const seen = new Set<Block>()
  for (const block of order) {
    seen.add(block)
    if (block.term.targets.some(t => seen.has(t))) return true
  }
  return false
}

/** The ranges of a function as it is now. */
export const ranges = (func: Func, options?: RangeOptions): Ranges => new Ranges(func, options)
