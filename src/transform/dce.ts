// Dead code elimination: removes instructions whose value nobody needs and that change nothing. Cycles of phis that
// only feed each other go as well.

import { terminatorArgs } from '../analysis/cfg.js'
import { isRemovable } from '../ir/ops.js'
import type { Func, Instr } from '../ir/types.js'

export function dce(func: Func): boolean {
  const live = new Set<Instr>()
  for (const block of func.blocks) {
    for (const i of block.instrs) if (!isRemovable(i.op)) live.add(i)
    for (const a of terminatorArgs(block)) live.add(a)
  }
  for (const i of live) for (const a of i.args) live.add(a)
  let changed = false
  for (const block of func.blocks) {
    const kept = block.instrs.filter(i => live.has(i))
    if (kept.length === block.instrs.length) continue
    block.instrs = kept
    changed = true
  }
  return changed
}
