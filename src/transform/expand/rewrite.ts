// Rewrites a function instruction by instruction, where one instruction may become many blocks.
//
// The rewriter copies control flow and phis; `replace` emits code for an instruction, or answers undefined to have it
// copied. What `replace` returns stands for the instruction's value from then on.

import { FunctionBuilder } from '../../ir/builder.js'
import { reversePostorder } from '../../ir/order.js'
import type { Block, Func, Instr } from '../../ir/types.js'

export type Replace = (builder: FunctionBuilder, instr: Instr, args: Instr[]) => Instr | 'nothing' | undefined

/** A new function; the given one is left as it is. */
export function rewrite(func: Func, replace: Replace): Func {
  const builder = new FunctionBuilder(
    func.name,
    func.params.map(p => p.type),
    func.result,
  )
  const values = new Map<Instr, Instr>(func.params.map((p, k) => [p, builder.func.params[k]]))
  const starts = new Map<Block, Block>()
  const ends = new Map<Block, Block>()
  const blocks = reversePostorder(func)
  blocks.forEach((b, k) => starts.set(b, k === 0 ? builder.here! : builder.block()))
  const value = (i: Instr): Instr => {
    const v = values.get(i)
    if (!v) throw new Error(`${func.name}: %${i.id} is used before its definition`)
    return v
  }
  for (const block of blocks) {
    builder.at(starts.get(block)!)
    for (const i of block.instrs) {
      builder.span = i.span
      if (i.op === 'phi') {
        const phi = builder.emit('phi', [], {}, i.type)
        if (i.name !== undefined) phi.name = i.name
        values.set(i, phi)
        continue
      }
      const args = i.args.map(value)
      const made = replace(builder, i, args) ?? builder.emit(i.op, args, i.attrs, i.type)
      if (made === 'nothing') continue
      if (i.name !== undefined && made.name === undefined) made.name = i.name
      values.set(i, made)
    }
    ends.set(block, builder.here!)
    const t = block.term
    builder.span = t.span
    if (t.op === 'jump') builder.jump(starts.get(t.targets[0])!)
    else if (t.op === 'branch')
      builder.branch(value(t.cond), starts.get(t.targets[0])!, starts.get(t.targets[1])!)
    else if (t.op === 'return') builder.return(t.args.map(value))
  }
  for (const block of blocks) {
    const start = starts.get(block)!
    const phis = block.instrs.filter(i => i.op === 'phi')
    if (phis.length === 0) continue
    // The new predecessors are the ends of the old ones, perhaps in another order; repeated edges keep theirs.
    const left = block.preds.map((p, k) => ({ end: ends.get(p), k }))
    const order = start.preds.map(
      p =>
        left.splice(
          left.findIndex(l => l.end === p),
          1,
        )[0].k,
    )
    for (const phi of phis) values.get(phi)!.args = order.map(k => value(phi.args[k]))
  }
  return builder.finish()
}

/** The same function again, sharing nothing with the given one. */
export const copyOf = (func: Func): Func => rewrite(func, () => undefined)
