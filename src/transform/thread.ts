// Jump threading: where control enters a block whose branch is already decided on that way (a phi gives a constant
// there, or a value that cannot be 0, or the same condition was tested before), it goes straight to the target. The
// block's instructions are copied onto the way. Loop headers are left alone, so that loops stay loops.

import { predIndex } from '../analysis/cfg.js'
import { SettledBranches } from '../analysis/control-dependence.js'
import type { KnownCondition } from '../analysis/control-dependence.js'
import { dominators } from '../analysis/dominators.js'
import { implied, isBound } from '../analysis/implied.js'
import type { Known } from '../analysis/implied.js'
import { Ranges } from '../analysis/ranges.js'
import { RangesOnDemand, zeroIn } from '../analysis/ranges-on-demand.js'
import { FarUses } from '../analysis/uses.js'
import { dropUnreachable } from '../ir/builder.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { cloneInstr } from './clone.js'
import { constOf, dropTrivialPhis, keepTarget, phisOf, removePred } from './edit.js'
import { reconstruct } from './ssa.js'

/** Instructions that may be copied to thread the ways through a block to one target. */
const maxCopied = 6
/** Copies made in one run. */
const maxCopies = 64

/**
 * Threads the ways that can be threaded now. More can come of that; whoever asks again should tidy up before, which leaves
 * fewer blocks to ask about.
 */
export const thread = (func: Func): boolean => threadOnce(func, () => true, maxCopies) !== undefined

/** Threads ways around branches on conditions of one kind, until there are no more. */
export function threadWhere(func: Func, isWanted: (cond: Instr) => boolean): boolean {
  let left = maxCopies
  for (let changed = false; ; changed = true) {
    const copies = threadOnce(func, isWanted, left)
    if (copies === undefined) return changed
    left -= copies
  }
}

/** The number of copies made, at most so many; undefined if nothing was changed. */
function threadOnce(func: Func, isWanted: (cond: Instr) => boolean, most: number): number | undefined {
  const possible = func.blocks.filter(
    b => b.term.op === 'branch' && b.preds.length > 1 && isWanted(b.term.cond) && isCopied(b),
  )
  if (possible.length === 0) return undefined
  // What is true of a value stays true while ways are redirected; copies are new values, of which nothing is known.
  const tree = dominators(func)
  let few: RangesOnDemand | undefined
  let all: Ranges | undefined
  const isZero: IsZero = i => {
    // What is not computed can be anything.
    if (i.op !== 'phi' && i.op !== 'const' && !opInfo(i.op).fold) return undefined
    if (all) return zeroIn(all.of(i))
    const zero = (few ??= new RangesOnDemand(func, { tree })).isZero(i)
    return zero === 'loop' ? zeroIn((all = new Ranges(func)).of(i)) : zero
  }
  const candidates = possible.filter(b => !b.preds.some(p => tree.dominates(b, p)))
  // Like the tree, it stays true of the blocks it speaks of while ways are redirected.
  const settled = new SettledBranches(func, tree)
  let uses: FarUses | undefined
  const usesNow = (): FarUses => (uses ??= new FarUses(func))
  let copies: number | undefined
  for (const block of candidates) {
    if ((copies ?? 0) >= most) break
    const made = threadBlock(func, block, settled, usesNow, isZero)
    if (made !== undefined) copies = (copies ?? 0) + made
  }
  if (copies === undefined) return undefined
  dropUnreachable(func)
  dropTrivialPhis(func)
  return copies
}

/** Whether a copy of the block repeats few enough instructions; constants cost nothing. */
function isCopied({ instrs }: Block): boolean {
  let count = 0
  for (const { op } of instrs) if (op !== 'phi' && op !== 'const' && ++count > maxCopied) return false
  return true
}

/** Whether a value is 0, where that is known. */
type IsZero = (i: Instr) => boolean | undefined

/** Threads the ways through a block that are decided; how many copies that took, or undefined if there are none. */
function threadBlock(
  func: Func,
  block: Block,
  settled: SettledBranches,
  uses: () => FarUses,
  isZero: IsZero,
): number | undefined {
  const groups: [number[], number[]] = [[], []]
  block.preds.forEach((p, pred) => {
    const k = outcome(block, pred, () => settled.at(p), isZero)
    if (k !== undefined) groups[k].push(pred)
  })
  for (const k of [0, 1] as const)
    if (groups[k].length === block.preds.length) {
      keepTarget(block, k)
      return 0
    }
  if (groups[0].length + groups[1].length === 0) return undefined
  redirect(func, block, groups, uses())
  return groups.filter(g => g.length).length
}

/** The target taken when control comes from predecessor `pred`, if known. */
function outcome(
  block: Block,
  pred: number,
  settled: () => readonly KnownCondition[],
  isZero: IsZero,
): 0 | 1 | undefined {
  if (block.term.op !== 'branch') return undefined
  const value = new Arrival(block, pred, settled, isZero).valueOf(block.term.cond)
  return value === undefined ? undefined : value ? 0 : 1
}

/** What is known where control enters a block on one way. */
class Arrival {
  private readonly block: Block
  private readonly pred: number
  private readonly settled: () => readonly KnownCondition[]
  private readonly isZero: IsZero
  /** What the branches that led here have decided, the last one first; taken when it is first asked for. */
  private decided: readonly Known[] | undefined

  constructor(block: Block, pred: number, settled: () => readonly KnownCondition[], isZero: IsZero) {
    this.block = block
    this.pred = pred
    this.settled = settled
    this.isZero = isZero
  }

