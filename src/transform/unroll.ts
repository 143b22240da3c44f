// Full unrolling of loops that run a constant number of times: the body is copied once for each round, so that what
// depends on the counter becomes constant (folding does that afterwards). The state slicer needs this: addresses that
// depend on a counter are then cut like any other value. Loops with other exits besides the counter's are unrolled too.

import { predIndex } from '../analysis/cfg.js'
import { dominators } from '../analysis/dominators.js'
import { loops } from '../analysis/loops.js'
import { roundsOf } from '../analysis/rounds.js'
import type { Count } from '../analysis/rounds.js'
import type { Loop } from '../analysis/loops.js'
import { Uses } from '../analysis/uses.js'
import { dropUnreachable } from '../ir/builder.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { cloneInstr } from './clone.js'
import { dropTrivialPhis, phisOf } from './edit.js'
import { reconstruct } from './ssa.js'

export interface UnrollLimits {
  /** Rounds a loop may make. */
  readonly rounds: number
  /** Instructions that the copies of one loop may have together. */
  readonly instructions: number
}

const usual: UnrollLimits = { rounds: 64, instructions: 4000 }

/** Unrolls every loop whose number of rounds is a constant within the limits, inner loops first. */
export function unroll(func: Func, limits: UnrollLimits = usual): boolean {
  let changed = false
  for (let again = true; again;) {
    again = false
    const tree = dominators(func)
    for (const loop of loops(func, tree).toReversed()) {
      const count = roundsOf(loop, limits.rounds, (a, b) => tree.dominates(a, b))
      const size = [...loop.blocks].reduce((n, b) => n + b.instrs.length + 1, 0)
      if (count === undefined || size * (count.rounds + 1) > limits.instructions) continue
      unrollLoop(func, loop, count)
      changed = again = true
      break
    }
  }
  if (changed) dropTrivialPhis(func)
  return changed
}

/** One copy of the loop's body. */
interface Round {
  readonly blocks: ReadonlyMap<Block, Block>
  readonly values: Map<Instr, Instr>
}

function unrollLoop(func: Func, loop: Loop, count: Count): void {
  const { header } = loop
  const body = func.blocks.filter(b => loop.blocks.has(b))
  const rounds: Round[] = []
  for (let n = 0; n <= count.rounds; n++) rounds.push(copyRound(func, loop, body, rounds.at(-1)))
  rounds.forEach((round, n) => connect(func, loop, body, round, rounds[n + 1], count))
  const first = rounds[0].blocks.get(header)!
  for (const pred of first.preds)
    pred.term.targets.forEach((target, k) => {
      if (target === header) pred.term.targets[k] = first
    })
  func.blocks.splice(func.blocks.indexOf(header), 0, ...rounds.flatMap(r => [...r.blocks.values()]))
  const originals = body.map(block => ({ block, instrs: block.instrs }))
  header.preds = header.preds.filter(p => loop.blocks.has(p))
  dropUnreachable(func)
  const uses = new Uses(func)
  for (const { block, instrs } of originals)
    for (const i of instrs) {
      if (uses.count(i) === 0) continue
      const copies = rounds.map(r => [r.blocks.get(block)!, r.values.get(i) ?? i] as const)
      reconstruct(func, i, new Map(copies), uses)
    }
}

/** Blocks and instructions of one round, phis without operands from within; `before` is the round before. */
function copyRound(func: Func, loop: Loop, body: readonly Block[], before: Round | undefined): Round {
  const values = new Map<Instr, Instr>()
  const blocks = new Map<Block, Block>()
  for (const block of body) {
    const copy: Block = { id: func.nextId++, instrs: [], term: { op: 'unreachable', targets: [] }, preds: [] }
    blocks.set(block, copy)
    for (const phi of phisOf(block)) {
      const replica: Instr = { ...phi, id: func.nextId++, args: [] }
      values.set(phi, replica)
      copy.instrs.push(replica)
    }
  }
  enter(loop, blocks.get(loop.header)!, values, before)
  // Operands may be defined in a block that stands later in the list: map them when all have copies.
  const clones = body.flatMap(b => {
    const own = b.instrs.filter(i => i.op !== 'phi').map(i => cloneInstr(func, i, values))
    blocks.get(b)!.instrs.push(...own)
    return own
  })
  for (const i of clones) i.args = i.args.map(a => values.get(a) ?? a)
  return { blocks, values }
}

/** Predecessors and phi operands of a round's header: from outside for the first round, else from the round before. */
function enter(
  loop: Loop,
  header: Block,
  values: ReadonlyMap<Instr, Instr>,
  before: Round | undefined,
): void {
  const original = loop.header
  original.preds.forEach((pred, k) => {
    if (loop.blocks.has(pred) !== (before !== undefined)) return
    header.preds.push(before ? before.blocks.get(pred)! : pred)
    for (const phi of phisOf(original))
      values.get(phi)!.args.push((before && before.values.get(phi.args[k])) ?? phi.args[k])
  })
}

/** Terminators of a round, with edges within, into the next round, and out of the loop. */
function connect(
  func: Func,
  loop: Loop,
  body: readonly Block[],
  round: Round,
  next: Round | undefined,
  count: Count,
): void {
  const value = (i: Instr): Instr => round.values.get(i) ?? i
  for (const block of body) {
    const copy = round.blocks.get(block)!
    const t = block.term
    const ends = next === undefined && block === count.test
    const targets = t.targets.flatMap((target, k) => {
      if (ends && k !== count.exit) return []
      if (target === loop.header) return [next ? next.blocks.get(target)! : deadEnd(func, copy)]
      const to = round.blocks.get(target) ?? target
      const at = predIndex(block, k)
      to.preds.push(copy)
      for (const phi of phisOf(target)) (round.values.get(phi) ?? phi).args.push(value(phi.args[at]))
      return [to]
    })
    const span = t.span && { span: t.span }
    if (t.op === 'branch' && targets.length === 2)
      copy.term = { op: 'branch', cond: value(t.cond), targets: [targets[0], targets[1]], ...span }
    else if (t.op === 'return') copy.term = { op: 'return', args: t.args.map(value), targets: [], ...span }
    else if (targets.length) copy.term = { op: 'jump', targets: [targets[0]], ...span }
  }
}

/** Where control cannot come, because the test has left the loop before. */
function deadEnd(func: Func, pred: Block): Block {
  const block: Block = {
    id: func.nextId++,
    instrs: [],
    term: { op: 'unreachable', targets: [] },
    preds: [pred],
  }
  func.blocks.push(block)
  return block
}
