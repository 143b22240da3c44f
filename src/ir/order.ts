// Orders of a function's blocks.

import type { Block, Func } from './types.js'

/** Reachable blocks in reverse postorder: every block stands before those it dominates; the first target first. */
export function reversePostorder(func: Func): Block[] {
  const order: Block[] = []
  const seen = new Set<Block>([func.blocks[0]])
  const stack: { block: Block; next: number }[] = [{ block: func.blocks[0], next: 0 }]
  while (stack.length) {
    const top = stack[stack.length - 1]
    const targets = top.block.term.targets
    // Last target first, so that the first target comes first in the reversed result.
    const target = targets[targets.length - 1 - top.next++]
    if (!target) {
      order.push(top.block)
      stack.pop()
    } else if (!seen.has(target)) {
      seen.add(target)
      stack.push({ block: target, next: 0 })
    }
  }
  return order.toReversed()
}
