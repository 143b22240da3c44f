// The few ways in which passes change a function. Each keeps predecessors and phis consistent; blocks that fall off
// the graph are removed by dropUnreachable (ir/builder.ts).

import { predIndex } from '../analysis/cfg.js'
import { bitsOf, opInfo } from '../ir/ops.js'
import type { Attrs, Block, Func, Instr, Type } from '../ir/types.js'

/** A new instruction, in no block yet. Span and name are those of `like`, for which it stands in. The type may be left
 * out where an operand or the op table decides it. */
export function newInstr(
  func: Func,
  op: string,
  args: Instr[],
  more: { type?: Type; attrs?: Attrs; like?: Instr } = {},
): Instr {
  const info = opInfo(op)
  const decides = info.args.indexOf('T')
  const type = more.type ?? (decides >= 0 ? args[decides].type : info.result[0])
  const i: Instr = { id: func.nextId++, op, type, args, attrs: more.attrs ?? {} }
  if (more.like?.span) i.span = more.like.span
  if (more.like?.name !== undefined) i.name = more.like.name
  return i
}

export const newConst = (func: Func, type: Type, value: bigint): Instr =>
  newInstr(func, 'const', [], { type, attrs: { value: BigInt.asUintN(bitsOf(type), value) } })

/** The value of a constant, or undefined. */
export const constOf = (i: Instr): bigint | undefined =>
  i.op === 'const' ? BigInt(i.attrs.value) : undefined

/** Follows replacements to the last. */
export function resolve(replaced: ReadonlyMap<Instr, Instr>, value: Instr): Instr {
  let v = value
  for (let next = replaced.get(v); next; next = replaced.get(v)) v = next
  return v
}

/** Puts the replacements into an instruction's operands; most have none to replace, and keep their list. */
export function replaceOperands(i: Instr, replaced: ReadonlyMap<Instr, Instr>): void {
  if (replaced.size === 0) return
  const { args } = i
  for (let k = 0; k < args.length; k++)
    if (replaced.has(args[k])) {
      i.args = args.map(a => resolve(replaced, a))
      return
    }
}

/** Puts the replacements into all operands of the function. The replaced instructions stay where they are. */
export function replaceUses(func: Func, replaced: ReadonlyMap<Instr, Instr>): void {
  if (replaced.size === 0) return
  for (const block of func.blocks) {
    const { instrs, term: t } = block
    for (let n = 0; n < instrs.length; n++) replaceOperands(instrs[n], replaced)
    if (t.op === 'branch') t.cond = resolve(replaced, t.cond)
    else if (t.op === 'return') t.args = t.args.map(a => resolve(replaced, a))
  }
}

/** A block's phis, which stand before its other instructions. */
export function phisOf(block: Block): Instr[] {
  const { instrs } = block
  let n = 0
  while (n < instrs.length && instrs[n].op === 'phi') n++
  return n === 0 ? [] : instrs.slice(0, n)
}

/** Takes predecessor number `pred` away from a block and its phis. */
export function removePred(block: Block, pred: number): void {
  block.preds.splice(pred, 1)
  for (const phi of phisOf(block)) phi.args.splice(pred, 1)
}

/** Turns a branch into a jump to its target k. */
export function keepTarget(block: Block, k: 0 | 1): void {
  const t = block.term
  if (t.op !== 'branch') return
  removePred(t.targets[1 - k], predIndex(block, 1 - k))
  block.term = { op: 'jump', targets: [t.targets[k]], ...(t.span && { span: t.span }) }
}

/** Puts a new block with a jump on the edge `from.term.targets[k]`. */
export function splitEdge(func: Func, from: Block, k: number): Block {
  const to = from.term.targets[k] as Block
  const at = predIndex(from, k)
  const middle: Block = { id: func.nextId++, instrs: [], term: { op: 'jump', targets: [to] }, preds: [from] }
  func.blocks.splice(func.blocks.indexOf(from) + 1, 0, middle)
  to.preds[at] = middle
  from.term.targets[k] = middle
  return middle
}

/** Removes phis with one distinct operand (themselves apart), until there are none. True if there were any. */
export function dropTrivialPhis(func: Func): boolean {
  const replaced = new Map<Instr, Instr>()
  for (let again = true; again;) {
    again = false
    for (const { instrs } of func.blocks)
      for (let n = 0; n < instrs.length && instrs[n].op === 'phi'; n++) {
        const only = onlyOperand(instrs[n], replaced)
        if (!only) continue
        replaced.set(instrs[n], only)
        instrs.splice(n--, 1)
        again = true
      }
  }
  replaceUses(func, replaced)
  return replaced.size > 0
}

/** The one operand of a phi besides itself, or undefined if there are several or none. */
function onlyOperand(phi: Instr, replaced: ReadonlyMap<Instr, Instr>): Instr | undefined {
  let only: Instr | undefined
  for (const arg of phi.args) {
    const a = resolve(replaced, arg)
    if (a === phi || a === only) continue
    if (only) return undefined
    only = a
  }
  return only
}
