// Which values on the stack share a slot. There are as many slots as it takes, so whatever a copy joins has one slot if it
// is never alive together: a copy from slot to slot takes two instructions, and most of those between blocks go.
//
// Promises: deterministic; no two values that are alive together share a slot. Read coalesce.ts and allocate.ts first.

import type { Affinity } from './coalesce.js'
import type { Interference } from './liveness.js'

/** A slot for each of the nodes `spilled`. `pairs`: copies between values, the most expensive first. */
export function slotsOf(
  { nodes, nodeOf, neighbours, meet }: Pick<Interference, 'nodes' | 'nodeOf' | 'neighbours' | 'meet'>,
  spilled: readonly number[],
  pairs: readonly Affinity[],
): Map<number, number> {
  const classes = new Map<number, number[]>(spilled.map(v => [v, [v]]))
  if (classes.size === 0) return new Map()
  const together = (a: readonly number[], b: readonly number[]): boolean =>
    a.some(x => b.some(y => meet.has(x, y)))
  for (const pair of pairs) {
    const [a, b] = [classes.get(nodeOf(pair.a)), classes.get(nodeOf(pair.b))]
    if (!a || !b || a === b || together(a, b)) continue
    a.push(...b)
    for (const v of b) classes.set(v, a)
  }
  const slots = new Map<number, number>()
  for (const v of nodes) {
    const members = classes.get(v)
    if (!members || slots.has(v)) continue
    const taken = new Set<number | undefined>()
    for (const m of members) for (const n of neighbours[m]) if (classes.has(n)) taken.add(slots.get(n))
    let slot = 0
    while (taken.has(slot)) slot++
    for (const m of members) slots.set(m, slot)
  }
  return slots
}
