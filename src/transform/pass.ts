// What every pass is: a function that changes an IR function in place and says whether it did. Before and after, the
// verifier finds nothing wrong and the interpreter computes the same. The pipeline stands in optimise.ts.

import type { Func, Instr } from '../ir/types.js'

/** What passes may know of the program's state objects; without it they assume the worst. */
export interface Facts {
  /** Width in bits of a leaf of a value field. */
  fieldBits?(object: string, field: string, part: number): number | undefined
  /** Whether entries of a table expire. */
  expires?(object: string): boolean
}

export type Pass = (func: Func, facts?: Facts) => boolean

/** Significant bits of what reads of state fields give, for analysis/ranges.ts. */
export const fieldBitsOf =
  (facts: Facts | undefined) =>
  (i: Instr): number | undefined => {
    const { object, field, part } = i.attrs
    if (typeof object !== 'string' || typeof field !== 'string' || typeof part !== 'number') return undefined
    return facts?.fieldBits?.(object, field, part)
  }
