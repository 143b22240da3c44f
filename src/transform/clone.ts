// Copies of instructions within one function.

import type { Func, Instr } from '../ir/types.js'

/** A copy with a new id and operands mapped by `copies`; enters itself there. Not for phis. */
export function cloneInstr(func: Func, i: Instr, copies: Map<Instr, Instr>): Instr {
  const copy: Instr = { ...i, id: func.nextId++, args: i.args.map(a => copies.get(a) ?? a) }
  copies.set(i, copy)
  return copy
}
