// How often each block runs, roughly: what lives on the stack instead of in a register is chosen by it.
//
// A guess from the graph alone: of two ways, the one on which state is touched is the usual one, and a loop runs ten
// rounds. Promises: deterministic; every block that can be reached has a frequency above 0.

import type { Block, Machine } from './machine.js'

/** Of the way that leads to state, where the other does not. */
const usual = 0.9
const least = 1e-3

/** Runs of each block for one run of the function. */
export function frequencies({ blocks }: Machine): ReadonlyMap<Block, number> {
  const useful = new Set(blocks.filter(b => b.steps.some(s => s.state)))
  for (const b of useful) for (const p of b.preds) useful.add(p)
  const found = new Map<Block, number>([[blocks[0], 1]])
  for (const block of topological(blocks[0])) {
    const here = Math.max(found.get(block) ?? 0, least)
    const { targets } = block.end as { targets: readonly Block[] }
    const isUseful = targets.map(t => useful.has(t))
    const differ = targets.length === 2 && isUseful[0] !== isUseful[1]
    targets.forEach((to, k) => {
      const share = differ ? (isUseful[k] ? usual : 1 - usual) : 1 / targets.length
      found.set(to, (found.get(to) ?? 0) + here * share)
    })
  }
  return new Map(
    blocks.map(b => [b, Math.max(Math.min(found.get(b) ?? 0, 1), least) * 10 ** Math.min(b.depth, 4)]),
  )
}

/** Blocks before those they lead to, ways back apart. */
function topological(entry: Block): Block[] {
  const order: Block[] = []
  const seen = new Set([entry])
  const stack = [{ block: entry, next: 0 }]
  while (stack.length) {
    const top = stack[stack.length - 1]
    const to = top.block.end.targets[top.next++]
    if (to === undefined) order.push(stack.pop()!.block)
    else if (!seen.has(to)) {
      seen.add(to)
      stack.push({ block: to, next: 0 })
    }
  }
  return order.toReversed()
}
