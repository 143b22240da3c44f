// Dead code elimination: removes instructions whose value nobody needs and that change nothing. Cycles of phis that
// only feed each other go as well.

import { terminatorArgs } from '../analysis/cfg.js'
import { isRemovable } from '../ir/ops.js'
import type { Func, Instr } from '../ir/types.js'

export function dce(func: Func): boolean {
  const live = new Uint8Array(func.nextId)
  const waiting: Instr[] = []
  const need = (i: Instr): void => {
    if (live[i.id]) return
    live[i.id] = 1
    waiting.push(i)
  }
  for (const block of func.blocks) {
    const { instrs } = block
    for (let k = 0; k < instrs.length; k++) if (!isRemovable(instrs[k].op)) need(instrs[k])
    for (const a of terminatorArgs(block)) need(a)
  }
  for (let i = waiting.pop(); i; i = waiting.pop()) {
    const { args } = i
    for (let k = 0; k < args.length; k++) need(args[k])
  }
  let changed = false
  for (const block of func.blocks) {
    if (block.instrs.every(i => live[i.id])) continue
    block.instrs = block.instrs.filter(i => live[i.id])
    changed = true
  }
  return changed
}
