// Orders of a function's blocks.

import type { Block, Func } from './types.js'

/** Reachable blocks in reverse postorder: every block stands before those it dominates; the first target first. */
export function reversePostorder(func: Func): Block[] {
  const order: Block[] = []
  // By id, which the verifier keeps below nextId: compilers ask for this order all the time, and hashing is slow.
  const seen = new Uint8Array(func.nextId)
  const path: Block[] = [func.blocks[0]]
  // How many targets of each block on the path are still to be followed.
  const left: number[] = [func.blocks[0].term.targets.length]
  seen[func.blocks[0].id] = 1
  for (let top = 0; top >= 0;) {
    // Last target first, so that the first target comes first in the reversed result.
    if (left[top] === 0) {
      order.push(path[top--])
      continue
    }
    const target = path[top].term.targets[--left[top]] as Block
    if (seen[target.id]) continue
    seen[target.id] = 1
    path[++top] = target
    left[top] = target.term.targets.length
  }
  return order.toReversed()
}
