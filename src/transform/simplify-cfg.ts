// Control-flow clean-up: merges blocks in a straight line, takes out blocks that only jump, and removes branches
// whose ways are the same. With thread.ts (decided branches) and select.ts (tiny choices) it makes the graph small.

import { predIndex } from '../analysis/cfg.js'
import { dominators } from '../analysis/dominators.js'
import { Uses } from '../analysis/uses.js'
import { dropUnreachable } from '../ir/builder.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { constOf, dropTrivialPhis, keepTarget, phisOf, removePred } from './edit.js'
import { formSelects } from './select.js'
import { thread } from './thread.js'

export function simplifyCfg(func: Func): boolean {
  let changed = false
  for (;;) {
    const again = tidy(func) || thread(func) || formSelects(func)
    if (!again) return changed
    changed = true
  }
}

function tidy(func: Func): boolean {
  let changed = dropTrivialPhis(func)
  for (let again = true; again;) {
    again = [...func.blocks].map(block => oneWay(block)).includes(true)
    dropUnreachable(func)
    again = mergeStraight(func) || again
    again = removeForwarders(func) || again
    again = dropTrivialPhis(func) || again
    changed ||= again
  }
  return changed
}

const deadEnd = (block: Block): boolean => block.term.op === 'unreachable' && block.instrs.length === 0

/** A branch on a constant, into a dead end, or to one place with nothing to choose becomes a jump. */
function oneWay(block: Block): boolean {
  const t = block.term
  if (t.op !== 'branch') return false
  const known = constOf(t.cond)
  const [a, b] = t.targets
  let keep: 0 | 1
  if (known !== undefined) keep = known ? 0 : 1
  else if (a === b) {
    const [p, q] = [predIndex(block, 0), predIndex(block, 1)]
    if (phisOf(a).some(phi => phi.args[p] !== phi.args[q])) return false
    keep = 0
  } else if (deadEnd(b)) keep = 0
  else if (deadEnd(a)) keep = 1
  else return false
  keepTarget(block, keep)
  return true
}

/** Appends a block to its only predecessor, if that only goes there. */
function mergeStraight(func: Func): boolean {
  const gone = new Set<Block>()
  for (const block of func.blocks) {
    if (gone.has(block)) continue
    for (;;) {
      const [next] = block.term.targets
      if (
        block.term.op !== 'jump' ||
        !next ||
        next.preds.length !== 1 ||
        next === block ||
        next === func.blocks[0]
      )
        break
      if (phisOf(next).length) break
      block.instrs.push(...next.instrs)
      block.term = next.term
      for (const target of next.term.targets) target.preds = target.preds.map(p => (p === next ? block : p))
      gone.add(next)
    }
  }
  func.blocks = func.blocks.filter(b => !gone.has(b))
  return gone.size > 0
}

/** Takes out blocks that hold only phis for the next block's phis, or nothing. */
function removeForwarders(func: Func): boolean {
  let changed = false
  const tree = dominators(func)
  const uses = new Uses(func)
  for (const block of func.blocks) {
    const t = block.term
    if (block === func.blocks[0] || t.op !== 'jump' || block.preds.length === 0) continue
    const [next] = t.targets
    if (next === block || block.instrs.some(i => i.op !== 'phi')) continue
    // A loop keeps its one latch.
    if (tree.dominates(next, block) && block.preds.length > 1) continue
    const at = predIndex(block, 0)
    const onlyNext = (phi: Instr): boolean =>
      uses.of(phi).every(u => u.block === next && u.instr?.op === 'phi' && u.operand === at)
    if (!block.instrs.every(onlyNext)) continue
    const phis = phisOf(next)
    if (phis.length && block.preds.some((p, k) => next.preds.includes(p) || block.preds.indexOf(p) !== k))
      continue
    forward(block, next, at, phis)
    // Uses and dominators are those of before; take them anew for the next one.
    changed = true
    break
  }
  if (changed) func.blocks = func.blocks.filter(b => b === func.blocks[0] || b.preds.length > 0)
  return changed
}

function forward(block: Block, next: Block, at: number, phis: readonly Instr[]): void {
  const through = phis.map(phi => phi.args[at])
  removePred(next, at)
  block.preds.forEach((pred, k) => {
    phis.forEach((phi, j) =>
      phi.args.push(
        through[j].op === 'phi' && block.instrs.includes(through[j]) ? through[j].args[k] : through[j],
      ),
    )
    next.preds.push(pred)
  })
  for (const pred of new Set(block.preds))
    pred.term.targets.forEach((target, k) => {
      if (target === block) pred.term.targets[k] = next
    })
  block.preds = []
  block.instrs = []
}
