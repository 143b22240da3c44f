// The smallest forward data-flow solver: a fact at the start of each block, met over all paths from the entry. Serves
// the verifier, which must not depend on the analyses it checks; those stand in analysis/.

import type { Block, Func } from './types.js'

export interface Facts<F> {
  /** The fact at the end of a block, from the one at its start. */
  through(block: Block, before: F): F
  /** The fact where two paths meet. Must be able only to lose, or the solver does not end. */
  meet(a: F, b: F): F
  equal(a: F, b: F): boolean
}

/** The greatest solution, at the start of every block that the entry reaches. Predecessors are not consulted. */
export function meetOverPaths<F>(func: Func, atEntry: F, facts: Facts<F>): Map<Block, F> {
  const before = new Map<Block, F>([[func.blocks[0], atEntry]])
  const waiting = new Set([func.blocks[0]])
  for (const block of waiting) {
    waiting.delete(block)
    const after = facts.through(block, before.get(block)!)
    for (const target of block.term.targets) {
      const known = before.get(target)
      const next = before.has(target) ? facts.meet(known as F, after) : after
      if (before.has(target) && facts.equal(known as F, next)) continue
      before.set(target, next)
      waiting.add(target)
    }
  }
  return before
}
