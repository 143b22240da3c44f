// Prints IR as text; parse.ts reads it back. One instruction a line:
//
//   func main() -> i32 {
//   b0:
//     %3 = load.i32 %0, %2 width=2 offset=12 checked=false  ; etherType
//     branch %4, b1, b2
//   }
//
// Values and blocks are renumbered in printing order, so equal functions print equally.

import { opInfo } from './ops.js'
import type { AttrValue, Block, Func, Instr, Terminator } from './types.js'

const attrText = (v: AttrValue): string => (typeof v === 'string' ? JSON.stringify(v) : String(v))

/** The names that listings give to values and blocks: `%p0`, `%3`, `b1`. */
export interface Names {
  value(i: Instr): string
  block(b: Block): string
}

/** Numbers the values and blocks of a function in printing order. */
export function namesIn(func: Func): Names {
  const values = new Map<Instr, string>()
  func.params.forEach((p, k) => values.set(p, `%p${k}`))
  let n = 0
  for (const block of func.blocks)
    for (const i of block.instrs) if (i.type !== 'void') values.set(i, `%${n++}`)
  const blocks = new Map(func.blocks.map((b, k) => [b, `b${k}`]))
  return { value: i => values.get(i) ?? `%?${i.id}`, block: b => blocks.get(b) ?? `b?${b.id}` }
}

/** One instruction as its line of text, without indentation. `block` is where it stands (phis name predecessors). */
export function printInstr(i: Instr, block: Block, names: Names): string {
  const args =
    i.op === 'phi'
      ? i.args.map((a, k) => `${block.preds[k] ? names.block(block.preds[k]) : 'b?'}: ${names.value(a)}`)
      : i.args.map(a => names.value(a))
  const attrs = (opInfo(i.op).attrs ?? [])
    .filter(a => i.attrs[a] !== undefined)
    .map(a => `${a}=${attrText(i.attrs[a])}`)
  const head = i.type === 'void' ? i.op : `${names.value(i)} = ${i.op}.${i.type}`
  const text = [head, args.join(', '), ...attrs].filter(s => s !== '').join(' ')
  return i.name === undefined ? text : `${text}  ; ${i.name}`
}

/** A terminator as its line of text. */
export function printTerminator(t: Terminator, names: Names): string {
  const targets = t.targets.map(b => names.block(b))
  if (t.op === 'jump') return `jump ${targets[0]}`
  if (t.op === 'branch') return `branch ${names.value(t.cond)}, ${targets.join(', ')}`
  if (t.op === 'return') return ['return', t.args.map(a => names.value(a)).join(', ')].join(' ').trim()
  return 'unreachable'
}

/** One function as text. */
export function printFunction(func: Func): string {
  const names = namesIn(func)
  const params = func.params.map((p, k) => `%p${k}: ${p.type}`).join(', ')
  const lines = [`func ${func.name}(${params}) -> ${func.result} {`]
  for (const block of func.blocks) {
    lines.push(`${names.block(block)}:`)
    for (const i of block.instrs) lines.push(`  ${printInstr(i, block, names)}`)
    lines.push(`  ${printTerminator(block.term, names)}`)
  }
  lines.push('}')
  return lines.join('\n')
}
