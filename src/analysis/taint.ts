// What depends on state: values, and blocks whose execution does.
//
// A value is tainted if it comes from state, has a tainted operand, or is a phi whose operand a tainted branch chooses.
// A block is dynamic if a tainted branch decides whether it is executed: it lies between such a branch and the branch's
// immediate post-dominator. Everything else is a function of the packet alone. Which phis a branch chooses for is found
// by giving each way out of the branch a label and seeing where different labels meet (as divergence analyses do).
// Erring means calling something tainted that is not: metadata may grow, results stay right.

import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'
import type { Congruence } from './congruence.js'
import { postDominators } from './dominators.js'
import type { DominatorTree } from './dominators.js'
import type { Loop } from './loops.js'
import { isStateOp } from './slice-body.js'

export interface Taint {
  readonly values: Set<Instr>
  /** Blocks whose execution depends on state. */
  readonly dynamic: ReadonlySet<Block>
  /** The first block behind b, on every way to the exit, that is not dynamic; b itself if it is not. */
  resume(b: Block): Block
  /** Dynamic blocks that can be run when control leaves static block b, before it is at resume(). */
  region(b: Block): ReadonlySet<Block>
}

export function taint(func: Func, congruence: Congruence, loops: readonly Loop[]): Taint {
  const post = postDominators(func)
  const analysis = new TaintAnalysis(func, congruence, post)
  const found = (): number => analysis.values.size + analysis.dynamic.size
  for (let before = -1; before !== found();) {
    before = found()
    analysis.spread()
    for (const loop of loops) analysis.enter(loop)
    analysis.leave()
  }
  const { values, dynamic } = analysis
  const resume = (b: Block): Block => {
    let at: Block | undefined = b
    while (at && dynamic.has(at)) at = post.parent(at)
    if (!at) throw new Error(`${func.name}: no way on from block ${b.id}`)
    return at
  }
  const regions = new Map<Block, ReadonlySet<Block>>()
  const region = (b: Block): ReadonlySet<Block> => {
    let found = regions.get(b)
    if (!found) regions.set(b, (found = regionOf(b, dynamic)))
    return found
  }
  return { values, dynamic, resume, region }
}

function regionOf(block: Block, dynamic: ReadonlySet<Block>): ReadonlySet<Block> {
  const region = new Set<Block>()
  if (dynamic.has(block)) return region
  for (const t of block.term.targets) if (dynamic.has(t)) region.add(t)
  for (const b of region) for (const t of b.term.targets) if (dynamic.has(t)) region.add(t)
  return region
}

class TaintAnalysis {
  readonly values = new Set<Instr>()
  readonly dynamic = new Set<Block>()
  private readonly order: readonly Block[]
  private readonly post: DominatorTree
  private readonly congruence: Congruence
  private readonly users = new Map<Instr, Instr[]>()
  private readonly deciders = new Map<Instr, Block[]>()
  private readonly waiting: Instr[] = []

  constructor(func: Func, congruence: Congruence, post: DominatorTree) {
    this.congruence = congruence
    this.order = reversePostorder(func)
    this.post = post
    for (const block of this.order) {
      for (const i of block.instrs) {
        for (const a of i.args) listIn(this.users, a).push(i)
        if (isStateOp(i)) this.add(i)
      }
      if (block.term.op === 'branch') listIn(this.deciders, block.term.cond).push(block)
    }
  }

  private add(i: Instr): void {
    if (this.values.has(i)) return
    this.values.add(i)
    this.waiting.push(i)
  }

  /** From values to what is computed from them and what they decide. */
  spread(): void {
    for (let i = this.waiting.pop(); i; i = this.waiting.pop()) {
      for (const user of this.users.get(i) ?? []) this.add(user)
      for (const branch of this.deciders.get(i) ?? []) this.divide(branch)
    }
  }

  /**
   * A loop that touches state is run behind the cut as the loop it is: all that changes from round to round is
   * tainted, and so is whether its blocks are executed.
   */
  enter(loop: Loop): void {
    const blocks = [...loop.blocks]
    if (!blocks.some(b => b.instrs.some(i => this.values.has(i)))) return
    for (const b of blocks) this.dynamic.add(b)
    for (const i of loop.header.instrs) if (i.op === 'phi') this.add(i)
  }

  /** Several ways out of dynamic code into a block that is not: what they bring must agree to be known beforehand. */
  leave(): void {
    for (const block of this.order) {
      if (block.preds.length < 2 || this.dynamic.has(block)) continue
      const ways = block.preds.flatMap((p, k) => (this.dynamic.has(p) ? [k] : []))
      if (ways.length < 2) continue
      for (const i of block.instrs) if (i.op === 'phi' && this.differ(ways.map(k => i.args[k]))) this.add(i)
    }
  }

  private differ(operands: readonly Instr[]): boolean {
    return operands.some(a => this.congruence.of(a) !== this.congruence.of(operands[0]))
  }

  /** Marks what lies between a tainted branch and its post-dominator, and the phis that it chooses for. */
  private divide(branch: Block): void {
    const stop = this.post.parent(branch)
    const between = new Set<Block>(branch.term.targets.filter(t => t !== stop))
    for (const b of between) for (const t of b.term.targets) if (t !== stop) between.add(t)
    for (const b of between) this.dynamic.add(b)
    const labels = new Map<Block, Block>()
    for (const block of this.order) {
      if (block !== stop && !between.has(block)) continue
      const from = block.preds.map(p => (p === branch ? block : labels.get(p)))
      const known = from.filter(l => l !== undefined)
      if (known.every(l => l === known[0])) {
        if (known.length) labels.set(block, known[0])
        continue
      }
      labels.set(block, block)
      for (const i of block.instrs) {
        if (i.op !== 'phi') continue
        const chosen = i.args.filter((_, k) => from[k] !== undefined)
        if (this.differ(chosen)) this.add(i)
      }
    }
  }
}

function listIn<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key)
  if (!list) map.set(key, (list = []))
  return list
}
