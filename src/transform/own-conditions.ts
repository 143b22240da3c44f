// Conditions are asked where they decide: a truth value that is cheap to find again, a comparison with a constant or a
// few of them, is found in each block that uses it, from what it compares. Machines without truth values make one by
// jumping, keep it on the stack, and have a verifier follow both of its values all the way down; a comparison that only
// branches use is a part of the branch. What several of them make is a value to a phi, and stays where it is: found again
// at the end of each way there, it would be made by jumping on every one. Common subexpressions undo this, so it comes
// last. Promises: the same values.

import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { dce } from './dce.js'
import { isLengthCheck } from './length-checks.js'

/** How many truth values may be put together. */
const maxDepth = 2

/** What a comparison with a constant may compare besides what is there already: a few bits of it. */
const masks: ReadonlySet<string> = new Set(['and', 'shru'])
const comparisons: ReadonlySet<string> = new Set(['eq', 'ne', 'ltu', 'leu', 'lts', 'les'])
const joints: ReadonlySet<string> = new Set(['and', 'or', 'xor', 'eq', 'ne', 'not'])

export function ownConditions(func: Func): boolean {
  const places = new Map<Instr, Block>()
  for (const b of func.blocks) for (const i of b.instrs) places.set(i, b)
  let changed = false
  for (const block of func.blocks) {
    const own = new Map<Instr, Instr>()
    const out: Instr[] = []
    const clone = (i: Instr): Instr => {
      const known = own.get(i)
      if (known) return known
      const args = i.args.map(a => (a.op === 'const' ? a : isTest(a) || isMask(a) ? clone(a) : a))
      const copy: Instr = { ...i, id: func.nextId++, args }
      own.set(i, copy)
      out.push(copy)
      changed = true
      return copy
    }
    const here = (i: Instr): Instr => (places.get(i) !== block && isTest(i) ? clone(i) : i)
    const before = block.instrs
    block.instrs = out
    for (const i of before) {
      if (i.op !== 'phi' && i.args.some(a => here(a) !== a)) i.args = i.args.map(here)
      out.push(i)
    }
    const t = block.term
    if (t.op === 'branch') t.cond = here(t.cond)
    for (const to of t.targets)
      for (const phi of to.instrs) {
        if (phi.op !== 'phi') break
        to.preds.forEach((p, k) => {
          if (p === block && !isJoint(phi.args[k])) phi.args[k] = here(phi.args[k])
        })
      }
  }
  if (changed) dce(func)
  return changed
}

function isTest(i: Instr, depth = maxDepth): boolean {
  if (i.type !== 'i1' || isLengthCheck(i)) return false
  if (comparisons.has(i.op) && i.args[1].op === 'const' && i.args[0].type !== 'i1') return true
  return depth > 0 && joints.has(i.op) && i.args.every(a => a.type === 'i1' && isTest(a, depth - 1))
}

const isJoint = ({ op, args }: Instr): boolean => joints.has(op) && args[0].type === 'i1'

const isMask = (i: Instr): boolean =>
  masks.has(i.op) && i.args[1].op === 'const' && opInfo(i.op).effect === 'none'
