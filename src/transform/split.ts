// Splits branches on a conjunction or disjunction into one branch per part. Processors compare and branch in one step
// and predict each test; a truth value put together from several comparisons takes three steps for each. The opposite
// of what analyses want, who find one branch with one condition easier; so it comes last.

import { predIndex } from '../analysis/cfg.js'
import { usesOf } from '../analysis/uses.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { phisOf } from './edit.js'

export function split(func: Func): boolean {
  const conditions = new Set<Instr>()
  const enter = (i: Instr): void => {
    if (conditions.has(i) || !isJoint(i)) return
    conditions.add(i)
    i.args.forEach(enter)
  }
  for (const { term } of func.blocks) if (term.op === 'branch') enter(term.cond)
  const uses = usesOf(func, conditions)
  const gone = new Set<Instr>()
  const out: Block[] = []
  const work = func.blocks.toReversed()
  for (let block = work.pop(); block; block = work.pop()) {
    const t = block.term
    if (t.op === 'branch' && t.cond.op === 'not' && t.targets[0] !== t.targets[1]) {
      t.cond = t.cond.args[0]
      t.targets = [t.targets[1], t.targets[0]]
      work.push(block)
      continue
    }
    out.push(block)
    if (t.op !== 'branch' || !isJoint(t.cond) || t.targets[0] === t.targets[1]) continue
    if (uses.count(t.cond) !== 1) continue
    gone.add(t.cond)
    work.push(...(isChoice(t.cond) ? splitChoice(func, block) : [splitBranch(func, block)]))
    work.push(out.pop()!)
  }
  func.blocks = out
  for (const block of out) block.instrs = block.instrs.filter(i => !gone.has(i))
  return gone.size > 0
}

const isJoint = ({ op, type, args: [a] }: Instr): boolean =>
  type === 'i1' &&
  (op === 'and' || op === 'or' || op === 'select' || ((op === 'eq' || op === 'ne') && a.type === 'i1'))

/** Whether the first part does not decide by itself, but which of two others does. */
const isChoice = ({ op }: Instr): boolean => op !== 'and' && op !== 'or'

/** The block's branch tests the first part; two new blocks, which are returned, the part that then decides. */
function splitChoice(func: Func, block: Block): Block[] {
  const t = block.term
  if (t.op !== 'branch') throw new Error('no branch')
  const { op, args } = t.cond
  const isSelect = op === 'select'
  const parts = isSelect ? [args[1], args[2]] : [args[1], args[1]]
  /** Whether the targets change places: of a = b where a is false, and of a != b where it is true. */
  const turned = isSelect ? [false, false] : op === 'eq' ? [false, true] : [true, false]
  const targets = [...t.targets] as [Block, Block]
  const edges = targets.map((to, k) => ({ to, at: predIndex(block, k) }))
  const next = parts.map((cond, k): Block => {
    const [yes, no] = turned[k] ? [targets[1], targets[0]] : targets
    return { id: func.nextId++, instrs: [], term: { ...t, cond, targets: [yes, no] }, preds: [block] }
  })
  for (const { to, at } of edges) {
    to.preds[at] = next[0]
    to.preds.push(next[1])
    for (const phi of phisOf(to)) phi.args.push(phi.args[at])
  }
  block.term = { ...t, cond: args[0], targets: [next[0], next[1]] }
  return next.toReversed()
}

/** The block's branch tests the first part; a new block, which is returned, tests the second. */
function splitBranch(func: Func, block: Block): Block {
  const t = block.term
  if (t.op !== 'branch') throw new Error('no branch')
  const [a, b] = t.cond.args
  // Where the first part alone decides, and where both are needed.
  const [early, late] = t.cond.op === 'and' ? ([1, 0] as const) : ([0, 1] as const)
  const decided = t.targets[early]
  const at = predIndex(block, early)
  const next: Block = {
    id: func.nextId++,
    instrs: [],
    term: { ...t, cond: b, targets: [...t.targets] },
    preds: [block],
  }
  const other = t.targets[late]
  other.preds[predIndex(block, late)] = next
  decided.preds.push(next)
  for (const phi of phisOf(decided)) phi.args.push(phi.args[at])
  block.term = { ...t, cond: a, targets: late === 0 ? [next, decided] : [decided, next] }
  return next
}
