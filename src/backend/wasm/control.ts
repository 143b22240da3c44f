// The IR's control flow as WebAssembly's: numbers the blocks for structure.ts and hands it their code.

import { reversePostorder } from '../../ir/order.js'
import type { Block, Func } from '../../ir/types.js'
import { i32 } from './asm.js'
import type { Code } from './asm.js'
import { structure } from './structure.js'

export interface Writer {
  /** Code of a block's instructions. Asked for once per block, dominators first, before anything else of it. */
  body(block: Block): Code
  /** Pushes a branch's condition; must have no other effect, as it may never be asked for. */
  condition(block: Block): Code
  /** Copies that an edge makes: all reads before all writes. */
  edge(from: Block, index: number): Code
  /** Leaves the function from a block that ends it; must not go on. */
  leave(block: Block): Code
}

/** Code of a whole function. */
export function control(func: Func, writer: Writer): Code {
  const blocks = reversePostorder(func)
  const number = new Map(blocks.map((b, k) => [b, k]))
  const successors = blocks.map(b => b.term.targets.map(t => number.get(t)!))
  // Lowered up front, in an order in which definitions precede uses, whatever order the structure wants them in.
  const parts = blocks.map(b => ({
    body: writer.body(b),
    condition: writer.condition(b),
    leave: writer.leave(b),
  }))
  return structure(
    { successors, order: blocks.map((_, k) => k) },
    {
      body: node => parts[node].body,
      exit: node => parts[node].leave,
      condition: (node, negate) => (negate ? [parts[node].condition, i32.eqz] : parts[node].condition),
      edge: (node, index) => writer.edge(blocks[node], index),
      name: node => `b${blocks[node].id}`,
    },
  )
}
