// Which values on the stack share a slot. There are as many slots as it takes, so whatever a copy joins has one slot if it
// is never alive together: a copy from slot to slot takes two instructions, and most of those between blocks go.
//
// Promises: deterministic; no two values that are alive together share a slot. Read coalesce.ts and allocate.ts first.

import type { Affinity } from './coalesce.js'
import type { Interference } from './liveness.js'
import type { Value } from './machine.js'

/** A slot for each of `spilled`. `pairs`: copies between values, the most expensive first. */
export function slotsOf(
  { values, neighbours }: Pick<Interference, 'values' | 'neighbours'>,
  spilled: ReadonlySet<Value>,
  pairs: readonly Affinity[],
): Map<Value, number> {
  const classes = new Map<Value, Value[]>([...spilled].map(v => [v, [v]]))
  const meet = (a: readonly Value[], b: readonly Value[]): boolean =>
    a.some(x => b.some(y => neighbours.get(x)!.has(y)))
  for (const pair of pairs) {
    const [a, b] = [classes.get(pair.a), classes.get(pair.b)]
    if (!a || !b || a === b || meet(a, b)) continue
    a.push(...b)
    for (const v of b) classes.set(v, a)
  }
  const slots = new Map<Value, number>()
  for (const v of values) {
    const members = classes.get(v)
    if (!members || slots.has(v)) continue
    const taken = new Set(members.flatMap(m => [...neighbours.get(m)!].map(n => slots.get(n))))
    let slot = 0
    while (taken.has(slot)) slot++
    for (const m of members) slots.set(m, slot)
  }
  return slots
}
