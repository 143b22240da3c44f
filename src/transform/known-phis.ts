// Conditions on the packet's length that are known where they meet others: an operand of a phi that the ways to it have been
// branched on is a constant there. Whether a packet has a UDP header, asked once and kept for later, is then no number that
// has to be computed and that a verifier learns nothing from: only the branch asks. Other conditions are left: code that knows
// more of the way it came has a verifier walk more ways. Promises: the same values.

import { SettledBranches } from '../analysis/control-dependence.js'
import type { KnownCondition } from '../analysis/control-dependence.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { newConst } from './edit.js'
import { isLengthCheck } from './length-checks.js'

export function foldKnownPhis(func: Func): boolean {
  if (!func.blocks.some(b => b.instrs.some(i => isOpen(i)))) return false
  const settled = new SettledBranches(func)
  const constants = new Map<boolean, Instr>()
  const constant = (value: boolean): Instr => {
    const made = constants.get(value) ?? newConst(func, 'i1', value ? 1n : 0n)
    if (!constants.has(value)) func.blocks[0].instrs.unshift(made)
    constants.set(value, made)
    return made
  }
  let changed = false
  for (const block of func.blocks)
    for (const phi of block.instrs) {
      if (phi.op !== 'phi') break
      if (!isOpen(phi)) continue
      block.preds.forEach((pred, k) => {
        const arg = phi.args[k]
        if (arg.op === 'const') return
        const value = valueAt(arg, pred, block, settled)
        if (value === undefined) return
        phi.args[k] = constant(value)
        changed = true
      })
    }
  return changed
}

/** Whether it is a phi of truth values that ask for the packet's length. */
const isOpen = ({ op, type, args }: Instr): boolean =>
  op === 'phi' && type === 'i1' && args.some(asksForLength)

const asksForLength = (i: Instr): boolean =>
  isLengthCheck(i) || ((i.op === 'and' || i.op === 'or') && i.args.some(asksForLength))

/** What is known of a truth value at the end of `from`, on the way to `to`. */
function valueAt(value: Instr, from: Block, to: Block, settled: SettledBranches): boolean | undefined {
  const { term } = from
  if (term.op === 'branch' && term.targets[0] !== term.targets[1]) {
    const found = implied(value, { block: from, cond: term.cond, value: term.targets[0] === to })
    if (found !== undefined) return found
  }
  for (const known of settled.at(from)) {
    const found = implied(value, known)
    if (found !== undefined) return found
  }
  return undefined
}

/** What a condition says of a value that it is made of. */
function implied(wanted: Instr, { block, cond, value }: KnownCondition): boolean | undefined {
  if (cond === wanted) return value
  if (cond.type !== 'i1' || (cond.op !== 'not' && cond.op !== (value ? 'and' : 'or'))) return undefined
  for (const a of cond.args) {
    const found = implied(wanted, { block, cond: a, value: cond.op === 'not' ? !value : value })
    if (found !== undefined) return found
  }
  return undefined
}
