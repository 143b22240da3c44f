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
import type { AttrValue, Func, Instr } from './types.js'

const attrText = (v: AttrValue): string => (typeof v === 'string' ? JSON.stringify(v) : String(v))

/** One function as text. */
export function printFunction(func: Func): string {
  const ids = new Map<Instr, string>()
  const name = (i: Instr): string => ids.get(i) ?? `%?${i.id}`
  func.params.forEach((p, k) => ids.set(p, `%p${k}`))
  let n = 0
  const blocks = new Map(func.blocks.map((b, k) => [b, `b${k}`]))
  for (const block of func.blocks) for (const i of block.instrs) if (i.type !== 'void') ids.set(i, `%${n++}`)

  const lines = [
    `func ${func.name}(${func.params.map((p, k) => `%p${k}: ${p.type}`).join(', ')}) -> ${func.result} {`,
  ]
  for (const block of func.blocks) {
    lines.push(`${blocks.get(block)!}:`)
    for (const i of block.instrs) {
      const args =
        i.op === 'phi'
          ? i.args.map((a, k) => `${blocks.get(block.preds[k]) ?? 'b?'}: ${name(a)}`).join(', ')
          : i.args.map(name).join(', ')
      const attrs = (opInfo(i.op).attrs ?? [])
        .filter(a => i.attrs[a] !== undefined)
        .map(a => `${a}=${attrText(i.attrs[a])}`)
        .join(' ')
      const head = i.type === 'void' ? i.op : `${name(i)} = ${i.op}.${i.type}`
      const text = [head, args, attrs].filter(s => s !== '').join(' ')
      lines.push(`  ${text}${i.name !== undefined ? `  ; ${i.name}` : ''}`)
    }
    const t = block.term
    const targets = t.targets.map(b => blocks.get(b) ?? 'b?')
    if (t.op === 'jump') lines.push(`  jump ${targets[0]}`)
    else if (t.op === 'branch') lines.push(`  branch ${name(t.cond)}, ${targets.join(', ')}`)
    else if (t.op === 'return')
      lines.push(`  return${t.args.length ? ` ${t.args.map(name).join(', ')}` : ''}`)
    else lines.push('  unreachable')
  }
  lines.push('}')
  return lines.join('\n')
}
