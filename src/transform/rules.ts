// The frame that folding rules work in: a rule looks at one instruction and answers what may stand in its place.

import type { Interval } from '../analysis/interval.js'
import type { Attrs, Instr, Type } from '../ir/types.js'

export interface Site {
  /** A constant. */
  const(type: Type, value: bigint): Instr
  /** A new instruction before the one looked at, already folded itself. */
  make(op: string, args: Instr[], type?: Type, attrs?: Attrs): Instr
  /** What the value can be where the instruction stands. */
  range(value: Instr): Interval
  /** The instructions that use a value, each once per operand; undefined stands for a terminator. */
  users(value: Instr): readonly (Instr | undefined)[]
  /** How many those are. */
  userCount(value: Instr): number
}

/** The value to use instead, or undefined to leave the instruction. May also change the instruction in place. */
export type Rule = (i: Instr, site: Site) => Instr | undefined

/** Rules by the operation they look at. */
export type Rules = Readonly<Record<string, Rule>>
