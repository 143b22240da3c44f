// Jump threading: where control enters a block whose branch is already decided on that way (a phi gives a constant
// there, or the same condition was tested before), it goes straight to the target. The block's instructions are copied
// onto the way. Loop headers are left alone, so that loops stay loops.

import { predIndex } from '../analysis/cfg.js'
import { settledBranches } from '../analysis/control-dependence.js'
import type { KnownCondition } from '../analysis/control-dependence.js'
import { dominators } from '../analysis/dominators.js'
import { Uses } from '../analysis/uses.js'
import { dropUnreachable } from '../ir/builder.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { cloneInstr } from './clone.js'
import { constOf, dropTrivialPhis, phisOf, removePred } from './edit.js'
import { reconstruct } from './ssa.js'

/** Instructions that may be copied to thread one way through a block. */
const maxCopied = 6
/** Ways threaded in one run. */
const maxThreads = 64

export function thread(func: Func): boolean {
  let n = 0
  while (n < maxThreads && threadOne(func)) n++
  if (n) dropTrivialPhis(func)
  return n > 0
}

function threadOne(func: Func): boolean {
  const tree = dominators(func)
  const settled = settledBranches(func, tree)
  for (const block of func.blocks) {
    if (block.term.op !== 'branch' || block.preds.length < 2) continue
    if (block.preds.some(p => tree.dominates(block, p))) continue
    if (block.instrs.length - phisOf(block).length > maxCopied) continue
    for (let pred = 0; pred < block.preds.length; pred++) {
      const target = outcome(block, pred, settled.get(block.preds[pred])!)
      if (target === undefined) continue
      redirect(func, block, pred, target)
      return true
    }
  }
  return false
}

/** The target taken when control comes from predecessor `pred`, if known. */
function outcome(block: Block, pred: number, settled: readonly KnownCondition[]): 0 | 1 | undefined {
  if (block.term.op !== 'branch') return undefined
  const from = block.preds[pred]
  const known = new Map<Instr, bigint>()
  for (const { block: b, value } of settled)
    if (b.term.op === 'branch') known.set(b.term.cond, value ? 1n : 0n)
  const t = from.term
  if (t.op === 'branch' && t.targets[0] !== t.targets[1]) known.set(t.cond, t.targets[0] === block ? 1n : 0n)
  const valueOf = (i: Instr): bigint | undefined => known.get(i) ?? constOf(i)
  for (const i of block.instrs) {
    const value = i.op === 'phi' ? valueOf(i.args[pred]) : evaluate(i, valueOf)
    if (value !== undefined) known.set(i, value)
  }
  const value = valueOf(block.term.cond)
  return value === undefined ? undefined : value ? 0 : 1
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

/** Sends the way from predecessor `pred` through a copy of the block to its target k. */
function redirect(func: Func, block: Block, pred: number, k: 0 | 1): void {
  const uses = new Uses(func)
  const from = block.preds[pred]
  const to = block.term.targets[k] as Block
  const toIndex = predIndex(block, k)
  const copies = new Map<Instr, Instr>(phisOf(block).map(phi => [phi, phi.args[pred]]))
  const copy: Block = {
    id: func.nextId++,
    instrs: block.instrs.filter(i => i.op !== 'phi').map(i => cloneInstr(func, i, copies)),
    term: { op: 'jump', targets: [to], ...(block.term.span && { span: block.term.span }) },
    preds: [from],
  }
  func.blocks.splice(func.blocks.indexOf(block), 0, copy)
  from.term.targets[edgeTo(from, block, pred)] = copy
  const target = phisOf(to)
  for (const phi of target) phi.args.push(copies.get(phi.args[toIndex]) ?? phi.args[toIndex])
  to.preds.push(copy)
  removePred(block, pred)
  for (const [value, replica] of copies) {
    const definitions = new Map([
      [block, value],
      [copy, replica],
    ])
    if (uses.of(value).some(u => u.block !== block)) reconstruct(func, value, definitions)
  }
  dropUnreachable(func)
}

/** Which of from's targets is the edge that is predecessor number `pred` of the block. */
function edgeTo(from: Block, block: Block, pred: number): number {
  const { targets } = from.term
  if (targets[0] !== block) return 1
  return targets.length === 2 && targets[1] === block && predIndex(from, 0) !== pred ? 1 : 0
}
