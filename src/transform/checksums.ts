// Several changes of one checksum become one. Each assignment to a header field folds what it changes into the
// checksum (lang/views-write.ts): to 16 bits by adding the halves twice. Folding a sum that holds a folded sum gives the
// same as folding all of it at once, 0 included, which it is only if every part is; and a 16-bit word and its
// complement make 0xffff. So addresses that are exchanged cost nothing. What is stored in between goes with
// dead-stores.ts.

import { Ranges } from '../analysis/ranges.js'
import { Uses } from '../analysis/uses.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { constOf, newConst, newInstr, replaceUses } from './edit.js'

const half = 0xffffn
const largest = 0xffff_ffffn

/** What a fold adds up: values and a constant, together below 2^32. */
interface Sum {
  readonly terms: readonly Instr[]
  readonly constant: bigint
}

export function mergeChecksums(func: Func): boolean {
  const found: { block: Block; fold: Instr; sum: Instr }[] = []
  for (const block of func.blocks)
    for (const fold of block.instrs) {
      const sum = foldedBy(fold)
      if (sum) found.push({ block, fold, sum })
    }
  if (found.length === 0) return false
  const merging = new Merging(func)
  for (const { block, fold, sum } of found) merging.visit(block, fold, sum)
  replaceUses(func, merging.replaced)
  return merging.replaced.size > 0
}

/** The sum s of a fold: t + (t >> 16), t = (s & 0xffff) + (s >> 16); its low half is what counts. */
function foldedBy(i: Instr): Instr | undefined {
  const [t, high] = i.op === 'add' && i.type === 'i32' ? i.args : []
  if (!t || t.op !== 'add' || !isShifted(high, t)) return undefined
  const [low, rest] = t.args
  if (low.op !== 'and' || constOf(low.args[1]) !== half || !isShifted(rest, low.args[0])) return undefined
  return low.args[0]
}

const isShifted = (i: Instr, of: Instr): boolean =>
  i.op === 'shru' && i.args[0] === of && constOf(i.args[1]) === 16n

class Merging {
  readonly replaced = new Map<Instr, Instr>()
  private readonly func: Func
  private readonly ranges: Ranges
  private readonly uses: Uses
  /** What the folds looked at add up. */
  private readonly sums = new Map<Instr, Sum>()

  constructor(func: Func) {
    this.func = func
    this.ranges = new Ranges(func)
    this.uses = new Uses(func)
  }

  visit(block: Block, fold: Instr, sum: Instr): void {
    const parts = this.parts(sum)
    if (!parts) return
    const cancelled = this.cancel(parts)
    this.sums.set(fold, cancelled)
    if (cancelled === parts && !this.merged(sum)) return
    if (!this.lowHalfOnly(fold)) return
    const made = this.build(cancelled, fold)
    this.replaced.set(fold, made[made.length - 1])
    block.instrs.splice(block.instrs.indexOf(fold), 0, ...made)
  }

  /** The parts of a sum, with those of folds in it instead of the folds; undefined if it may wrap. */
  private parts(sum: Instr): Sum | undefined {
    const terms: Instr[] = []
    let constant = 0n
    let most = 0n
    const enter = (i: Instr): boolean => {
      const c = constOf(i)
      const inner = this.innerOf(i)
      if (c !== undefined) constant += c
      else if (inner) {
        for (const t of inner.terms) enter(t)
        constant += inner.constant
      } else if (i.op === 'add' && this.isExact(i)) return i.args.every(enter)
      else {
        terms.push(i)
        most += this.ranges.of(i).hi
      }
      return most + constant <= largest
    }
    return enter(sum) ? { terms, constant } : undefined
  }

  private isExact(add: Instr): boolean {
    return add.args.reduce((n, a) => n + this.ranges.of(a).hi, 0n) <= largest
  }

  /** The sum that the low half of a fold stands for. */
  private innerOf(i: Instr): Sum | undefined {
    return i.op === 'and' && constOf(i.args[1]) === half ? this.sums.get(i.args[0]) : undefined
  }

  private merged(sum: Instr): boolean {
    return this.innerOf(sum) !== undefined || (sum.op === 'add' && sum.args.some(a => this.merged(a)))
  }

  /** Words and their complements make 0xffff each. */
  private cancel(sum: Sum): Sum {
    const left = [...sum.terms]
    let { constant } = sum
    for (const term of sum.terms) {
      if (term.op !== 'xor' || constOf(term.args[1]) !== half) continue
      const at = left.indexOf(term.args[0])
      if (at < 0 || !left.includes(term) || this.ranges.of(term.args[0]).hi > half) continue
      left.splice(at, 1)
      left.splice(left.indexOf(term), 1)
      constant += half
    }
    return left.length === sum.terms.length ? sum : { terms: left, constant }
  }

  /** Nobody looks above the low 16 bits. */
  private lowHalfOnly(i: Instr): boolean {
    return this.uses.of(i).every(({ instr, operand }) => {
      if (!instr) return false
      const mask = constOf(instr.args[1])
      if (instr.op === 'and') return operand === 0 && mask !== undefined && mask <= half
      if (instr.op === 'store') return operand === 2 && instr.attrs.width === 2
      return instr.op === 'xor' && mask !== undefined && this.lowHalfOnly(instr)
    })
  }

  /** The fold anew; the last instruction is its value. */
  private build({ terms, constant }: Sum, like: Instr): Instr[] {
    const out: Instr[] = []
    const put = (i: Instr): Instr => {
      if (like.span) i.span = like.span
      out.push(i)
      return i
    }
    const number = (v: bigint): Instr => put(newConst(this.func, 'i32', v))
    const op = (name: string, ...args: Instr[]): Instr => put(newInstr(this.func, name, args))
    const all = constant > 0n || terms.length === 0 ? [...terms, number(constant)] : terms
    const sum = all.reduce((a, b) => op('add', a, b))
    const sixteen = number(16n)
    const once = op('add', op('and', sum, number(half)), op('shru', sum, sixteen))
    op('add', once, op('shru', once, sixteen))
    return out
  }
}
