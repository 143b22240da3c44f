// Constants in registers: one instruction where 32 bits do, two slots otherwise.

import { ldImm64, mov32, mov64 } from './asm.js'
import type { Item, Register } from './asm.js'

/** Code that leaves an unsigned 64-bit constant in a register. */
export function constant(register: Register, value: bigint): Item[] {
  if (BigInt.asIntN(32, value) === BigInt.asIntN(64, value))
    return [mov64.imm(register, Number(BigInt.asIntN(32, value)))]
  if (value <= 0xffffffffn) return [mov32.imm(register, Number(BigInt.asIntN(32, value)))]
  return [ldImm64(register, value)]
}
