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
 * The branches whose outcome is settled at blocks: those with a target that only this branch enters and that dominates
 * the block. Speaks of the graph as it was at the time of asking for all of it.
 */
export class SettledBranches {
  private readonly tree: DominatorTree
  /** What the one branch that leads to a block settles, by block id. */
  private readonly own: (KnownCondition | undefined)[]
  private readonly lists = new Map<Block, readonly KnownCondition[]>()

  constructor(func: Func, tree: DominatorTree = dominators(func)) {
    this.tree = tree
    this.own = Array(func.nextId)
    for (const block of tree.order) {
      const [pred] = block.preds
      if (block.preds.length === 1 && pred.term.op === 'branch')
        this.own[block.id] = { block: pred, cond: pred.term.cond, value: pred.term.targets[0] === block }
    }
  }

  /** Nearest first; none for a block made since. */
  at(block: Block): readonly KnownCondition[] {
    let list = this.lists.get(block)
    if (list) return list
    const parent = this.tree.parent(block)
    const inherited = parent ? this.at(parent) : []
    const own = this.own[block.id]
    list = own ? [own, ...inherited] : inherited
    this.lists.set(block, list)
    return list
  }
}

/** The branches settled at each block, nearest first. */
export function settledBranches(
  func: Func,
  tree: DominatorTree = dominators(func),
): Map<Block, readonly KnownCondition[]> {
  const settled = new SettledBranches(func, tree)
  return new Map(tree.order.map(b => [b, settled.at(b)]))
}
