// Byte swaps behind the place where ways meet: a phi of swapped values becomes the swap of a phi, which then meets
// the swap that a look-up key or a store applies, and both go (byte-order.ts). Ports that come from TCP here and from
// UDP there reach the key as they stand in the packet.

import { usesOf } from '../analysis/uses.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { constOf, newConst, newInstr, phisOf, replaceUses } from './edit.js'

export function swapPhis(func: Func): boolean {
  const replaced = new Map<Instr, Instr>()
  const swapped = new Set(func.blocks.flatMap(b => phisOf(b).flatMap(phi => phi.args.filter(isSwap))))
  if (swapped.size === 0) return false
  const uses = usesOf(func, swapped)
  for (const block of func.blocks)
    for (const phi of phisOf(block)) {
      const swap = phi.args.find(isSwap)
      if (!swap || !phi.args.every(a => canUndo(a, swap, arg => uses.count(arg) === 1))) continue
      replaced.set(phi, behind(func, block, phi, swap.op))
    }
  replaceUses(func, replaced)
  return replaced.size > 0
}

const isSwap = (i: Instr): boolean => i.op === 'bswap16' || i.op === 'bswap32' || i.op === 'bswap64'

/** The same swap, needed nowhere else, or a constant that the swap can give. */
function canUndo(i: Instr, swap: Instr, isOnlyHere: (i: Instr) => boolean): boolean {
  const c = constOf(i)
  if (c === undefined) return i.op === swap.op && isOnlyHere(i)
  return apply(swap, apply(swap, c)) === c
}

const apply = (swap: Instr, v: bigint): bigint => opInfo(swap.op).fold!([v], swap.type, swap.type, {})

/** Puts the phi of the raw values in the phi's place, and returns the swap of it, which stands behind the phis. */
function behind(func: Func, block: Block, phi: Instr, op: string): Instr {
  const raw = newInstr(func, 'phi', [], { type: phi.type, like: phi })
  const swap = newInstr(func, op, [raw], { like: phi })
  raw.args = phi.args.map((a, k) => {
    const c = constOf(a)
    if (c === undefined) return a.args[0]
    const constant = newConst(func, a.type, apply(swap, c))
    block.preds[k].instrs.push(constant)
    return constant
  })
  block.instrs[block.instrs.indexOf(phi)] = raw
  const at = block.instrs.findIndex(i => i.op !== 'phi')
  block.instrs.splice(at < 0 ? block.instrs.length : at, 0, swap)
  return swap
}
