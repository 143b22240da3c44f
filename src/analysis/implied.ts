// What comparisons of a value with constants say about one another: 52 <= x was not so, so 100 <= x is not either.

import { maxOf } from './interval.js'
import type { Instr } from '../ir/types.js'

/** A condition and what it is known to be. */
export interface Known {
  readonly cond: Instr
  readonly value: boolean
}

/** The unsigned values of `value` for which a comparison holds: lo <= v <= hi. */
interface Bound {
  readonly value: Instr
  readonly lo: bigint
  readonly hi: bigint
}

/** Whether a comparison with a constant holds, as far as others of the same value decide it. */
export function implied(cond: Instr, known: readonly Known[]): boolean | undefined {
  const asked = boundOf(cond, true)
  if (!asked) return undefined
  let { lo, hi } = { lo: 0n, hi: maxOf(asked.value.type) }
  for (let n = 0; n < known.length; n++) {
    const k = known[n]
    if (!speaksOf(k.cond, asked.value)) continue
    const fact = boundOf(k.cond, k.value)
    if (fact?.value !== asked.value) continue
    if (fact.lo > lo) lo = fact.lo
    if (fact.hi < hi) hi = fact.hi
  }
  if (lo > asked.hi || hi < asked.lo) return false
  return lo >= asked.lo && hi <= asked.hi ? true : undefined
}

/** Whether a value stands on either side of a comparison. */
function speaksOf(cond: Instr, value: Instr): boolean {
  let c = cond
  while (c.op === 'not') c = c.args[0]
  return c.args.length === 2 && (c.args[0] === value || c.args[1] === value)
}

/** Whether a condition is one that `implied` can say anything about. */
export const isBound = (cond: Instr): boolean => boundOf(cond, true) !== undefined

function boundOf(cond: Instr, holds: boolean): Bound | undefined {
  if (cond.op === 'not') return boundOf(cond.args[0], !holds)
  const [a, b] = cond.args
  if (cond.op === 'ne' || cond.op === 'eq') {
    if (holds !== (cond.op === 'eq') || b.op !== 'const') return undefined
    return { value: a, lo: constant(b), hi: constant(b) }
  }
  if (cond.op !== 'leu' && cond.op !== 'ltu') return undefined
  const strict = cond.op === 'ltu'
  if (a.op === 'const') return half(b, constant(a) + (strict ? 1n : 0n), holds)
  return b.op === 'const' ? half(a, constant(b) + (strict ? 0n : 1n), !holds) : undefined
}

/** From `first` on if `above`, else below it. */
const half = (value: Instr, first: bigint, above: boolean): Bound =>
  above ? { value, lo: first, hi: maxOf(value.type) } : { value, lo: 0n, hi: first - 1n }

const constant = (i: Instr): bigint => BigInt(i.attrs.value)
