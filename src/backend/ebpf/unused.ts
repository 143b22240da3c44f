// Leaves out steps whose results nobody uses: sums that became part of a comparison with data_end, and what they needed.

import { isValue } from './machine.js'
import type { Machine, Step, Value } from './machine.js'

const isKept = (s: Step): boolean => !s.dst || s.call === true || s.kept === true

/** Drops them in place; a step that has a result does nothing else, unless it calls or says so. */
export function dropUnused(machine: Machine): Machine {
  const used = new Set<Value>()
  const add = (values: readonly unknown[]): void => {
    for (const v of values as Value[]) used.add(v)
  }
  let before = -1
  // Uses in loops may be found only in a second round.
  while (used.size !== before) {
    before = used.size
    for (const block of machine.blocks.toReversed()) {
      const { end } = block
      if (end.kind === 'branch') add(end.condition.uses)
      if (end.kind === 'return' && end.result !== undefined && isValue(end.result)) used.add(end.result)
      for (const s of block.steps.toReversed()) if (isKept(s) || used.has(s.dst!)) add(s.uses)
      for (const phi of block.phis) if (used.has(phi.dst)) add(phi.args.filter(isValue))
    }
  }
  for (const block of machine.blocks) {
    block.steps = block.steps.filter(s => isKept(s) || used.has(s.dst!))
    block.phis = block.phis.filter(p => used.has(p.dst))
  }
  return machine
}
