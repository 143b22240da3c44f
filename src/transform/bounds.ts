// Bounds checks: a comparison of the packet's length that a dominating branch already answers becomes a constant, and a
// checked load that is proved present becomes unchecked. Checks at constant offsets also fall to value ranges in
// fold.ts; here the end of a header may be a variable plus a constant. Not in the pipeline: what the front end emits has
// no such checks left after folding (docs/decisions/0050-passes.md).

import { accessOf } from '../analysis/packet-versions.js'
import { dominators } from '../analysis/dominators.js'
import { maxOf } from '../analysis/interval.js'
import { Ranges } from '../analysis/ranges.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { newConst } from './edit.js'

/** base + k, which does not wrap; no base means 0. */
interface Sum {
  readonly base: Instr | undefined
  readonly k: bigint
}
/** What a branch says about the packet's length: base + k <= length, or base + k > length. */
interface Fact extends Sum {
  readonly fits: boolean
}

const isLength = (i: Instr): boolean => i.op === 'input' && i.attrs.name === 'length'
const maxDepth = 4

export function bounds(func: Func): boolean {
  return new Bounds(func).run()
}

class Bounds {
  private readonly func: Func
  private computedRanges: Ranges | undefined
  /** What holds in the block looked at. */
  private facts: readonly Fact[] = []

  constructor(func: Func) {
    this.func = func
  }

  /** Taken at the first question; constants put in afterwards only make them wider than needed. */
  private get ranges(): Ranges {
    this.computedRanges ??= new Ranges(this.func)
    return this.computedRanges
  }

  run(): boolean {
    let changed = false
    const tree = dominators(this.func)
    const known = new Map<Block, readonly Fact[]>()
    for (const block of tree.order) {
      const parent = tree.parent(block)
      this.facts = parent ? [...this.learned(block), ...known.get(parent)!] : []
      known.set(block, this.facts)
      for (const [at, i] of block.instrs.entries()) {
        if (i.attrs.checked === true && this.present(i)) i.attrs = { ...i.attrs, checked: false }
        else {
          const answer = this.answer(i)
          if (answer === undefined) continue
          const constant = newConst(this.func, 'i1', answer ? 1n : 0n)
          block.instrs[at] = Object.assign(i, { op: constant.op, args: [], attrs: constant.attrs })
        }
        changed = true
      }
      if (this.settle(block)) changed = true
    }
    return changed
  }

  /** A branch on a comparison that stands higher up, where less was known. */
  private settle(block: Block): boolean {
    const t = block.term
    const answer = t.op === 'branch' ? this.answer(t.cond) : undefined
    if (t.op !== 'branch' || answer === undefined) return false
    t.cond = newConst(this.func, 'i1', answer ? 1n : 0n)
    block.instrs.push(t.cond)
    return true
  }

  /** Facts of the branch that is this block's only way in. */
  private learned(block: Block): Fact[] {
    const [pred] = block.preds
    if (block.preds.length !== 1 || pred.term.op !== 'branch') return []
    const facts: Fact[] = []
    this.collect(pred.term.cond, pred.term.targets[0] === block, facts)
    return facts
  }

  private collect(cond: Instr, outcome: boolean, facts: Fact[]): void {
    if (cond.op === 'not') this.collect(cond.args[0], !outcome, facts)
    else if (cond.op === (outcome ? 'and' : 'or')) for (const c of cond.args) this.collect(c, outcome, facts)
    else {
      const question = this.question(cond)
      if (question) facts.push({ ...question, fits: question.fits === outcome })
    }
  }

  /** A comparison as a question: does base + k fit the length (or the opposite)? */
  private question(cond: Instr): Fact | undefined {
    if (cond.op !== 'leu' && cond.op !== 'ltu') return undefined
    const [a, b] = cond.args
    const strict = cond.op === 'ltu' ? 1n : 0n
    if (isLength(b)) return this.sum(a, strict, true)
    // length <= a is the opposite of a + 1 <= length, length < a that of a <= length.
    return isLength(a) ? this.sum(b, 1n - strict, false) : undefined
  }

  private sum(value: Instr, more: bigint, fits: boolean): Fact {
    let base: Instr | undefined = value
    let k = more
    while (base?.op === 'add' && base.args[1].op === 'const' && this.exact(base)) {
      k += BigInt(base.args[1].attrs.value)
      base = base.args[0]
    }
    if (base?.op === 'const') {
      k += BigInt(base.attrs.value)
      base = undefined
    }
    return { base, k, fits }
  }

  /** An addition that cannot wrap. */
  private exact(add: Instr): boolean {
    const [a, b] = add.args
    return this.ranges.of(a).hi + this.ranges.of(b).hi <= maxOf(add.type)
  }

  private answer(i: Instr): boolean | undefined {
    const question = this.question(i)
    if (!question) return undefined
    if (this.fits(question, maxDepth)) return question.fits
    return this.exceeds(question) ? !question.fits : undefined
  }

  private present(load: Instr): boolean {
    if (opInfo(load.op).effect !== 'packet.read') return false
    const { base, offset, width } = accessOf(load)
    const sum = base ? this.sum(base, offset + width, true) : { base, k: offset + width }
    return this.fits(sum, maxDepth)
  }

  private fits(sum: Sum, depth: number): boolean {
    const { base, k } = sum
    if (k <= 0n && !base) return true
    for (const f of this.facts) if (f.fits && f.base === base && f.k >= k) return true
    if (!base) return this.facts.some(f => f.fits && f.base && this.ranges.of(f.base).lo + f.k >= k)
    if (depth === 0) return false
    if (base.op === 'add' && this.exact(base))
      for (const [a, b] of [base.args, base.args.toReversed()])
        if (this.fits(this.sum(a, k + this.ranges.of(b).hi, true), depth - 1)) return true
    const { hi } = this.ranges.of(base)
    return hi < maxOf(base.type) && this.fits({ base: undefined, k: hi + k }, depth - 1)
  }

  private exceeds(sum: Sum): boolean {
    return this.facts.some(f => !f.fits && f.base === sum.base && f.k <= sum.k)
  }
}
