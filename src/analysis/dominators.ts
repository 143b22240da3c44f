// Dominator and post-dominator trees (Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm", 2001) and dominance
// frontiers. A block dominates what cannot be reached without it; it post-dominates what cannot return without it.
// Only blocks reachable from the entry take part.

import { postorder } from './cfg.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func } from '../ir/types.js'

/** Position in a tree's order of each block, by block id; -1 for blocks that are not in it. */
function positions(order: readonly (Block | null)[], nextId: number): Int32Array {
  const at = new Int32Array(nextId).fill(-1)
  for (let k = 0; k < order.length; k++) {
    const block = order[k]
    if (block) at[block.id] = k
  }
  return at
}

export class DominatorTree {
  /** Blocks of the tree, every one after its parent. */
  readonly order: readonly Block[]
  /** By block id. */
  private readonly at: Int32Array
  /** By position in the order. -1 for a root. */
  private readonly parents: Int32Array
  /**
   * By block id: a subtree's blocks are numbered from the number of its root on, without a gap, and `sizes` says how many
   * there are. A block outside the tree has the number -1.
   */
  private readonly numbers: Int32Array
  private readonly sizes: Int32Array
  private kids: Block[][] | undefined

  /** `parents` holds the position of each block's parent in `order`, or -1; ids are below `nextId`. */
  constructor(order: readonly Block[], parents: Int32Array, nextId: number) {
    const n = order.length
    this.order = order
    this.parents = parents
    this.at = positions(order, nextId)
    const first = new Int32Array(n)
    const size = new Int32Array(n).fill(1)
    for (let k = n - 1; k >= 0; k--) if (parents[k] >= 0) size[parents[k]] += size[k]
    const free = new Int32Array(n)
    let roots = 0
    for (let k = 0; k < n; k++) {
      const parent = parents[k]
      first[k] = parent < 0 ? roots : free[parent]
      if (parent < 0) roots += size[k]
      else free[parent] += size[k]
      free[k] = first[k] + 1
    }
    this.numbers = new Int32Array(nextId).fill(-1)
    this.sizes = new Int32Array(nextId)
    for (let k = 0; k < n; k++) {
      this.numbers[order[k].id] = first[k]
      this.sizes[order[k].id] = size[k]
    }
  }

  /** -1 for a block that is not in the tree, such as one made since. */
  private position(block: Block): number {
    return this.at[block.id] ?? -1
  }

  /** The immediate dominator; undefined for a root (the entry, or what only the virtual exit post-dominates). */
  parent(block: Block): Block | undefined {
    const k = this.position(block)
    return k < 0 || this.parents[k] < 0 ? undefined : this.order[this.parents[k]]
  }

  children(block: Block): readonly Block[] {
    if (!this.kids) {
      this.kids = this.order.map(() => [])
      for (const [k, b] of this.order.entries()) if (this.parents[k] >= 0) this.kids[this.parents[k]].push(b)
    }
    return this.kids[this.position(block)] ?? []
  }

  /** True if a dominates b; every block dominates itself. */
  dominates(a: Block, b: Block): boolean {
    // Of a block made since, there is no number, and no comparison holds.
    const root = this.numbers[a.id]
    const inside = this.numbers[b.id] - root
    return root >= 0 && inside >= 0 && inside < this.sizes[a.id]
  }

  strictlyDominates(a: Block, b: Block): boolean {
    return a !== b && this.dominates(a, b)
  }
}

/**
 * Immediate dominators over a graph given by the predecessors of its nodes, which are numbered in reverse postorder;
 * node 0 is the root. Predecessors below 0 are not of the graph.
 */
function immediate(preds: readonly (readonly number[])[]): Int32Array {
  const idom = new Int32Array(preds.length).fill(-1)
  idom[0] = 0
  // Without a way back everything is known the first time.
  let cyclic = false
  for (let changed = true; changed;) {
    changed = false
    for (let k = 1; k < preds.length; k++) {
      let best = -1
      const from = preds[k]
      for (let n = 0; n < from.length; n++) {
        const p = from[n]
        if (p >= k) cyclic = true
        if (p < 0 || idom[p] < 0) continue
        if (best < 0) best = p
        // Up from whichever is lower until both ways meet.
        for (let other = p; best !== other;)
          if (best > other) best = idom[best]
          else other = idom[other]
      }
      if (best === idom[k]) continue
      idom[k] = best
      changed = cyclic
    }
  }
  return idom
}

/** The dominator tree; its root is the entry. */
export function dominators(func: Func): DominatorTree {
  const order = reversePostorder(func)
  const at = positions(order, func.nextId)
  const idom = immediate(order.map(b => b.preds.map(p => at[p.id])))
  idom[0] = -1
  return new DominatorTree(order, idom, func.nextId)
}

/**
 * The post-dominator tree. Returns, unreachables and one block of every endless loop lead to a virtual exit, which is
 * the parent (undefined) of the roots.
 */
export function postDominators(func: Func): DominatorTree {
  const blocks = postorder(func)
  const exits = exitBlocks(blocks)
  // Reverse postorder of the reversed graph; null is the virtual exit, at position 0.
  const order: (Block | null)[] = []
  const seen = new Set<Block | null>([null])
  const next = (b: Block | null): readonly Block[] => (b ? b.preds : exits)
  const stack: { block: Block | null; at: number }[] = [{ block: null, at: 0 }]
  while (stack.length) {
    const top = stack[stack.length - 1]
    const targets = next(top.block)
    if (top.at === targets.length) {
      order.push(top.block)
      stack.pop()
      continue
    }
    const target = targets[top.at++]
    if (seen.has(target)) continue
    seen.add(target)
    stack.push({ block: target, at: 0 })
  }
  order.reverse()
  const at = positions(order, func.nextId)
  const leads = new Set<Block | null>(exits)
  const idom = immediate(
    order.map(b => {
      if (!b) return []
      const targets = (b.term.targets as readonly Block[]).map(t => at[t.id])
      return leads.has(b) ? [...targets, 0] : targets
    }),
  )
  // Without the virtual exit all positions are one less, and its children have no parent.
  return new DominatorTree(
    order.slice(1) as Block[],
    idom.subarray(1).map(k => k - 1),
    func.nextId,
  )
}

/** Blocks without successors, and one block of each part of the graph that reaches none. */
function exitBlocks(blocks: readonly Block[]): Block[] {
  const exits = blocks.filter(b => b.term.targets.length === 0)
  const leaving = new Set(exits)
  const spread = (): void => {
    for (const b of leaving) for (const p of b.preds) leaving.add(p)
  }
  spread()
  for (const b of blocks)
    if (!leaving.has(b)) {
      exits.push(b)
      leaving.add(b)
      spread()
    }
  return exits
}

/** For each block, the blocks where its dominance ends: it dominates a predecessor of them but not them strictly. */
export function dominanceFrontiers(
  func: Func,
  tree: DominatorTree = dominators(func),
): Map<Block, Set<Block>> {
  const frontiers = new Map<Block, Set<Block>>(tree.order.map(b => [b, new Set()]))
  for (const block of tree.order) {
    if (block.preds.length < 2) continue
    for (const pred of block.preds)
      for (let b: Block | undefined = pred; b && b !== tree.parent(block); b = tree.parent(b))
        frontiers.get(b)?.add(block)
  }
  return frontiers
}
