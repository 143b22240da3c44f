// Control-flow clean-up: merges blocks in a straight line, takes out blocks that only jump, and removes branches
// whose ways are the same. With thread.ts (decided branches) and select.ts (tiny choices) it makes the graph small.

import { predIndex, terminatorArgs } from '../analysis/cfg.js'
import { dominators } from '../analysis/dominators.js'
import type { DominatorTree } from '../analysis/dominators.js'
import { dropUnreachable } from '../ir/builder.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { constOf, dropTrivialPhis, keepTarget, phisOf, removePred } from './edit.js'
import { formSelects } from './select.js'
import { thread } from './thread.js'

export function simplifyCfg(func: Func): boolean {
  let changed = tidy(func)
  while (thread(func) || formSelects(func)) {
    changed = true
    tidy(func)
  }
  return changed
}

/** Each of them does all that it can find itself, but for removeForwarders, which may have to be asked again. */
const steps = [oneWays, mergeStraight, removeForwarders, dropTrivialPhis] as const

/** Until none of the steps finds anything more. */
function tidy(func: Func): boolean {
  let changed = dropTrivialPhis(func)
  let idle = 0
  for (let k = 0; idle < steps.length; k = (k + 1) % steps.length) {
    const step = steps[k]
    if (!step(func)) idle++
    else {
      changed = true
      idle = step === removeForwarders ? 0 : 1
    }
  }
  return changed
}

function oneWays(func: Func): boolean {
  let changed = false
  for (const block of func.blocks) if (oneWay(block)) changed = true
  if (changed) dropUnreachable(func)
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
  if (gone.size === 0) return false
  func.blocks = func.blocks.filter(b => !gone.has(b))
  return true
}

/** Takes out blocks that hold only phis for the next block's phis, or nothing. */
function removeForwarders(func: Func): boolean {
  const candidates = func.blocks.filter(
    b =>
      b !== func.blocks[0] &&
      b.term.op === 'jump' &&
      b.preds.length > 0 &&
      b.instrs.every(i => i.op === 'phi'),
  )
  if (candidates.length === 0) return false
  // What decides it for most candidates is cheap; these two look at the whole function.
  let tree: DominatorTree | undefined
  let counts: Int32Array | undefined
  const predSets = new Map<Block, Set<Block>>()
  const predsOf = (b: Block): Set<Block> => {
    let set = predSets.get(b)
    if (!set) predSets.set(b, (set = new Set(b.preds)))
    return set
  }
  let changed = false
  for (const block of candidates) {
    const next = block.term.targets[0] as Block
    // A loop keeps its one latch.
    if (next === block) continue
    const at = predIndex(block, 0)
    const phis = phisOf(next)
    const own = predsOf(block)
    const known = predsOf(next)
    if (phis.length && (own.size !== block.preds.length || block.preds.some(p => known.has(p)))) continue
    if (block.preds.length > 1 && (tree ??= dominators(func)).dominates(next, block)) continue
    const uses = (counts ??= countUses(func))
    const passedOn = (phi: Instr): boolean => phis.filter(p => p.args[at] === phi).length === uses[phi.id]
    if (!block.instrs.every(passedOn)) continue
    forward(block, next, at, phis, uses)
    known.delete(block)
    for (const p of own) known.add(p)
    changed = true
  }
  if (changed) func.blocks = func.blocks.filter(b => b === func.blocks[0] || b.preds.length > 0)
  return changed
}

/** By id. */
function countUses(func: Func): Int32Array {
  const counts = new Int32Array(func.nextId)
  const count = (a: Instr): void => void counts[a.id]++
  for (const block of func.blocks) {
    const { instrs } = block
    for (let n = 0; n < instrs.length; n++) instrs[n].args.forEach(count)
    terminatorArgs(block).forEach(count)
  }
  return counts
}

/** Sends the block's predecessors on to the next block; keeps the counts of uses right. */
function forward(block: Block, next: Block, at: number, phis: readonly Instr[], counts: Int32Array): void {
  const change = (a: Instr, by: number): void => void (counts[a.id] += by)
  const through = phis.map(phi => phi.args[at])
  removePred(next, at)
  for (const [j, phi] of phis.entries()) {
    const own = through[j].op === 'phi' && block.instrs.includes(through[j])
    for (let k = 0; k < block.preds.length; k++) {
      const value = own ? through[j].args[k] : through[j]
      phi.args.push(value)
      change(value, 1)
    }
    change(through[j], -1)
  }
  for (const i of block.instrs) for (const a of i.args) change(a, -1)
  next.preds.push(...block.preds)
  for (const pred of new Set(block.preds))
    pred.term.targets.forEach((target, k) => {
      if (target === block) pred.term.targets[k] = next
    })
  block.preds = []
  block.instrs = []
}
