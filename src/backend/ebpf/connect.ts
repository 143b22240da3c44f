// Wires the blocks of a machine function as those of its IR are. Read machine.ts first.

import { predIndex } from '../../analysis/cfg.js'
import type { Block as IrBlock } from '../../ir/types.js'
import type { Block } from './machine.js'

/**
 * Gives the block made of `from` its targets, and those their predecessors. An edge from a branch to a block with phis gets a
 * block of its own, with the number that `fresh` gives, which is added to `result`.
 */
export function connect(
  from: IrBlock,
  blocks: ReadonlyMap<IrBlock, Block>,
  result: Block[],
  fresh: () => number,
): void {
  const block = blocks.get(from)!
  from.term.targets.forEach((t, k) => {
    const to = blocks.get(t)!
    const at = predIndex(from, k)
    if (block.end.kind === 'branch' && to.phis.length > 0) {
      const edge: Block = {
        id: fresh(),
        depth: Math.min(block.depth, to.depth),
        phis: [],
        steps: [],
        end: { kind: 'jump', targets: [to] },
        preds: [block],
      }
      result.push(edge)
      block.end.targets[k] = edge
      to.preds[at] = edge
    } else {
      ;(block.end.targets as Block[])[k] = to
      to.preds[at] = block
    }
  })
}
