// Regroups sums and the like so that what the packet contributes meets before state does: (state ^ a) ^ b becomes
// state ^ (a ^ b), and one value of metadata does instead of two. Only operations that may be regrouped exactly (modulo
// 2^n) are, and only where the intermediate result has no other use.

import { opInfo } from '../ir/ops.js'
import type { Func, Instr } from '../ir/types.js'
import type { Taint } from './taint.js'
import { Uses } from './uses.js'

const regroupable: ReadonlySet<string> = new Set(['add', 'mul', 'and', 'or', 'xor'])

/** Regroups in place; true if anything changed. `taint` is kept up to date; the graph stays as it is. */
export function regroup(func: Func, taint: Taint): boolean {
  const uses = new Uses(func)
  const inner = (i: Instr, op: string): boolean =>
    i.op === op && taint.values.has(i) && uses.count(i) === 1 && uses.of(i)[0].instr?.op === op
  const gone = new Set<Instr>()
  let changed = false
  for (const block of func.blocks)
    for (const root of block.instrs.slice()) {
      if (!regroupable.has(root.op) || !opInfo(root.op).commutative || !taint.values.has(root)) continue
      if (inner(root, root.op)) continue
      const [ofPacket, ofState, within]: [Instr[], Instr[], Instr[]] = [[], [], []]
      const walk = (i: Instr): void => {
        if (i !== root && !inner(i, root.op)) {
          ;(taint.values.has(i) ? ofState : ofPacket).push(i)
          return
        }
        if (i !== root) within.push(i)
        i.args.forEach(walk)
      }
      walk(root)
      if (ofPacket.length < 2) continue
      const combine = (a: Instr, b: Instr): Instr => {
        const { op, type, span } = root
        const i: Instr = { id: func.nextId++, op, type, args: [a, b], attrs: {}, ...(span && { span }) }
        block.instrs.splice(block.instrs.indexOf(root), 0, i)
        if (taint.values.has(a)) taint.values.add(i)
        return i
      }
      root.args = [ofState.reduce(combine), ofPacket.reduce(combine)]
      for (const i of within) gone.add(i)
      changed = true
    }
  if (changed) for (const block of func.blocks) block.instrs = block.instrs.filter(i => !gone.has(i))
  return changed
}
