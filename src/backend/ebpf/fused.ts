// Which conditions are made where they are used, so that they become the branch or the select itself: a comparison that
// only its block's branch or a select there uses, and one with a constant that only branches use, because comparing
// again costs no more than testing what was found. What only masks a value for a test of its bits is part of the test.

import { bitsTested } from '../../analysis/bit-tests.js'
import type { Block, Instr } from '../../ir/types.js'
import { isComparison } from './arithmetic.js'

/** `blocks`: all that can be reached. `isCheck`: whether a condition is a check of the packet's length. */
export function fusedIn(blocks: readonly Block[], isCheck: (c: Instr) => boolean): ReadonlySet<Instr> {
  const fused = new Set<Instr>()
  const { uses, branches } = usesIn(blocks)
  for (const [c, n] of branches)
    if (n === uses.get(c) && isComparison(c.op) && c.args[1].op === 'const') fused.add(c)
  for (const { instrs, term } of blocks) {
    for (const { op, args } of instrs)
      if (op === 'select' && uses.get(args[0]) === 1 && instrs.includes(args[0]))
        if (isComparison(args[0].op)) fused.add(args[0])
    if (term.op !== 'branch') continue
    let c = term.cond
    while (instrs.includes(c) && uses.get(c) === 1) {
      if (isCheck(c) || isComparison(c.op) || c.op === 'not') fused.add(c)
      if (c.op !== 'not') break
      c = c.args[0]
    }
  }
  for (const c of [...fused]) {
    const by = bitsTested(c)?.by ?? []
    if (by.every(i => uses.get(i) === 1)) for (const i of by) fused.add(i)
  }
  return fused
}

/** How often each value is used, and how often by a branch. */
function usesIn(blocks: readonly Block[]): Record<'uses' | 'branches', ReadonlyMap<Instr, number>> {
  const [uses, branches] = [new Map<Instr, number>(), new Map<Instr, number>()]
  const add = (to: Map<Instr, number>, i: Instr): void => void to.set(i, (to.get(i) ?? 0) + 1)
  for (const { instrs, term } of blocks) {
    for (const i of instrs) for (const a of i.args) add(uses, a)
    if (term.op === 'return') for (const a of term.args) add(uses, a)
    if (term.op !== 'branch') continue
    add(uses, term.cond)
    add(branches, term.cond)
  }
  return { uses, branches }
}
