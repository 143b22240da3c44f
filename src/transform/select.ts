// Turns a branch that only chooses between values into `select`: both ways must be empty or hold one cheap instruction,
// and only one value may differ. Both values are then computed always, so nothing that reads or writes is moved.

import { predIndex } from '../analysis/cfg.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { newInstr, phisOf, removePred } from './edit.js'

/** Instructions of both ways together that may be executed without need. */
const maxSpeculated = 2

export function formSelects(func: Func): boolean {
  let changed = false
  for (const block of func.blocks) if (formSelect(func, block)) changed = true
  if (changed) func.blocks = func.blocks.filter(b => b === func.blocks[0] || b.preds.length > 0)
  return changed
}

/** The way from a branch to where it joins again: the block it passes, if any. */
interface Way {
  readonly join: Block
  readonly through?: Block
  /** Its place among the join's predecessors. */
  readonly pred: number
}

function wayOf(block: Block, k: 0 | 1): Way[] {
  const target = block.term.targets[k] as Block
  const direct: Way = { join: target, pred: predIndex(block, k) }
  if (target.preds.length !== 1 || target.term.op !== 'jump') return [direct]
  return [direct, { join: target.term.targets[0], through: target, pred: predIndex(target, 0) }]
}

function formSelect(func: Func, block: Block): boolean {
  if (block.term.op !== 'branch') return false
  const { cond } = block.term
  for (const yes of wayOf(block, 0))
    for (const no of wayOf(block, 1)) {
      if (yes.join !== no.join || yes.join === block || yes.pred === no.pred) continue
      const moved = [...(yes.through?.instrs ?? []), ...(no.through?.instrs ?? [])]
      const differing = phisOf(yes.join).filter(phi => phi.args[yes.pred] !== phi.args[no.pred])
      if (!worthwhile(moved, differing)) continue
      block.instrs.push(...moved)
      for (const phi of differing) {
        const choice = newInstr(func, 'select', [cond, phi.args[yes.pred], phi.args[no.pred]], { like: phi })
        block.instrs.push(choice)
        phi.args[yes.pred] = choice
      }
      yes.join.preds[yes.pred] = block
      removePred(yes.join, no.pred)
      for (const { through } of [yes, no]) if (through) Object.assign(through, { preds: [], instrs: [] })
      block.term = { op: 'jump', targets: [yes.join], ...(block.term.span && { span: block.term.span }) }
      return true
    }
  return false
}

function worthwhile(moved: readonly Instr[], differing: readonly Instr[]): boolean {
  return (
    differing.length <= 1 &&
    differing.every(phi => phi.type !== 'mem') &&
    moved.every(i => i.op !== 'phi' && i.type !== 'mem' && opInfo(i.op).effect === 'none') &&
    moved.filter(i => i.op !== 'const').length <= maxSpeculated
  )
}
