// Folding: constants are computed, algebraic identities applied, byte swaps removed, addresses moved into offsets,
// branches on constants taken. The op table computes constants; the rules stand in identities.ts, conversions.ts and
// byte-order.ts. Value ranges decide what arithmetic alone cannot.

import { dropUnreachable } from '../ir/builder.js'
import { reversePostorder } from '../ir/order.js'
import { opInfo } from '../ir/ops.js'
import type { Attrs, Block, Func, Instr, Type } from '../ir/types.js'
import { everything, exactly, isExact, maxOf, transfer } from '../analysis/interval.js'
import type { Interval } from '../analysis/interval.js'
import { RangesOfFew } from '../analysis/ranges-on-demand.js'
import { Users } from '../analysis/uses.js'
import { byteOrder } from './byte-order.js'
import { comparisons, conversions } from './conversions.js'
import { demands } from './demanded.js'
import { constOf, dropTrivialPhis, keepTarget, newConst, newInstr, replaceOperands, resolve } from './edit.js'
import { arithmetic, bitwise } from './identities.js'
import { dueAgain } from './fold-memory.js'
import { fieldBitsOf } from './pass.js'
import type { Facts } from './pass.js'
import type { Rule, Rules, Site } from './rules.js'

/** Rules are applied again to their results until nothing changes, but no more often than this. */
const maxRounds = 6

/** The largest offset that addresses are moved into: that of an eBPF instruction. */
const maxOffset = 0x7fffn

const rulesOf = new Map<string, Rule[]>()
for (const rules of [arithmetic, bitwise, conversions, comparisons, byteOrder, demands] satisfies Rules[])
  for (const [op, rule] of Object.entries(rules)) rulesOf.set(op, [...(rulesOf.get(op) ?? []), rule])

/**
 * Folds the function until nothing more is found; looks at what changed since it last did, and may miss what only that
 * change makes foldable further away (fold-memory.ts).
 */
export function fold(func: Func, facts?: Facts): boolean {
  let changed = false
  let ranges: RangesOfFew | undefined
  const made: (Interval | undefined)[] = []
  for (let round = 0; round < maxRounds; round++) {
    const uses = new Users(func)
    const due = dueAgain(func, uses)
    ranges ??= new RangesOfFew(func, { bits: fieldBitsOf(facts) }, due === undefined)
    const folded = new Folding(func, ranges, made, uses, due).run()
    const branches = foldBranches(func)
    if (!folded && !branches) break
    changed = true
  }
  return changed
}

function foldBranches(func: Func): boolean {
  let changed = false
  for (const block of func.blocks) {
    const t = block.term
    if (t.op !== 'branch') continue
    const known = constOf(t.cond)
    if (known !== undefined) keepTarget(block, known ? 0 : 1)
    else if (t.cond.op === 'not' && t.targets[0] !== t.targets[1]) {
      t.cond = t.cond.args[0]
      t.targets = [t.targets[1], t.targets[0]]
    } else continue
    changed = true
  }
  if (changed) dropUnreachable(func)
  return dropTrivialPhis(func) || changed
}

const isConst = (i: Instr): boolean => i.op === 'const'

/** One round over a function. */
class Folding implements Site {
  private readonly func: Func
  private readonly ranges: RangesOfFew
  private readonly uses: Users
  /** By id, 1 for what is looked at; undefined if everything is. */
  private readonly due: Uint8Array | undefined
  private readonly replaced = new Map<Instr, Instr>()
  /** Of the instructions that folding made, by id; those of the others hold on, since values only change their form. */
  private readonly made: (Interval | undefined)[]
  private block: Block
  /** The instruction being folded; what is made for it comes from the same place in the source. */
  private origin: Instr | undefined
  private out: Instr[] = []
  private changed = false

  constructor(
    func: Func,
    ranges: RangesOfFew,
    made: (Interval | undefined)[],
    uses: Users,
    due: Uint8Array | undefined,
  ) {
    this.func = func
    this.ranges = ranges
    this.made = made
    this.uses = uses
    this.due = due
    this.block = func.blocks[0]
  }

