// Gives every loop one block that it is entered from and one that it is left to, so that what a loop decides and computes is a value behind it.
//
// A loop with several ways out (`break`, `return`) gets a number for the way taken, and a chain of tests on that number
// behind it. Values of the loop that are used outside pass through phis of that block. Afterwards nothing outside a loop
// names a value inside it, and a loop that the packet alone runs is, to the rest of the analysis, just the phis behind
// it. The graph and what it computes are otherwise unchanged.

import type { Block, Func, Instr } from '../ir/types.js'
import { predIndex } from './cfg.js'
import { dominators } from './dominators.js'
import type { DominatorTree } from './dominators.js'
import { loops } from './loops.js'
import type { Loop } from './loops.js'

/** Gives all loops, in place, one block they are entered from and one they are left to; the latter by the header. */
export function closeLoops(func: Func): Map<Block, Block> {
  const joins = new Map<Block, Block>()
  for (const { header } of loops(func).toReversed()) {
    joinEntries(func, header, dominators(func))
    const tree = dominators(func)
    const loop = loops(func, tree).find(l => l.header === header)!
    if (loop.exits.length) joins.set(header, joinExits(func, loop, tree))
  }
  return joins
}

function joinEntries(func: Func, header: Block, tree: DominatorTree): void {
  const entries = header.preds.flatMap((p, k) => (tree.dominates(header, p) ? [] : [k]))
  if (entries.length < 2) return
  const before: Block = {
    id: func.nextId++,
    instrs: [],
    term: { op: 'jump', targets: [header] },
    preds: entries.map(k => header.preds[k]),
  }
  func.blocks.push(before)
  for (const phi of header.instrs) {
    if (phi.op !== 'phi') break
    const merged: Instr = { ...phi, id: func.nextId++, args: entries.map(k => phi.args[k]) }
    before.instrs.push(merged)
    phi.args = [merged, ...phi.args.filter((_, k) => !entries.includes(k))]
  }
  for (const pred of new Set(before.preds))
    pred.term.targets.forEach((t, k) => {
      if (t === header) pred.term.targets[k] = before
    })
  header.preds = [before, ...header.preds.filter((_, k) => !entries.includes(k))]
}

function joinExits(func: Func, loop: Loop, tree: DominatorTree): Block {
  const { exits } = loop
  const make = (op: string, type: Instr['type'], args: Instr[], attrs: Instr['attrs'] = {}): Instr => ({
    id: func.nextId++,
    op,
    type,
    args,
    attrs,
  })
  const block = (preds: Block[]): Block => {
    const made: Block = { id: func.nextId++, instrs: [], term: { op: 'unreachable', targets: [] }, preds }
    func.blocks.push(made)
    return made
  }
  const targets = exits.map(({ from, target }) => from.term.targets[target] as Block)
  const places = exits.map(({ from, target }) => predIndex(from, target))
  const join = block([])
  for (const { from, target } of exits) {
    const way = block([from])
    way.term = { op: 'jump', targets: [join] }
    from.term.targets[target] = way
    join.preds.push(way)
  }
  // The ways on: the last one needs no test.
  const numbers = exits.map((_, k) => make('const', 'i32', [], { value: BigInt(k) }))
  const which = make('phi', 'i32', numbers)
  join.preds.forEach((way, k) => way.instrs.push(numbers[k]))
  join.instrs.push(which)
  let at = join
  targets.forEach((target, k) => {
    let last = at
    if (k < targets.length - 1) {
      const number = make('const', 'i32', [], { value: BigInt(k) })
      const is = make('eq', 'i1', [which, number])
      at.instrs.push(number, is)
      const [hit, miss] = [block([at]), block([at])]
      at.term = { op: 'branch', cond: is, targets: [hit, miss] }
      last = hit
      at = miss
    }
    last.term = { op: 'jump', targets: [target] }
    target.preds[places[k]] = last
  })
  closeValues(func, loop, join, exits, (value, from) => tree.dominates(placeOf(loop, value), from), make)
  return join
}

const placeOf = (loop: Loop, value: Instr): Block => [...loop.blocks].find(b => b.instrs.includes(value))!

/** Sends values of the loop that are used outside through phis of the block behind it. */
function closeValues(
  func: Func,
  loop: Loop,
  join: Block,
  exits: Loop['exits'],
  reaches: (value: Instr, from: Block) => boolean,
  make: (op: string, type: Instr['type'], args: Instr[], attrs?: Instr['attrs']) => Instr,
): void {
  const inside = new Set([...loop.blocks].flatMap(b => b.instrs))
  const behind = new Map<Instr, Instr>()
  const outside = (value: Instr): Instr => {
    if (!inside.has(value)) return value
    let phi = behind.get(value)
    if (!phi) {
      const args = exits.map(({ from }, k) => {
        if (reaches(value, from)) return value
        const none = make('const', value.type, [], { value: 0n })
        join.preds[k].instrs.push(none)
        return none
      })
      phi = make('phi', value.type, args)
      if (value.name !== undefined) phi.name = value.name
      if (value.span) phi.span = value.span
      behind.set(value, phi)
    }
    return phi
  }
  for (const block of func.blocks) {
    if (loop.blocks.has(block)) continue
    for (const i of block.instrs) i.args = i.args.map(outside)
    if (block.term.op === 'branch') block.term.cond = outside(block.term.cond)
    else if (block.term.op === 'return') block.term.args = block.term.args.map(outside)
  }
  join.instrs.unshift(...behind.values())
}