  private get known(): readonly Known[] {
    if (this.decided) return this.decided
    const { term } = this.block.preds[this.pred]
    const settled = this.settled()
    return (this.decided =
      term.op === 'branch' && term.targets[0] !== term.targets[1]
        ? [{ cond: term.cond, value: term.targets[0] === this.block }, ...settled]
        : settled)
  }

  valueOf(i: Instr): bigint | undefined {
    if (i.op === 'const') return constOf(i)
    const isOwn = this.block.instrs.includes(i)
    if (isOwn && i.op === 'phi') return this.valueOf(i.args[this.pred])
    if (isOwn)
      return this.evaluated(i) ?? this.comparedWithZero(i) ?? this.impliedBy(i) ?? this.comparedWithKnown(i)
    if (i.type !== 'i1') return undefined
    const { known } = this
    for (let k = 0; k < known.length; k++) if (known[k].cond === i) return known[k].value ? 1n : 0n
    return this.impliedBy(i)
  }

  private evaluated(i: Instr): bigint | undefined {
    return opInfo(i.op).fold ? evaluate(i, a => this.valueOf(a)) : undefined
  }

  private impliedBy(i: Instr): bigint | undefined {
    if (!isBound(i)) return undefined
    const holds = implied(i, this.known)
    return holds === undefined ? undefined : holds ? 1n : 0n
  }

  /** Of `x = 0` and `x != 0`, where x is a phi of the block. */
  private comparedWithZero({ op, args: [a, b] }: Instr): bigint | undefined {
    if ((op !== 'eq' && op !== 'ne') || a.op !== 'phi' || !this.block.instrs.includes(a)) return undefined
    if (b.op !== 'const' || constOf(b) !== 0n) return undefined
    const zero = this.isZero(a.args[this.pred])
    return zero === undefined ? undefined : zero === (op === 'eq') ? 1n : 0n
  }

  /** Of a comparison with a number that is constant on this way. */
  private comparedWithKnown(i: Instr): bigint | undefined {
    if (i.op !== 'leu' && i.op !== 'ltu') return undefined
    const values = i.args.map(a => this.valueOf(a))
    if (values.every(v => v === undefined)) return undefined
    const args = i.args.map((a, k) => {
      const value = values[k]
      return value === undefined ? a : { ...a, op: 'const', args: [], attrs: { value } }
    })
    return this.impliedBy({ ...i, args })
  }
}

function evaluate(i: Instr, valueOf: (i: Instr) => bigint | undefined): bigint | undefined {
  const { fold } = opInfo(i.op)
  if (!fold) return undefined
  const values = i.args.map(valueOf)
  if (values.every(v => v !== undefined)) return fold(values, i.type, i.args[0].type, i.attrs)
  // One operand can settle a conjunction or a choice.
  if (i.op === 'and' && values.includes(0n)) return 0n
  if (i.op === 'or' && i.type === 'i1' && values.includes(1n)) return 1n
  if (i.op === 'select' && values[0] !== undefined) return values[0] ? values[1] : values[2]
  return undefined
}

/** Sends each group of predecessors through a copy of the block to the target of its number. */
function redirect(func: Func, block: Block, groups: readonly [number[], number[]], uses: FarUses): void {
  const replicas = new Map<Instr, Map<Block, Instr>>()
  for (const i of block.instrs) if (!uses.none(i)) replicas.set(i, new Map([[block, i]]))
  groups.forEach((preds, k) => {
    if (preds.length === 0) return
    const { copy, copies } = copyFor(func, block, preds)
    for (const i of copy.instrs) for (const a of i.args) uses.enter(a, copy, i)
    for (const [i, replica] of copies) replicas.get(i)?.set(copy, replica)
    const to = block.term.targets[k] as Block
    const at = predIndex(block, k)
    copy.term = { op: 'jump', targets: [to], ...(block.term.span && { span: block.term.span }) }
    for (const phi of phisOf(to)) {
      const arg = copies.get(phi.args[at]) ?? phi.args[at]
      phi.args.push(arg)
      uses.enter(arg, to, phi)
    }
    to.preds.push(copy)
    for (const pred of preds) block.preds[pred].term.targets[edgeTo(block.preds[pred], block, pred)] = copy
  })
  for (const pred of groups.flat().toSorted((a, b) => b - a)) removePred(block, pred)
  for (const [value, definitions] of replicas)
    if (uses.of(value).some(u => u.block !== block)) reconstruct(func, value, definitions, uses)
}

/** A copy of the block for some of its predecessors, without terminator, and what its instructions became. */
function copyFor(
  func: Func,
  block: Block,
  preds: readonly number[],
): { copy: Block; copies: Map<Instr, Instr> } {
  const copies = new Map<Instr, Instr>()
  const instrs: Instr[] = []
  for (const phi of phisOf(block)) {
    const args = preds.map(pred => phi.args[pred])
    if (args.length === 1) copies.set(phi, args[0])
    else {
      const replica: Instr = { ...phi, id: func.nextId++, args }
      copies.set(phi, replica)
      instrs.push(replica)
    }
  }
  for (const i of block.instrs) if (i.op !== 'phi') instrs.push(cloneInstr(func, i, copies))
  const copy: Block = {
    id: func.nextId++,
    instrs,
    term: { op: 'unreachable', targets: [] },
    preds: preds.map(pred => block.preds[pred]),
  }
  func.blocks.splice(func.blocks.indexOf(block), 0, copy)
  return { copy, copies }
}

/** Which of from's targets is the edge that is predecessor number `pred` of the block. */
function edgeTo(from: Block, block: Block, pred: number): number {
  const { targets } = from.term
  if (targets[0] !== block) return 1
  return targets[1] === block && block.preds.indexOf(from) !== pred ? 1 : 0
}
