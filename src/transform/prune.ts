// Removes everything that the chosen instructions do not need: values, and branches that decide nothing that is left.
//
// Aggressive dead-code elimination (Cytron et al., 1991): live are the roots, their operands, the branches a live
// instruction's block is control dependent on, and for a live phi those its predecessors are. A dead branch becomes a
// jump to its immediate post-dominator. A loop without anything live disappears; loops are taken to end. Promises: what
// a root computes, and in which order roots execute, is unchanged. Read analysis/control-dependence.ts first.

import { blockOf } from '../analysis/cfg.js'
import { controlDependence } from '../analysis/control-dependence.js'
import { postDominators } from '../analysis/dominators.js'
import type { DominatorTree } from '../analysis/dominators.js'
import { dropUnreachable } from '../ir/builder.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** Prunes a function in place. What it returns is live; so is every instruction for which `isRoot` holds. */
export function prune(func: Func, isRoot: (i: Instr) => boolean): void {
  dropUnreachable(func)
  const post = postDominators(func)
  const live = new Liveness(func, post)
  for (const block of func.blocks)
    if (block.term.op === 'return') {
      live.block(block)
      block.term.args.forEach(a => live.value(a))
    } else if (block.term.op === 'unreachable') live.block(block)
  for (const block of func.blocks) for (const i of block.instrs) if (isRoot(i)) live.value(i)
  live.finish()
  for (const block of func.blocks) block.instrs = block.instrs.filter(i => live.values.has(i))
  for (const block of func.blocks) {
    if (block.term.op !== 'branch' || live.branches.has(block)) continue
    const next = post.parent(block)
    if (next) redirect(block, next)
  }
  dropUnreachable(func)
}

class Liveness {
  readonly values = new Set<Instr>()
  readonly branches = new Set<Block>()
  private readonly blocks = new Set<Block>()
  private readonly places: ReadonlyMap<Instr, Block>
  private readonly dependence: ReturnType<typeof controlDependence>
  private readonly waiting: Instr[] = []

  constructor(func: Func, post: DominatorTree) {
    this.places = blockOf(func)
    this.dependence = controlDependence(func, post)
    // A branch of an endless loop has no post-dominator to go to instead.
    for (const block of func.blocks) if (block.term.op === 'branch' && !post.parent(block)) this.branch(block)
  }

  value(i: Instr): void {
    if (this.values.has(i)) return
    this.values.add(i)
    this.waiting.push(i)
  }

  /** That a block is executed matters. */
  block(block: Block): void {
    if (this.blocks.has(block)) return
    this.blocks.add(block)
    for (const { block: decider } of this.dependence.get(block) ?? []) this.branch(decider)
  }

  private branch(block: Block): void {
    if (this.branches.has(block)) return
    this.branches.add(block)
    if (block.term.op === 'branch') this.value(block.term.cond)
    this.block(block)
  }

  finish(): void {
    for (let i = this.waiting.pop(); i; i = this.waiting.pop()) {
      for (const a of i.args) this.value(a)
      const block = this.places.get(i)
      if (!block) continue
      this.block(block)
      if (i.op !== 'phi') continue
      for (const pred of block.preds)
        if (pred.term.op === 'branch') this.branch(pred)
        else this.block(pred)
    }
  }
}

/** Replaces a block's terminator by a jump. The target must have no phis. */
export function redirect(block: Block, next: Block): void {
  const { term } = block
  for (const target of term.targets) removePred(target, block)
  block.term = { op: 'jump', targets: [next], ...(term.span && { span: term.span }) }
  next.preds.push(block)
}

/** Takes one edge from `from` out of a block's predecessors and phis. */
export function removePred(block: Block, from: Block): void {
  const k = block.preds.indexOf(from)
  block.preds.splice(k, 1)
  for (const i of block.instrs) if (i.op === 'phi') i.args.splice(k, 1)
}
