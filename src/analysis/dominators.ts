// Dominator and post-dominator trees (Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm", 2001) and dominance
// frontiers. A block dominates what cannot be reached without it; it post-dominates what cannot return without it.
// Only blocks reachable from the entry take part.

import { postorder } from './cfg.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func } from '../ir/types.js'

export class DominatorTree {
  /** Blocks of the tree, every one after its parent. */
  readonly order: readonly Block[]
  private readonly parents: ReadonlyMap<Block, Block | undefined>
  private readonly spans = new Map<Block, { enter: number; leave: number }>()
  private readonly kids = new Map<Block, Block[]>()

  constructor(order: readonly Block[], parents: ReadonlyMap<Block, Block | undefined>) {
    this.order = order
    this.parents = parents
    const roots: Block[] = []
    for (const block of order) {
      const parent = parents.get(block)
      const siblings = parent ? (this.kids.get(parent) ?? []) : roots
      siblings.push(block)
      if (parent) this.kids.set(parent, siblings)
    }
    let clock = 0
    const stack = roots.toReversed().map(block => ({ block, done: false }))
    while (stack.length) {
      const { block, done } = stack.pop()!
      if (done) this.spans.get(block)!.leave = clock++
      else {
        this.spans.set(block, { enter: clock++, leave: 0 })
        stack.push({ block, done: true })
        for (const kid of this.children(block).toReversed()) stack.push({ block: kid, done: false })
      }
    }
  }

  /** The immediate dominator; undefined for a root (the entry, or what only the virtual exit post-dominates). */
  parent(block: Block): Block | undefined {
    return this.parents.get(block)
  }

  children(block: Block): readonly Block[] {
    return this.kids.get(block) ?? []
  }

  /** True if a dominates b; every block dominates itself. */
  dominates(a: Block, b: Block): boolean {
    const [x, y] = [this.spans.get(a), this.spans.get(b)]
    return x !== undefined && y !== undefined && x.enter <= y.enter && y.leave <= x.leave
  }

  strictlyDominates(a: Block, b: Block): boolean {
    return a !== b && this.dominates(a, b)
  }
}

/** Immediate dominators over a graph given by its nodes in reverse postorder; the first node is the root. */
function immediate(
  order: readonly (Block | null)[],
  preds: (b: Block | null) => readonly (Block | null)[],
): number[] {
  const index = new Map(order.map((b, k) => [b, k]))
  const idom: number[] = order.map((_, k) => (k === 0 ? 0 : -1))
  const intersect = (a: number, b: number): number => {
    let [x, y] = [a, b]
    while (x !== y)
      if (x > y) x = idom[x]
      else y = idom[y]
    return x
  }
  for (let changed = true; changed;) {
    changed = false
    for (let k = 1; k < order.length; k++) {
      let best = -1
      for (const p of preds(order[k])) {
        const at = index.get(p)
        if (at === undefined || idom[at] < 0) continue
        best = best < 0 ? at : intersect(at, best)
      }
      if (best !== idom[k]) {
        idom[k] = best
        changed = true
      }
    }
  }
  return idom
}

/** The dominator tree; its root is the entry. */
export function dominators(func: Func): DominatorTree {
  const order = reversePostorder(func)
  const idom = immediate(order, b => b!.preds)
  return new DominatorTree(order, new Map(order.map((b, k) => [b, k === 0 ? undefined : order[idom[k]]])))
}

/**
 * The post-dominator tree. Returns, unreachables and one block of every endless loop lead to a virtual exit, which is
 * the parent (undefined) of the roots.
 */
export function postDominators(func: Func): DominatorTree {
  const blocks = postorder(func)
  const exits = exitBlocks(blocks)
  // Reverse postorder of the reversed graph; null is the virtual exit.
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
  const exitSet = new Set(exits)
  const idom = immediate(order, b =>
    exitSet.has(b!) ? [...b!.term.targets, null] : (b!.term.targets as Block[]),
  )
  const parents = new Map<Block, Block | undefined>()
  order.forEach((b, k) => b && parents.set(b, order[idom[k]] ?? undefined))
  return new DominatorTree(
    order.filter(b => b !== null),
    parents,
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
