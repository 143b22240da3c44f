// Parallel copies: what edges into blocks with phis and calls need.

import { ldx, mov64, st, stx, fp } from './asm.js'
import type { Item, Register } from './asm.js'
import type { Location } from './allocate.js'
import { constant } from './constant.js'

export interface Move {
  readonly to: Location
  readonly from: Location | bigint
}

/** Where a slot is, from the frame pointer. */
export const slotOffset = (slot: number): number => -8 * (slot + 1)

const same = (a: Location, b: Location): boolean =>
  'register' in a ? 'register' in b && a.register === b.register : 'slot' in b && a.slot === b.slot

/**
 * Code that makes all copies as if at once. Destinations are distinct. `through` is a register for copies between
 * slots, `spare` one that breaks cycles; neither is a source or destination.
 */
export function parallel(moves: readonly Move[], through: Register, spare: Register): Item[] {
  const code: Item[] = []
  const constants = moves.filter(m => typeof m.from === 'bigint')
  let pending = moves.flatMap(({ to, from }) =>
    typeof from === 'bigint' || same(to, from) ? [] : [{ to, from }],
  )
  while (pending.length) {
    const free = pending.findIndex(m => !pending.some(o => o !== m && same(o.from, m.to)))
    if (free >= 0) {
      const [{ to, from }] = pending.splice(free, 1)
      code.push(...copy(to, from, through))
      continue
    }
    // Every destination is still a source: keep one aside.
    const aside: Location = { register: spare }
    const [{ from }] = pending
    code.push(...copy(aside, from, through))
    pending = pending.map(m => (same(m.from, from) ? { to: m.to, from: aside } : m))
  }
  for (const { to, from } of constants) {
    const value = from as bigint
    if ('register' in to) code.push(...constant(to.register, value))
    else if (BigInt.asIntN(32, value) === BigInt.asIntN(64, value))
      code.push(st.dw(fp, slotOffset(to.slot), Number(BigInt.asIntN(32, value))))
    else code.push(...constant(through, value), stx.dw(fp, slotOffset(to.slot), through))
  }
  return code
}

function copy(to: Location, from: Location, through: Register): Item[] {
  if ('register' in to)
    return [
      'register' in from
        ? mov64.reg(to.register, from.register)
        : ldx.dw(to.register, fp, slotOffset(from.slot)),
    ]
  if ('register' in from) return [stx.dw(fp, slotOffset(to.slot), from.register)]
  return [ldx.dw(through, fp, slotOffset(from.slot)), stx.dw(fp, slotOffset(to.slot), through)]
}
