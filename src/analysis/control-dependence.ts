// Control dependence (Ferrante, Ottenstein, Warren, 1987): which branches decide whether a block is executed.

import { dominators, postDominators } from './dominators.js'
import type { DominatorTree } from './dominators.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** A branch and the way it must go. */
export interface Decision {
  readonly block: Block
  /** The position in the targets of block's terminator. */
  readonly target: 0 | 1
}

/**
 * For each block, the decisions that lead to it: block X depends on (B, k) if X is always executed once B goes to its
 * target k, but B can also avoid X. A loop's header depends on its own exit tests.
 */
export function controlDependence(
  func: Func,
  post: DominatorTree = postDominators(func),
): Map<Block, Decision[]> {
  const map = new Map<Block, Decision[]>(func.blocks.map(b => [b, []]))
  for (const block of func.blocks) {
    if (block.term.op !== 'branch') continue
    const stop = post.parent(block)
    block.term.targets.forEach((target, k) => {
      for (let b: Block | undefined = target; b && b !== stop; b = post.parent(b))
        map.get(b)!.push({ block, target: k as 0 | 1 })
    })
  }
  return map
}

/** A branch that was taken: its condition is known to be `value`. */
export interface KnownCondition {
  readonly block: Block
  readonly cond: Instr
  readonly value: boolean
}

/**
 * The branches whose outcome is settled at each block: those with a target that only this branch enters and that
 * dominates the block. Nearest first.
 */
export function settledBranches(
  func: Func,
  tree: DominatorTree = dominators(func),
): Map<Block, readonly KnownCondition[]> {
  const map = new Map<Block, readonly KnownCondition[]>()
  for (const block of tree.order) {
    const parent = tree.parent(block)
    const inherited = parent ? map.get(parent)! : []
    const [pred] = block.preds
    if (block.preds.length === 1 && pred.term.op === 'branch') {
      const own = { block: pred, cond: pred.term.cond, value: pred.term.targets[0] === block }
      map.set(block, [own, ...inherited])
    } else map.set(block, inherited)
  }
  return map
}
