// Structured control flow from a reducible graph: nested blocks, loops and ifs by the dominator tree.
//
// After Norman Ramsey, "Beyond Relooper" (ICFP 2022). A block that several forward edges enter becomes code behind a
// `block`, nested in its immediate dominator in reverse postorder; a block that a back edge enters becomes a `loop`;
// every other block is written where its only predecessor branches to it.

import type { Block } from '../../ir/types.js'
import { block, br, if_, label, loop } from './asm.js'
import type { Code, Label } from './asm.js'

export interface Writer {
  /** Code of a block's instructions; asked for once per block, before its condition, edges and way out. */
  body(block: Block): Code
  /** Pushes a branch's condition. */
  condition(block: Block): Code
  /** Copies that an edge makes. */
  edge(from: Block, to: Block): Code
  /** Leaves the function from a block that ends it. */
  leave(block: Block): Code
}

/** Code of a whole function; `order` is its reachable blocks in reverse postorder. */
export function control(order: readonly Block[], writer: Writer): Code {
  return new Structure(order, writer).tree(order[0])
}

class Structure {
  private readonly writer: Writer
  private readonly number = new Map<Block, number>()
  private readonly children = new Map<Block, Block[]>()
  private readonly loops = new Map<Block, Label>()
  /** Labels of the blocks that more than one forward edge enters. */
  private readonly merges = new Map<Block, Label>()

  constructor(order: readonly Block[], writer: Writer) {
    this.writer = writer
    order.forEach((b, k) => this.number.set(b, k))
    const dominators = immediateDominators(order, this.number)
    for (const b of order) {
      const preds = b.preds.filter(p => this.number.has(p))
      if (preds.some(p => this.isBack(p, b))) this.loops.set(b, label(`loop${b.id}`))
      if (preds.filter(p => !this.isBack(p, b)).length > 1) this.merges.set(b, label(`block${b.id}`))
      this.children.set(b, [])
      const parent = dominators[this.number.get(b)!]
      if (b !== order[0]) this.children.get(order[parent])!.push(b)
    }
  }

  private isBack(from: Block, to: Block): boolean {
    return this.number.get(to)! <= this.number.get(from)!
  }

  /** The code of a block and of everything it dominates. */
  tree(b: Block): Code {
    const merges = this.children.get(b)!.filter(c => this.merges.has(c))
    const at = this.loops.get(b)
    const inner = (): Code => this.within(b, merges)
    return at ? loop(at, [inner()]) : inner()
  }

  private within(b: Block, merges: readonly Block[]): Code {
    if (merges.length === 0) return this.straight(b)
    const last = merges[merges.length - 1]
    // The inner code is made first: a block's body must be lowered before those it dominates.
    const before = this.within(b, merges.slice(0, -1))
    return [block(this.merges.get(last)!, [before]), this.tree(last)]
  }

  private straight(b: Block): Code {
    const body = this.writer.body(b)
    const { term } = b
    switch (term.op) {
      case 'jump':
        return [body, this.go(b, term.targets[0])]
      case 'branch': {
        const condition = this.writer.condition(b)
        if (term.targets[0] === term.targets[1]) return [body, this.go(b, term.targets[0])]
        return [body, condition, if_([this.go(b, term.targets[0])], [this.go(b, term.targets[1])])]
      }
      case 'return':
        return [body, this.writer.leave(b)]
      default:
        return [body]
    }
  }

  private go(from: Block, to: Block): Code {
    const copies = this.writer.edge(from, to)
    if (this.isBack(from, to)) return [copies, br(this.loops.get(to)!)]
    const merge = this.merges.get(to)
    return [copies, merge ? br(merge) : this.tree(to)]
  }
}

/** Numbers of the immediate dominators (Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm"). */
function immediateDominators(order: readonly Block[], number: ReadonlyMap<Block, number>): number[] {
  const idom: number[] = order.map((_, k) => (k === 0 ? 0 : -1))
  const meet = (a: number, b: number): number => {
    let [x, y] = [a, b]
    while (x !== y) {
      while (x > y) x = idom[x]
      while (y > x) y = idom[y]
    }
    return x
  }
  for (let changed = true; changed; ) {
    changed = false
    order.forEach((b, k) => {
      if (k === 0) return
      const known = b.preds.map(p => number.get(p) ?? -1).filter(p => p >= 0 && idom[p] >= 0)
      const next = known.reduce(meet)
      if (idom[k] !== next) {
        idom[k] = next
        changed = true
      }
    })
  }
  return idom
}