  run(): boolean {
    for (const block of reversePostorder(this.func)) {
      this.block = block
      this.out = []
      const { instrs } = block
      for (let n = 0; n < instrs.length; n++) {
        const i = instrs[n]
        const { args } = i
        replaceOperands(i, this.replaced)
        if (this.due?.[i.id] === 0 && i.args === args) {
          this.out.push(i)
          continue
        }
        this.origin = i
        const [before, earlier] = [this.out.length, this.changed]
        this.changed = false
        const better = this.simplify(i)
        if (!better) {
          // What a rule made before it gave up is not needed.
          if (!this.changed) this.out.length = before
          this.changed ||= earlier
          this.out.push(i)
        } else {
          if (i.name !== undefined && better.name === undefined && this.made[better.id]) better.name = i.name
          this.replaced.set(i, better)
          this.changed = true
        }
      }
      this.settle(block)
      block.instrs = this.out
    }
    this.replaceLate()
    return this.changed
  }

  /** Uses that stand before what they use, or at the end of its block: all others were replaced on the way. */
  private replaceLate(): void {
    if (this.replaced.size === 0) return
    for (const { instrs, term } of this.func.blocks) {
      for (let n = 0; n < instrs.length && instrs[n].op === 'phi'; n++)
        replaceOperands(instrs[n], this.replaced)
      if (term.op === 'branch') term.cond = resolve(this.replaced, term.cond)
      else if (term.op === 'return') term.args = term.args.map(a => resolve(this.replaced, a))
    }
  }

  /** A branch that dominating branches decide. */
  private settle(block: Block): void {
    const t = block.term
    if (t.op !== 'branch') return
    const cond = resolve(this.replaced, t.cond)
    if (this.due?.[cond.id] === 0) return
    const range = this.range(cond)
    if (!isExact(range) || cond.op === 'const') return
    t.cond = this.const('i1', range.lo)
    this.changed = true
  }

  private simplify(i: Instr): Instr | undefined {
    if (i.op === 'phi') return undefined
    this.canonical(i)
    const info = opInfo(i.op)
    if (info.fold && i.args.every(isConst)) {
      const values = i.args.map(a => BigInt(a.attrs.value))
      return this.const(i.type, info.fold(values, i.type, i.args[0].type, i.attrs))
    }
    for (const rule of rulesOf.get(i.op) ?? []) {
      const better = rule(i, this)
      if (better) return better
    }
    if (!info.fold) return undefined
    const range = this.range(i)
    return isExact(range) ? this.const(i.type, range.lo) : undefined
  }

  /** Changes in place: truth that branches have settled, constants second, addresses as small as possible. */
  private canonical(i: Instr): void {
    const info = opInfo(i.op)
    for (let k = 0; k < i.args.length; k++) {
      const a = i.args[k]
      if (a.type !== 'i1' || a.op === 'const') continue
      const range = this.range(a)
      if (!isExact(range)) continue
      i.args = i.args.with(k, this.const('i1', range.lo))
      this.changed = true
    }
    if (info.commutative && constOf(i.args[0]) !== undefined && constOf(i.args[1]) === undefined) {
      i.args = [i.args[1], i.args[0]]
      this.changed = true
    }
    const address = info.attrs?.includes('offset') ? info.args.indexOf('i32') : -1
    if (address >= 0) while (this.shortenAddress(i, address)) this.changed = true
  }

  private shortenAddress(i: Instr, k: number): boolean {
    const at = i.args[k]
    const offset = BigInt(i.attrs.offset as number)
    const [base, more] = at.op === 'add' ? [at.args[0], constOf(at.args[1])] : [undefined, constOf(at)]
    if (!more || offset + more > maxOffset) return false
    if (base && this.range(base).hi + more > maxOf('i32')) return false
    i.args = i.args.with(k, base ?? this.const('i32', 0n))
    i.attrs = { ...i.attrs, offset: Number(offset + more) }
    return true
  }

  const(type: Type, value: bigint): Instr {
    return this.place(newConst(this.func, type, value))
  }

  make(op: string, args: Instr[], type?: Type, attrs: Attrs = {}): Instr {
    const i = newInstr(this.func, op, args, { attrs, ...(type && { type }) })
    return this.simplify(i) ?? this.place(i)
  }

  private place(i: Instr): Instr {
    if (this.origin?.span) i.span = this.origin.span
    this.out.push(i)
    this.made[i.id] = this.computed(i)
    return i
  }

  private computed(i: Instr): Interval {
    if (i.op === 'const') return exactly(BigInt(i.attrs.value))
    return opInfo(i.op).fold
      ? transfer(
          i,
          i.args.map(a => this.range(a)),
        )
      : everything(i.type)
  }

  range(value: Instr): Interval {
    return this.made[value.id] ?? this.ranges.at(value, this.block)
  }

  users(value: Instr): readonly (Instr | undefined)[] {
    return this.uses.of(value)
  }

  userCount(value: Instr): number {
    return this.uses.count(value)
  }
}
