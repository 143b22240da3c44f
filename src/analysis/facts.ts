// What must be true if a condition had a known outcome: further conditions, and values that equal a constant.
//
// `found` is 1, it is phi(0, x), so x was 1; x is `and` of `protocol == 6` and more, so protocol is 6. Used to leave out
// of the metadata what the mere fact that a packet changes state already tells, and by the pass known-values.ts.

import { opInfo } from '../ir/ops.js'
import type { Block, Instr } from '../ir/types.js'
import type { KnownCondition } from './control-dependence.js'

export interface FactContext {
  /** The block an instruction stands in. */
  readonly places: ReadonlyMap<Instr, Block>
  /** settledBranches() of the function. */
  readonly settled: ReadonlyMap<Block, readonly KnownCondition[]>
  /** Blocks in loops: their values change, so nothing is concluded about them. */
  readonly looping: ReadonlySet<Block>
}

export type Facts = Map<Instr, bigint>

/** Adds to `facts` what follows from `value` having been `known`. */
export function conclude(value: Instr, known: bigint, facts: Facts, context: FactContext): void {
  if (facts.has(value) || value.op === 'const') return
  const place = context.places.get(value)
  if (place && context.looping.has(place)) return
  facts.set(value, known)
  const then = (v: Instr, k: bigint): void => conclude(v, k, facts, context)
  const [a, b] = value.args
  const { op } = value
  if (op === 'not') then(a, known ^ 1n)
  else if (value.type === 'i1' && op === (known ? 'and' : 'or')) value.args.forEach(x => then(x, known))
  else if (op === (known ? 'eq' : 'ne')) {
    if (b.op === 'const') then(a, BigInt(b.attrs.value))
    if (a.op === 'const') then(b, BigInt(a.attrs.value))
  } else if (op === 'zext') then(a, known)
  else if (op.startsWith('bswap')) {
    const undone = opInfo(op).fold!([known], value.type, a.type, {})
    const same = opInfo(op).fold!([undone], value.type, a.type, {}) === known
    // The upper half of a 16-bit swap's operand is lost.
    if (same && (op !== 'bswap16' || isHalfLoad(a))) then(a, undone)
  } else if (op === 'phi') cameFrom(value, place!, known, facts, context)
}

const isHalfLoad = (i: Instr): boolean => i.op === 'load' && Number(i.attrs.width) <= 2

/** If one operand alone can have that value, control came from there. */
function cameFrom(phi: Instr, place: Block, known: bigint, facts: Facts, context: FactContext): void {
  const possible = phi.args.flatMap((a, k) => (a.op === 'const' && a.attrs.value !== known ? [] : [k]))
  if (possible.length !== 1) return
  const [k] = possible
  conclude(phi.args[k], known, facts, context)
  for (const { block, value } of context.settled.get(place.preds[k]) ?? [])
    if (block.term.op === 'branch' && !context.looping.has(block))
      conclude(block.term.cond, value ? 1n : 0n, facts, context)
}
