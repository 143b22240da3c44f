// Code sinking: what only one way needs is computed on that way. An instruction moves down to the nearest block that
// dominates all its uses, but into no loop. Engines do that with arithmetic themselves; with loads they do not, and a
// block that computes nothing any more is one that jump threading can pass by.

import { terminatorArgs } from '../analysis/cfg.js'
import { dominators } from '../analysis/dominators.js'
import type { DominatorTree } from '../analysis/dominators.js'
import { loops } from '../analysis/loops.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'

export function sink(func: Func): boolean {
  return new Sinking(func).run()
}

class Sinking {
  private readonly tree: DominatorTree
  /** By id of the value, as are the next two. */
  private readonly places: (Block | undefined)[]
  private readonly depths = new Map<Block, number>()
  /** Blocks in which each value is used by a phi, as the end of that block, or by a terminator. */
  private readonly ends: (Block[] | undefined)[]
  /** The other users. */
  private readonly users: (Instr[] | undefined)[]
  /** Blocks at whose start, or in which, the packet may have been written. */
  private readonly written: ReadonlySet<Block>
  private readonly changed: 'any' | ReadonlySet<string>

  constructor(func: Func) {
    this.tree = dominators(func)
    this.places = Array(func.nextId)
    this.ends = Array(func.nextId)
    this.users = Array(func.nextId)
    for (const { blocks, depth } of loops(func, this.tree)) for (const b of blocks) this.depths.set(b, depth)
    const enter = <T>(lists: (T[] | undefined)[], { id }: Instr, use: T): void => {
      const list = lists[id]
      if (list) list.push(use)
      else lists[id] = [use]
    }
    for (const block of func.blocks) {
      const { instrs } = block
      for (let n = 0; n < instrs.length; n++) {
        const i = instrs[n]
        this.places[i.id] = block
        for (let k = 0; k < i.args.length; k++)
          if (i.op === 'phi') enter(this.ends, i.args[k], block.preds[k])
          else enter(this.users, i.args[k], i)
      }
      for (const a of terminatorArgs(block)) enter(this.ends, a, block)
    }
    const written = new Set(
      func.blocks.filter(b => b.instrs.some(i => opInfo(i.op).effect === 'packet.write')),
    )
    for (const b of written) for (const t of b.term.targets) written.add(t)
    this.written = written
    const all = func.blocks.flatMap(b => b.instrs)
    const writers = all.filter(i => opInfo(i.op).effect === 'state.write')
    this.changed = all.some(i => opInfo(i.op).effect === 'call')
      ? 'any'
      : new Set(writers.map(i => String(i.attrs.object)))
  }

  run(): boolean {
    let changed = false
    // Users stand below what they use, so that they have moved before.
    for (const block of this.tree.order.toReversed()) {
      const moved = new Set<Instr>()
      for (const i of block.instrs.toReversed()) {
        const target = this.target(i, block)
        if (!target) continue
        moved.add(i)
        this.places[i.id] = target
        const at = target.instrs.findIndex(j => j.op !== 'phi')
        target.instrs.splice(at < 0 ? target.instrs.length : at, 0, i)
      }
      if (moved.size === 0) continue
      block.instrs = block.instrs.filter(i => !moved.has(i))
      changed = true
    }
    return changed
  }

  /** The block to move to, if another than its own. */
  private target(i: Instr, block: Block): Block | undefined {
    const { effect } = opInfo(i.op)
    const isLoad = effect === 'packet.read' && i.attrs.checked === false && i.args[0].op === 'packet'
    const isFixed = i.op === 'state.load' && !this.changes(String(i.attrs.object))
    if (!(effect === 'none' || isLoad || isFixed) || i.op === 'phi' || i.type === 'mem') return undefined
    let target: Block | undefined
    const need = (b: Block): void => {
      target = target ? this.common(target, b) : b
    }
    this.ends[i.id]?.forEach(need)
    for (const user of this.users[i.id] ?? []) need(this.places[user.id]!)
    const depth = this.depths.get(block) ?? 0
    while (
      target &&
      target !== block &&
      (this.unfit(target, isLoad) || (this.depths.get(target) ?? 0) > depth)
    )
      target = this.tree.parent(target)
    return target === block ? undefined : target
  }

  /** Whether the function writes an object, as far as it can be seen: what it calls may write any. */
  private changes(object: string): boolean {
    return this.changed === 'any' || this.changed.has(object)
  }

  /** A load of the packet as received cannot stand where that was written over. */
  private unfit(block: Block, isLoad: boolean): boolean {
    return isLoad && this.written.has(block)
  }

  private common(a: Block, b: Block): Block {
    let block = a
    while (!this.tree.dominates(block, b)) block = this.tree.parent(block)!
    return block
  }
}
