// Stores into the packet that a later one in the same block overwrites, with no read of those bytes between.

import { accessOf, apart } from '../analysis/packet-versions.js'
import type { Access } from '../analysis/packet-versions.js'
import { Ranges } from '../analysis/ranges.js'
import { Uses } from '../analysis/uses.js'
import type { Func, Instr } from '../ir/types.js'
import { replaceUses } from './edit.js'

export function dropDeadStores(func: Func): boolean {
  const dead = new Map<Instr, Instr>()
  let uses: Uses | undefined
  let computed: Ranges | undefined
  const ranges = (): Ranges => (computed ??= new Ranges(func))
  for (const block of func.blocks) {
    const stores = new Set(block.instrs.filter(i => i.op === 'store'))
    if (stores.size < 2) continue
    uses ??= new Uses(func)
    for (const store of stores) {
      const over = accessOf(store)
      const reads: Access[] = []
      let next = store
      for (let v = store.args[0]; stores.has(v); v = v.args[0]) {
        const others = uses.of(v).filter(u => u.instr !== next)
        if (others.some(u => u.instr?.op !== 'load')) break
        for (const u of others) reads.push(accessOf(u.instr!))
        next = v
        if (dead.has(v)) continue
        const own = accessOf(v)
        if (covers(over, own) && reads.every(r => apart(r, own, ranges, block))) dead.set(v, v.args[0])
      }
    }
  }
  if (dead.size === 0) return false
  replaceUses(func, dead)
  for (const block of func.blocks) block.instrs = block.instrs.filter(i => !dead.has(i))
  return true
}

const covers = (a: Access, b: Access): boolean =>
  a.base === b.base && a.offset <= b.offset && b.offset + b.width <= a.offset + a.width
