// The graph of a function's blocks and where its values are defined. Everything here is recomputed on demand: a pass that
// changes the graph asks again. Reverse postorder stands
// in ../ir/order.ts.

import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** Blocks reachable from the entry; each after everything it reaches without going back. */
export const postorder = (func: Func): Block[] => reversePostorder(func).toReversed()

/** The block each instruction stands in. Parameters stand in none. */
export function blockOf(func: Func): Map<Instr, Block> {
  const map = new Map<Instr, Block>()
  for (const block of func.blocks) for (const i of block.instrs) map.set(i, block)
  return map
}

/** All instructions in blocks, in printing order. */
export const instructions = (func: Func): Instr[] => func.blocks.flatMap(b => b.instrs)

/** Operands of a block's terminator. */
export function terminatorArgs(block: Block): readonly Instr[] {
  const t = block.term
  if (t.op === 'branch') return [t.cond]
  return t.op === 'return' ? t.args : []
}

/**
 * Position in `to.preds`, and so among the operands of its phis, of the edge `from.term.targets[k]` = `to`. When a
 * block branches twice to one block, its first place in preds belongs to targets[0].
 */
export function predIndex(from: Block, k: number): number {
  const to = from.term.targets[k] as Block
  const first = to.preds.indexOf(from)
  return k === 1 && from.term.targets[0] === to ? to.preds.indexOf(from, first + 1) : first
}
