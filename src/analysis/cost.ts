// About what a packet costs, before anything has run: instructions on the longest way through an expanded function.
//
// Pure. For decisions between ways of running that must be the same on every machine; what matters is the ratio of
// two functions of one program, not the number. Loops count once, called functions as one: they insert and remove, which
// most packets do not. bench/replay-cost.ts measures what is estimated here.

import { reversePostorder } from '../ir/order.js'
import type { Block, Func } from '../ir/types.js'

/** What finding the next packet or item costs, in instructions. */
const perPacket = 10
/** Of an item's instructions: look-ups of items one after the other overlap in the processor (docs/decisions/0296). */
const overlapped = 0.75

/** What advancing by an item costs, as a share of what processing its packet costs: between 0 and 1. */
export const replayShare = (advance: Func, main: Func): number =>
  Math.min(1, (perPacket + overlapped * longestWay(advance)) / (perPacket + longestWay(main)))

/** Instructions on the longest way from the entry to a return. */
export function longestWay(func: Func): number {
  const reached = new Map<Block, number>()
  let longest = 0
  for (const block of reversePostorder(func)) {
    // Edges that lead back come from blocks that have not been reached yet.
    const before = Math.max(0, ...block.preds.map(p => reached.get(p) ?? 0))
    const own = block.instrs.filter(i => i.op !== 'const' && i.op !== 'phi').length
    reached.set(block, before + own + 1)
    longest = Math.max(longest, before + own + 1)
  }
  return longest
}
