// In which order blocks stand in the code: the way that most packets take runs straight on.
//
// Nobody tells which way that is, so it is guessed. A branch goes to where state is touched, if only one of its ways
// leads there: packets are rarely malformed. One that looks at state takes the shorter way to the place where both meet
// again: an entry is mostly found where it is looked for first. Any other takes the way of its condition's failure,
// which costs the verifier least (docs/decisions/0180). What is left stands behind. A long function stays in the order
// it has: there the verifier would walk half as much again for a gain of a few percent. Promises: every block once, the
// first one first; deterministic.

import type { Block } from './machine.js'

/** Blocks that a function may have to be put in another order. */
const longest = 250

/** Blocks in the order they are to be written. */
export function layOut(blocks: readonly Block[]): readonly Block[] {
  if (blocks.length > longest) return blocks
  const useful = leadingTo(blocks, b => b.steps.some(s => s.state))
  const after = immediatePostdominators(blocks)
  const order = new Set<Block>()
  const waiting = blocks.toReversed()
  while (waiting.length) {
    let at: Block | undefined = waiting.pop()
    while (at && !order.has(at)) {
      order.add(at)
      const targets: readonly Block[] = at.end.targets
      const next: Block | undefined = targets.length < 2 ? targets[0] : preferred(at, useful, after.get(at))
      for (const t of targets) if (t !== next) waiting.push(t)
      at = next
    }
  }
  return [...order]
}

function preferred(block: Block, useful: ReadonlySet<Block>, meeting: Block | undefined): Block {
  const [yes, no] = block.end.targets as readonly [Block, Block]
  if (useful.has(yes) !== useful.has(no)) return useful.has(yes) ? yes : no
  if (!block.steps.some(s => s.state)) return no
  return distance(yes, meeting) < distance(no, meeting) ? yes : no
}

/** Blocks on the shortest way. */
function distance(from: Block, to: Block | undefined): number {
  const seen = new Map([[from, 0]])
  for (const [block, steps] of seen) {
    if (block === to || (to === undefined && block.end.targets.length === 0)) return steps
    for (const t of block.end.targets) if (!seen.has(t)) seen.set(t, steps + 1)
  }
  return Infinity
}

/** Blocks from which one of these is reached. */
function leadingTo(blocks: readonly Block[], wanted: (b: Block) => boolean): Set<Block> {
  const found = new Set(blocks.filter(wanted))
  for (const b of found) for (const p of b.preds) found.add(p)
  return found
}

/** For each block the first that every way from it comes through; none where ways end apart. */
function immediatePostdominators(blocks: readonly Block[]): Map<Block, Block> {
  const all = new Set(blocks)
  const post = new Map<Block, Set<Block>>(blocks.map(b => [b, b.end.targets.length ? all : new Set([b])]))
  for (let changed = true; changed;) {
    changed = false
    for (const b of blocks.toReversed()) {
      const [first, ...rest] = b.end.targets.map(t => post.get(t)!)
      if (!first) continue
      const now = new Set([...first].filter(x => rest.every(r => r.has(x)))).add(b)
      if (now.size === post.get(b)!.size) continue
      post.set(b, now)
      changed = true
    }
  }
  // Postdominators of a block form a chain: the nearest has all the others.
  return new Map(
    blocks.flatMap(b => {
      const others = [...post.get(b)!].filter(x => x !== b)
      const nearest = others.find(x => post.get(x)!.size === others.length)
      return nearest ? [[b, nearest] as const] : []
    }),
  )
}
