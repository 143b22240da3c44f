// Repairs SSA form after code was duplicated: where one value had one definition it now has several, and uses that
// more than one of them reaches need phis (the construction of Braun et al., CC 2013, on a finished graph).

import type { Block, Func, Instr } from '../ir/types.js'
import { Uses } from '../analysis/uses.js'
import type { FarUses } from '../analysis/uses.js'

/**
 * Rewrites the uses of `value` outside the blocks that define it. `definitions` holds the value at the end of each
 * block that has a copy; the block of `value` itself is among them if it still stands. Every path from the entry to a
 * use must pass a definition. New phis may be redundant: dropTrivialPhis removes those. New uses are entered where uses
 * are kept.
 */
export function reconstruct(
  func: Func,
  value: Instr,
  definitions: ReadonlyMap<Block, Instr>,
  uses: Uses | FarUses = new Uses(func),
): void {
  const enter = (used: Instr, block: Block, instr?: Instr): void => {
    if ('enter' in uses) uses.enter(used, block, instr)
  }
  const atStart = new Map<Block, Instr>()
  const valueAtEnd = (block: Block): Instr => definitions.get(block) ?? valueAtStart(block)
  function valueAtStart(block: Block): Instr {
    const known = atStart.get(block)
    if (known) return known
    if (block.preds.length === 1) {
      const only = valueAtEnd(block.preds[0])
      atStart.set(block, only)
      return only
    }
    const phi: Instr = { id: func.nextId++, op: 'phi', type: value.type, args: [], attrs: {} }
    if (value.name !== undefined) phi.name = value.name
    if (value.span) phi.span = value.span
    atStart.set(block, phi)
    block.instrs.unshift(phi)
    for (const pred of block.preds) {
      const arg = valueAtEnd(pred)
      phi.args.push(arg)
      enter(arg, block, phi)
    }
    return phi
  }
  for (const { block, instr, operand } of uses.of(value)) {
    if (instr?.op === 'phi') {
      // The predecessor may have changed since; the operand stands in the order of today's predecessors.
      const arg = valueAtEnd(block.preds[operand])
      instr.args[operand] = arg
      enter(arg, block, instr)
      continue
    }
    if (definitions.has(block)) continue
    const arg = valueAtStart(block)
    if (instr) instr.args[operand] = arg
    else if (block.term.op === 'branch') block.term.cond = arg
    else if (block.term.op === 'return') block.term.args[operand] = arg
    enter(arg, block, instr)
  }
}
