// The part of a program that changes state: everything that decides what is written to state objects, and nothing else.
//
// This is the backward slice from all writes of state over data and control, as a function of its own: one exit, no
// verdict, no counters, no packet writes, every load reading the packet as received, no edge from a branch to a join.
// The analyses of slice.ts work on it. Read transform/prune.ts first: it does the slicing.

import { cloneFunction } from '../ir/clone.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { prune } from '../transform/prune.js'
import { predIndex } from './cfg.js'
import { closeLoops } from './slice-loops.js'
import { readAsReceived } from './slice-memory.js'

export const isStateWrite = (i: Instr): boolean => opInfo(i.op).effect === 'state.write'
export function isStateOp(i: Instr): boolean {
  const { effect } = opInfo(i.op)
  return effect === 'state.read' || effect === 'state.write'
}

export interface StateBody {
  readonly func: Func
  /** The block behind each loop, by the loop's header. */
  readonly joins: ReadonlyMap<Block, Block>
}

/** The slice of a packet function whose calls are expanded. The function is not changed. Throws Refused. */
export function stateBody(main: Func): StateBody {
  const { func } = cloneFunction(main, `${main.name}.state`)
  func.result = 'void'
  joinReturns(func)
  prune(func, isStateWrite)
  if (readAsReceived(func)) prune(func, isStateWrite)
  const joins = closeLoops(func)
  splitCriticalEdges(func)
  return { func, joins }
}

/** Makes the function end in one block that returns nothing. */
function joinReturns(func: Func): void {
  const exit: Block = {
    id: func.nextId++,
    instrs: [],
    term: { op: 'return', args: [], targets: [] },
    preds: func.blocks.filter(b => b.term.targets.length === 0),
  }
  for (const block of exit.preds) block.term = { op: 'jump', targets: [exit] }
  func.blocks.push(exit)
}

/** Puts an empty block on every edge from a branch to a block with several predecessors. */
export function splitCriticalEdges(func: Func): void {
  for (const block of func.blocks.slice()) {
    const { term } = block
    if (term.op !== 'branch') continue
    for (const k of [0, 1] as const) {
      const target = term.targets[k]
      if (target.preds.length < 2) continue
      const at = predIndex(block, k)
      const middle: Block = {
        id: func.nextId++,
        instrs: [],
        term: { op: 'jump', targets: [target], ...(term.span && { span: term.span }) },
        preds: [block],
      }
      target.preds[at] = middle
      term.targets[k] = middle
      func.blocks.push(middle)
    }
  }
}
