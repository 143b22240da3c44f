// Which values each instruction can give: bounds and significant bits, for the whole function and, more narrowly, at a
// block, where the branches that must have been taken say more (`if (x < 10)`). Sound for every input; loops are
// widened after a few rounds and then narrowed. What operations do to intervals stands in interval.ts.

import { predIndex } from './cfg.js'
import { reversePostorder } from '../ir/order.js'
import { settledBranches } from './control-dependence.js'
import type { KnownCondition } from './control-dependence.js'
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
import type { Block, Func, Instr } from '../ir/types.js'

export interface RangeOptions {
  /** Bits an instruction is known to need, if its op does not say: fields of state, settings. */
  readonly bits?: (i: Instr) => number | undefined
  readonly tree?: DominatorTree
}

/** Facts that hold when a condition has a known outcome: this value lies in that interval. */
type Facts = ReadonlyMap<Instr, Interval>

/** Rounds before loops are widened to the signed maximum, and before they are widened to everything. */
const widenAfter = [3, 6] as const
const narrowings = 2

export class Ranges {
  private readonly known = new Map<Instr, Interval>()
  private readonly settled: ReadonlyMap<Block, readonly KnownCondition[]>
  private readonly facts = new Map<Block, Map<boolean, Facts>>()
  private readonly bitsHint: NonNullable<RangeOptions['bits']>

  constructor(func: Func, options: RangeOptions = {}) {
    this.bitsHint = options.bits ?? (() => undefined)
    this.settled = settledBranches(func, options.tree ?? dominators(func))
    const order = reversePostorder(func)
    for (const p of func.params) this.known.set(p, everything(p.type))
    let round = 0
    while (this.round(order, round)) {
      round++
      this.facts.clear()
    }
    for (let k = 0; k < narrowings; k++) {
      this.facts.clear()
      this.round(order, -1)
    }
    this.facts.clear()
  }

  /** What the value can be, anywhere. */
  of(value: Instr): Interval {
    return this.known.get(value) ?? everything(value.type)
  }

  /** What the value can be while `block` is executed. */
  at(value: Instr, block: Block): Interval {
    let range = this.of(value)
    for (const { block: from, value: outcome } of this.settled.get(block) ?? [])
      range = this.refine(range, value, from, outcome)
    return range
  }

  /** Significant bits: the value is below 2^bits. */
  bits(value: Instr): number {
    return bitLength(this.of(value).hi)
  }

  /** What operand `pred` of a phi in `block` can be when control comes from there. */
  private atEdge(value: Instr, block: Block, pred: number): Interval {
    const from = block.preds[pred]
    const range = this.at(value, from)
    if (from.term.op !== 'branch' || from.term.targets[0] === from.term.targets[1]) return range
    const target = predIndex(from, 0) === pred && from.term.targets[0] === block ? 0 : 1
    return this.refine(range, value, from, target === 0)
  }

  private refine(range: Interval, value: Instr, from: Block, outcome: boolean): Interval {
    const fact = this.factsOf(from, outcome).get(value)
    return (fact && intersect(range, fact)) ?? range
  }

  private factsOf(block: Block, outcome: boolean): Facts {
    let both = this.facts.get(block)
    if (!both) this.facts.set(block, (both = new Map()))
    let facts = both.get(outcome)
    if (!facts) {
      const found = new Map<Instr, Interval>()
      if (block.term.op === 'branch') this.collect(block.term.cond, outcome, found)
      both.set(outcome, (facts = found))
    }
    return facts
  }

  private collect(cond: Instr, outcome: boolean, facts: Map<Instr, Interval>): void {
    const learn = (value: Instr, fact: Interval | undefined): void => {
      const before = facts.get(value)
      const both = before && fact ? intersect(before, fact) : fact
      if (both) facts.set(value, both)
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

  /** One pass over the function; true if something changed. round < 0 narrows. */
  private round(order: readonly Block[], round: number): boolean {
    let changed = false
    for (const block of order)
      for (const i of block.instrs) {
        const before = this.known.get(i)
        let now = this.evaluate(i, block)
        if (round >= 0 && before && i.op === 'phi') now = widen(before, union(before, now), round, i)
        if (before && sameInterval(before, now)) continue
        this.known.set(i, now)
        changed = true
      }
    return changed
  }

  private evaluate(i: Instr, block: Block): Interval {
    if (i.op === 'const') return exactly(BigInt(i.attrs.value))
    if (i.op === 'phi') {
      const from = i.args.flatMap((a, k) => (this.known.has(a) ? [this.atEdge(a, block, k)] : []))
      return from.length ? from.reduce(union) : everything(i.type)
    }
    const { width } = i.attrs
    const known = this.bitsHint(i) ?? (typeof width === 'number' ? width * 8 : undefined)
    const range = transfer(
      i,
      i.args.map(a => this.at(a, block)),
    )
    return (known !== undefined && intersect(range, interval(0n, (1n << BigInt(known)) - 1n))) || range
  }
}

function widen(before: Interval, now: Interval, round: number, i: Instr): Interval {
  if (round < widenAfter[0] || sameInterval(before, now)) return now
  const half = maxOf(i.type) >> 1n
  if (round < widenAfter[1] && now.hi <= half) return interval(0n, half)
  return everything(i.type)
}

/** The ranges of a function as it is now. */
export const ranges = (func: Func, options?: RangeOptions): Ranges => new Ranges(func, options)
