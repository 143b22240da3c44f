// What depends on state: values, and blocks whose execution does.
//
// A value is tainted if it comes from state, has a tainted operand, or is a phi whose operand a tainted branch chooses.
// A block is dynamic if a tainted branch decides whether it is executed: it lies between such a branch and the branch's
// immediate post-dominator. Everything else is a function of the packet alone. Which phis a branch chooses for is found
// by giving each way out of the branch a label and seeing where different labels meet (as divergence analyses do).
// Erring means calling something tainted that is not: metadata may grow, results stay right.

import { opInfo } from '../ir/ops.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'
import type { Congruence } from './congruence.js'
import { postDominators } from './dominators.js'
import type { DominatorTree } from './dominators.js'
import type { Loop } from './loops.js'

export interface Taint {
  readonly values: ReadonlySet<Instr>
  /** Blocks whose execution depends on state. */
  readonly dynamic: ReadonlySet<Block>
  /** The first block behind b, on every way to the exit, that is not dynamic; b itself if it is not. */
  resume(b: Block): Block
}

export function taint(func: Func, congruence: Congruence, loops: readonly Loop[]): Taint {
  const post = postDominators(func)
  const analysis = new TaintAnalysis(func, congruence, post)
  for (let before = -1; before !== analysis.values.size;) {
    before = analysis.values.size
    analysis.solve()
    for (const loop of loops) analysis.enter(loop)
  }
  const { values, dynamic } = analysis
  const resume = (b: Block): Block => {
    let at: Block | undefined = b
    while (at && dynamic.has(at)) at = post.parent(at)
    if (!at) throw new Error(`${func.name}: no way on from block ${b.id}`)
    return at
  }
  return { values, dynamic, resume }
}

class TaintAnalysis {
  readonly values = new Set<Instr>()
  readonly dynamic = new Set<Block>()
  private readonly order: readonly Block[]
  private readonly post: DominatorTree
  private readonly congruence: Congruence
  private readonly divided = new Set<Block>()

  constructor(func: Func, congruence: Congruence, post: DominatorTree) {
    this.congruence = congruence
    this.order = reversePostorder(func)
    this.post = post
  }

  solve(): void {
    for (let before = -1; before !== this.values.size + this.divided.size;) {
      before = this.values.size + this.divided.size
      for (const block of this.order) {
        for (const i of block.instrs) if (this.isTainted(i, block)) this.values.add(i)
        const { term } = block
        if (term.op !== 'branch' || !this.values.has(term.cond) || this.divided.has(block)) continue
        this.divided.add(block)
        this.divide(block)
      }
    }
  }

  /**
   * A loop that touches state, or is run only in some states, is run behind the cut as the loop it is: all that
   * changes from round to round is tainted, and so is whether its blocks are executed.
   */
  enter(loop: Loop): void {
    const blocks = [...loop.blocks]
    if (!this.dynamic.has(loop.header) && !blocks.some(b => b.instrs.some(i => this.values.has(i)))) return
    for (const b of blocks) this.dynamic.add(b)
    for (const i of loop.header.instrs) if (i.op === 'phi') this.values.add(i)
  }

  private isTainted(i: Instr, block: Block): boolean {
    if (opInfo(i.op).effect.startsWith('state.') || i.args.some(a => this.values.has(a))) return true
    if (i.op !== 'phi' || this.dynamic.has(block)) return false
    // Several ways out of dynamic code into a block that is not: their operands must agree to be known beforehand.
    const entering = i.args.filter((_, k) => this.dynamic.has(block.preds[k]))
    return this.differ(entering)
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
        if (this.differ(chosen)) this.values.add(i)
      }
    }
  }
}
