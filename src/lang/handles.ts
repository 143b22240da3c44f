// Finds uses of table entries that may have moved: an entry handle is valid until the next insert into, or removal
// from, the same table.
//
// A forward analysis over the IR: which slots are certainly still valid at each point. A find or insert makes its
// slot valid; an insert or remove on the table makes all its other slots invalid; a phi of slots is valid if each
// operand was valid at the end of its predecessor. Promises: every reported use lies behind such a statement on some
// path, loops included.

import type { Block, Func, Instr, Span } from '../ir/types.js'

export interface StaleUse {
  readonly object: string
  readonly use: Span
  readonly kill: Span
}

const nowhere: Span = { start: 0, end: 0 }
/** A slot's state: the instruction that may have invalidated it, or undefined while it is valid. */
type Killed = Map<Instr, Instr>

const isKill = (i: Instr): boolean => i.op === 'table.insert' || i.op === 'table.remove'
const isUse = (i: Instr): boolean =>
  i.op === 'table.load' || i.op === 'table.store' || i.op === 'table.touch' || i.op === 'table.remove'

/** Every use of a slot that may be stale, at most one per place. */
export function staleEntries(func: Func): StaleUse[] {
  const slots = slotsOf(func)
  const out = new Map<Block, Killed>()
  for (let changed = true; changed;) {
    changed = false
    for (const block of func.blocks) {
      const after = transfer(block, slots, entering(block, slots, out))
      const before = out.get(block)
      if (!before || after.size !== before.size) {
        out.set(block, after)
        changed = true
      }
    }
  }
  const found = new Map<number, StaleUse>()
  for (const block of func.blocks)
    transfer(block, slots, entering(block, slots, out), (use, kill) => {
      const span = use.span ?? nowhere
      if (!found.has(span.start))
        found.set(span.start, { object: String(use.attrs.object), use: span, kill: kill.span ?? nowhere })
    })
  return [...found.values()]
}

/** Instructions that are slots of a table, with the table's name: finds, inserts, and phis of them. */
function slotsOf(func: Func): Map<Instr, string> {
  const slots = new Map<Instr, string>()
  const phis: Instr[] = []
  for (const block of func.blocks)
    for (const i of block.instrs) {
      if (i.op === 'table.find' || i.op === 'table.insert') slots.set(i, String(i.attrs.object))
      if (i.op === 'phi') phis.push(i)
    }
  for (let changed = true; changed;) {
    changed = false
    for (const phi of phis) {
      const object = phi.args.map(a => slots.get(a)).find(o => o !== undefined)
      if (object === undefined || slots.has(phi)) continue
      slots.set(phi, object)
      changed = true
    }
  }
  return slots
}

function entering(block: Block, slots: Map<Instr, string>, out: Map<Block, Killed>): Killed {
  const killed: Killed = new Map()
  for (const pred of block.preds) for (const [slot, kill] of out.get(pred) ?? []) killed.set(slot, kill)
  for (const phi of block.instrs) {
    if (phi.op !== 'phi' || !slots.has(phi)) continue
    killed.delete(phi)
    phi.args.forEach((arg, k) => {
      const kill = out.get(block.preds[k])?.get(arg)
      if (kill && arg !== phi) killed.set(phi, kill)
    })
  }
  return killed
}

function transfer(
  block: Block,
  slots: Map<Instr, string>,
  entry: Killed,
  report?: (use: Instr, kill: Instr) => void,
): Killed {
  const killed = new Map(entry)
  for (const i of block.instrs) {
    if (isUse(i)) {
      const kill = killed.get(i.args[0])
      if (kill) report?.(i, kill)
    }
    if (isKill(i))
      for (const [slot, object] of slots) if (object === i.attrs.object && slot !== i) killed.set(slot, i)
    if (slots.has(i) && i.op !== 'phi') killed.delete(i)
  }
  return killed
}
