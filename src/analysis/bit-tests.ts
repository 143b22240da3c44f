// Which conditions ask whether any of some bits of a value is set: (x >> n & mask) != 0.

import type { Instr } from '../ir/types.js'

/** Which bits of a value a comparison asks for, and what computes them. */
export interface BitsTested {
  readonly value: Instr
  readonly mask: bigint
  /** Whether it asks for one that is set. */
  readonly set: boolean
  /** What only masks the value, from the comparison's operand on. */
  readonly by: readonly Instr[]
}

/** The largest mask that machines compare with: a positive number of 32 bits. */
const largest = 0x7fffffffn

const constOf = (i: Instr): bigint | undefined => (i.op === 'const' ? BigInt(i.attrs.value) : undefined)

/** Reads a condition as a test of bits; undefined if it is none. */
export function bitsTested({ op, args }: Instr): BitsTested | undefined {
  if ((op !== 'eq' && op !== 'ne') || constOf(args[1]) !== 0n) return undefined
  const [and] = args
  const bits = and.op === 'and' ? constOf(and.args[1]) : undefined
  if (bits === undefined) return undefined
  const [x] = and.args
  const by = x.op === 'shru' ? constOf(x.args[1]) : undefined
  const mask = bits << (by ?? 0n)
  if (mask > largest) return undefined
  const masks = by === undefined ? [and] : [and, x]
  return { value: by === undefined ? x : x.args[0], mask, set: op === 'ne', by: masks }
}
