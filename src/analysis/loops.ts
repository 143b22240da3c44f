// Natural loops and reducibility. A back edge goes to a block that dominates its source; the loop is what reaches that
// source without passing the header. A graph in which going back happens any other way is irreducible; the front end
// never makes one, and passes must not.

import { reversePostorder } from '../ir/order.js'
import { dominators } from './dominators.js'
import type { DominatorTree } from './dominators.js'
import type { Block, Func } from '../ir/types.js'

export interface Loop {
  readonly header: Block
  /** Sources of the back edges. */
  readonly latches: readonly Block[]
  /** All blocks, the header and those of inner loops included. */
  readonly blocks: ReadonlySet<Block>
  /** Edges that leave: from.term.targets[target] stands outside. */
  readonly exits: readonly { readonly from: Block; readonly target: number }[]
  /** The smallest loop around this one. */
  readonly parent?: Loop
  /** 1 for an outermost loop. */
  readonly depth: number
}

/** All natural loops, outer loops before the ones they hold. Back edges to one header make one loop. */
export function loops(func: Func, tree: DominatorTree = dominators(func)): Loop[] {
  const found: Loop[] = []
  for (const header of tree.order) {
    const latches = [...new Set(header.preds.filter(p => tree.dominates(header, p)))]
    if (latches.length === 0) continue
    const blocks = new Set<Block>([header, ...latches])
    for (const b of blocks) if (b !== header) for (const p of b.preds) blocks.add(p)
    const exits = [...blocks].flatMap(from =>
      from.term.targets.flatMap((t, target) => (blocks.has(t) ? [] : [{ from, target }])),
    )
    const parent = found.findLast(l => l.blocks.has(header))
    found.push({ header, latches, blocks, exits, ...(parent && { parent }), depth: (parent?.depth ?? 0) + 1 })
  }
  return found
}

/** How many loops each block is in, where that is not none. */
export const loopDepths = (func: Func, tree?: DominatorTree): ReadonlyMap<Block, number> =>
  new Map(loops(func, tree).flatMap(l => [...l.blocks].map(b => [b, l.depth] as const)))

/** False if some cycle can be entered at two places. */
export function isReducible(func: Func, tree: DominatorTree = dominators(func)): boolean {
  const order = new Map(reversePostorder(func).map((b, k) => [b, k]))
  for (const [block, at] of order)
    for (const target of block.term.targets)
      if (order.get(target)! <= at && !tree.dominates(target, block)) return false
  return true
}
