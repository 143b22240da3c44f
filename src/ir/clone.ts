// Copies functions, so that an analysis may take one apart and leave the original whole.

import type { Block, Func, Instr, Terminator } from './types.js'

export interface Clone {
  readonly func: Func
  /** The copy of each value, parameters included, and of each block. */
  readonly values: ReadonlyMap<Instr, Instr>
  readonly blocks: ReadonlyMap<Block, Block>
}

/** A copy that shares nothing with the original but attributes and spans; ids are the same. */
export function cloneFunction(func: Func, name: string = func.name): Clone {
  const values = new Map<Instr, Instr>()
  const blocks = new Map<Block, Block>()
  const copy = (i: Instr): Instr => {
    const c: Instr = { ...i, args: [] }
    values.set(i, c)
    return c
  }
  const value = (i: Instr): Instr => values.get(i)!
  const params = func.params.map(copy)
  for (const b of func.blocks)
    blocks.set(b, {
      id: b.id,
      instrs: b.instrs.map(copy),
      term: { op: 'unreachable', targets: [] },
      preds: [],
    })
  for (const [b, c] of blocks) {
    b.instrs.forEach((i, k) => (c.instrs[k].args = i.args.map(value)))
    c.preds = b.preds.map(p => blocks.get(p)!)
    c.term = terminator(b.term, value, t => blocks.get(t)!)
  }
  const copied: Func = {
    name,
    params,
    result: func.result,
    blocks: [...blocks.values()],
    nextId: func.nextId,
  }
  return { func: copied, values, blocks }
}

function terminator(t: Terminator, value: (i: Instr) => Instr, block: (b: Block) => Block): Terminator {
  if (t.op === 'jump') return { ...t, targets: [block(t.targets[0])] }
  if (t.op === 'branch')
    return { ...t, cond: value(t.cond), targets: [block(t.targets[0]), block(t.targets[1])] }
  return t.op === 'return' ? { ...t, args: t.args.map(value) } : { ...t }
}
