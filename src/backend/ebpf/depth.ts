// How many loops a block is in, roughly: heads that dominate it and that it reaches again.

import type { DominatorTree } from '../../analysis/dominators.js'
import type { Block } from '../../ir/types.js'

/** The depth of every block in a loop; others are in none. */
export function loopDepths(order: readonly Block[], tree: DominatorTree): ReadonlyMap<Block, number> {
  const depths = new Map<Block, number>()
  for (const head of order) {
    const latches = head.preds.filter(p => tree.dominates(head, p))
    const body = new Set<Block>(latches.length ? [head] : [])
    const stack = [...latches]
    while (stack.length) {
      const x = stack.pop()!
      if (body.has(x)) continue
      body.add(x)
      stack.push(...x.preds)
    }
    for (const x of body) depths.set(x, (depths.get(x) ?? 0) + 1)
  }
  return depths
}
