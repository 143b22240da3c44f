// The packet function's returns, one for each verdict: where control decides which it is, it need not become a number
// first. What is counted by verdict then has a constant address, which does not wait for what the table said.
//
// Works on a machine function in place, before registers are given. Read machine.ts first.

import { isValue } from './machine.js'
import type { Block, Machine, Operand } from './machine.js'

/** Lets every block that only goes on to a return do so itself, and every choice between two constants be a branch. */
export function splitReturns(machine: Machine): Machine {
  let id = Math.max(...machine.blocks.map(b => b.id)) + 1
  for (let changed = true; changed;) {
    changed = false
    for (const block of [...machine.blocks]) if (returnsOnly(block)) changed = mergeInto(block) || changed
  }
  machine.blocks = machine.blocks.filter((b, k) => k === 0 || b.preds.length > 0)
  for (const block of [...machine.blocks]) {
    const { end } = block
    const last = block.steps.at(-1)
    if (end.kind !== 'return' || !last?.choice || end.result !== last.dst) continue
    const { condition, yes, no } = last.choice
    const leave = (result: Operand): Block => ({
      id: id++,
      depth: block.depth,
      phis: [],
      steps: [],
      end: { kind: 'return', result, targets: [] },
      preds: [block],
    })
    const targets: [Block, Block] = [leave(yes), leave(no)]
    block.steps.pop()
    block.end = { kind: 'branch', condition, targets }
    machine.blocks.splice(machine.blocks.indexOf(block) + 1, 0, ...targets)
  }
  return machine
}

/** A block that returns its own phi, or a constant, and does nothing else. */
function returnsOnly({ steps, phis, end }: Block): boolean {
  if (end.kind !== 'return' || end.result === undefined || steps.length > 0) return false
  const { result } = end
  return !isValue(result) || phis.some(p => p.dst === result)
}

/** Puts the return where blocks jump to it; whether there were any. */
function mergeInto(block: Block): boolean {
  const { result } = block.end as { result: Operand }
  const phi = block.phis.find(p => p.dst === result)
  let changed = false
  for (let k = block.preds.length - 1; k >= 0; k--) {
    const from = block.preds[k]
    if (from.end.kind !== 'jump') continue
    from.end = { kind: 'return', result: phi ? phi.args[k] : result, targets: [] }
    block.preds.splice(k, 1)
    for (const p of block.phis) p.args.splice(k, 1)
    changed = true
  }
  return changed
}
