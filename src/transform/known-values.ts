// Behind a branch on `x == 6`, x is 6: replaces values by the constants that the branches passed on the way imply.
//
// Promises: the function computes the same; only operands change. Pays where a value was loaded for a test and is used
// again behind it: the look-up key `protocol` behind `protocol == Tcp` needs no packet any more. Read analysis/facts.ts.

import { blockOf } from '../analysis/cfg.js'
import { settledBranches } from '../analysis/control-dependence.js'
import { dominators } from '../analysis/dominators.js'
import { conclude } from '../analysis/facts.js'
import type { FactContext, Facts } from '../analysis/facts.js'
import { loops } from '../analysis/loops.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** Replaces in place; true if anything was. */
export function substituteKnown(func: Func): boolean {
  const tree = dominators(func)
  const context: FactContext = {
    places: blockOf(func),
    settled: settledBranches(func, tree),
    looping: new Set(loops(func, tree).flatMap(l => [...l.blocks])),
  }
  const constants = new Map<string, Instr>()
  const constant = (type: Instr['type'], value: bigint): Instr => {
    const key = `${type} ${value}`
    let made = constants.get(key)
    if (!made) {
      made = { id: func.nextId++, op: 'const', type, args: [], attrs: { value } }
      constants.set(key, made)
    }
    return made
  }
  const factsAt = new Map<Block, Facts>()
  let changed = false
  for (const block of tree.order) {
    const facts = factsHere(block, tree.parent(block), factsAt, context)
    factsAt.set(block, facts)
    const replace = (v: Instr, known: Facts): Instr => {
      const value = v.op === 'const' ? undefined : known.get(v)
      if (value === undefined) return v
      changed = true
      return constant(v.type, value)
    }
    for (const i of block.instrs) if (i.op !== 'phi') i.args = i.args.map(a => replace(a, facts))
    if (block.term.op === 'branch') block.term.cond = replace(block.term.cond, facts)
    for (const target of new Set(block.term.targets))
      for (const phi of target.instrs)
        if (phi.op === 'phi')
          phi.args = phi.args.map((a, k) => (target.preds[k] === block ? replace(a, facts) : a))
  }
  func.blocks[0].instrs.unshift(...constants.values())
  return changed
}

/** The immediate dominator's facts, and those of the branch that alone leads here. */
function factsHere(
  block: Block,
  parent: Block | undefined,
  factsAt: ReadonlyMap<Block, Facts>,
  context: FactContext,
): Facts {
  const inherited = parent ? factsAt.get(parent)! : new Map<Instr, bigint>()
  const [pred] = block.preds
  if (block.preds.length !== 1 || pred.term.op !== 'branch') return inherited
  const facts = new Map(inherited)
  conclude(pred.term.cond, pred.term.targets[0] === block ? 1n : 0n, facts, context)
  return facts
}
