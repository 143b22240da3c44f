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
type Killed = ReadonlyMap<Instr, Instr>
const none: Killed = new Map()

/** A block, and what of it matters here: few instructions do. */
interface Scan {
  readonly block: Block
  /** Phis of slots. */
  readonly phis: readonly Instr[]
  /** Its other instructions that use slots, make them or invalidate them. */
  readonly touching: readonly Instr[]
}

const isKill = (i: Instr): boolean => i.op === 'table.insert' || i.op === 'table.remove'
const isUse = (i: Instr): boolean =>
  i.op === 'table.load' || i.op === 'table.store' || i.op === 'table.touch' || i.op === 'table.remove'

/** Every use of a slot that may be stale, at most one per place. */
export function staleEntries(func: Func): StaleUse[] {
  if (!func.blocks.some(b => b.instrs.some(isKill))) return []
  const slots = slotsOf(func)
  const scans = func.blocks.map((block): Scan => {
    const phis = block.instrs.filter(i => i.op === 'phi' && slots.has(i))
    const touching = block.instrs.filter(
      i => i.op.startsWith('table.') && (isUse(i) || isKill(i) || slots.has(i)),
    )
    return { block, phis, touching }
  })
  const out: (Killed | undefined)[] = Array(func.nextId)
  for (let changed = true; changed;) {
    changed = false
    for (const scan of scans) {
      const after = transfer(scan, slots, entering(scan, out))
      const { id } = scan.block
      const before = out[id]
      if (before && after.size === before.size) continue
      out[id] = after
      changed = true
    }
  }
  const found = new Map<number, StaleUse>()
  for (const scan of scans)
    transfer(scan, slots, entering(scan, out), (use, kill) => {
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

function entering({ block, phis }: Scan, out: readonly (Killed | undefined)[]): Killed {
  const { preds } = block
  if (preds.length === 1 && phis.length === 0) return out[preds[0].id] ?? none
  const killed = new Map<Instr, Instr>()
  for (const pred of preds) for (const [slot, kill] of out[pred.id] ?? none) killed.set(slot, kill)
  for (const phi of phis) {
    killed.delete(phi)
    phi.args.forEach((arg, k) => {
      const kill = out[preds[k].id]?.get(arg)
      if (kill && arg !== phi) killed.set(phi, kill)
    })
  }
  return killed
}

function transfer(
  { touching }: Scan,
  slots: ReadonlyMap<Instr, string>,
  entry: Killed,
  report?: (use: Instr, kill: Instr) => void,
): Killed {
  if (touching.length === 0) return entry
  const killed = new Map(entry)
  for (const i of touching) {
    if (isUse(i)) {
      const kill = killed.get(i.args[0])
      if (kill) report?.(i, kill)
    }
    if (isKill(i))
      for (const [slot, object] of slots) if (object === i.attrs.object && slot !== i) killed.set(slot, i)
    if (slots.has(i)) killed.delete(i)
  }
  return killed
}
