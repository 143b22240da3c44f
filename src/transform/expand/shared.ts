// Expands a packet function for workers that share one state, in the form that analysis/sharing.ts found safe.
//
// Two calls, which the backend provides, make it so. `shared.lock(hash)` takes the lock of a key, once per packet;
// `shared.alone()` waits until no other worker is inside a packet and keeps the others out until this packet is over,
// giving up the key's lock while it waits. A look-up that finds no entry where the program may insert one is repeated
// alone: so entries come, move and leave only while nobody else looks, and the table code of insert.ts stays as it is
// (docs/decisions/0170-shared-forms.md says why readers do not retry instead). Nothing else may precede `alone` in a
// packet, because it lets others go first: before a packet touches anything under a key, it looks the key up in every
// table that it may insert into. Read ../../analysis/sharing.ts first.

import { blockOf } from '../../analysis/cfg.js'
import { mayFollow } from '../../analysis/sharing.js'
import type { Addition } from '../../analysis/sharing.js'
import { opInfo } from '../../ir/ops.js'
import type { Func, Instr } from '../../ir/types.js'
import { leavesOf, nanosecondsIn } from '../../state/declaration.js'
import { tableHeader } from '../../state/format.js'
import type { HashLayout, ObjectLayout } from '../../state/layout.js'
import { constOf, newConst, newInstr } from '../edit.js'
import { element } from './array.js'
import type { Emitter, Width } from './emitter.js'
import { expandFunction, valueField } from './expand.js'
import { find } from './find.js'
import { keyWords, leafCount, place } from './hash.js'
import { copyOf } from './rewrite.js'

/** Names of the calls. */
export const lockCall = 'shared.lock'
export const aloneCall = 'shared.alone'
export const napCall = 'shared.nap'

type Table = HashLayout & { readonly kind: 'table' }

/** Tables that may be inserted into once control has come to an instruction. */
type Inserts = (from: Instr) => readonly Table[]

/** Fetch-and-add. `addition` is of `main` itself, which is left changed: call this with a copy. */
export function expandAtomics(
  main: Func,
  addition: Addition | undefined,
  layouts: readonly ObjectLayout[],
): Func {
  if (addition?.at === 'sum') moveBefore(main, addition.own, addition.sum)
  // The read becomes the addition, so that it needs the amount, too; a constant may stand too far down.
  if (addition) addition.own.args = [addition.own.args[0], amountBefore(main, addition)]
  const inserts = insertsOf(main, layouts)
  return expandFunction(main, layouts, (e, instr, args, layout) => {
    if (instr === addition?.store) return 'nothing'
    if (instr === addition?.own) return fetchAndAdd(e, addition, args, layout)
    return instr.op === 'table.find' ? findOrAlone(e, instr, args, layout as Table, inserts) : undefined
  })
}

/** One lock per key. Everything that `main` does to objects it writes is under one key. */
export function expandKeyLock(main: Func, layouts: readonly ObjectLayout[]): Func {
  const all = main.blocks.flatMap(b => b.instrs)
  const objects = (of: readonly Instr[]): Set<string> => new Set(of.map(i => String(i.attrs.object)))
  const written = objects(all.filter(i => opInfo(i.op).effect === 'state.write'))
  const emptied = objects(all.filter(i => i.op === 'table.remove'))
  const reference = layouts.find((l): l is Table => l.kind === 'table' && written.has(l.name))
  const inserts = insertsOf(main, layouts)
  return expandFunction(main, layouts, (e, instr, args, layout) => {
    if (!written.has(layout.name)) return undefined
    if (instr.op === 'table.remove') return remove(e, layout as Table, args[0])
    if (instr.op !== 'table.find' && instr.op !== 'array.load' && instr.op !== 'array.store') return undefined
    const key = layout.kind === 'table' ? args.slice(0, leafCount(layout.key)) : args.slice(0, 1)
    e.call(lockCall, [reference ? place(e, reference, keyWords(e, reference.key, key)).tag : key[0]], 'void')
    for (const table of inserts(instr)) {
      if (table.name === layout.name) continue
      const slot = find(e, table, keyWords(e, table.key, key), table.expire && clock(e, table))
      e.when(e.eq(slot, 0), () => alone(e))
    }
    if (instr.op !== 'table.find') return undefined
    return findOrAlone(e, instr, args, layout as Table, inserts, emptied.has(layout.name))
  })
}

/** A copy that naps before every write: what happens between reading and writing is seen when somebody sleeps there. */
export function withNaps(main: Func): Func {
  const copy = copyOf(main)
  for (const block of copy.blocks)
    block.instrs = block.instrs.flatMap(i =>
      opInfo(i.op).effect === 'state.write'
        ? [newInstr(copy, 'call', [], { type: 'void', attrs: { callee: napCall } }), i]
        : [i],
    )
  return copy
}

const alone = (e: Emitter): unknown => e.call(aloneCall, [], 'void')

/** The table's clock: what the front end computes for it (docs/state.md, "Time"). */
function clock(e: Emitter, { expire }: Table): Instr {
  const timestamp = e.builder.emit('input', [], { name: 'timestamp' }, 'i64')
  return e.narrow(e.op('divu', timestamp, e.i64(nanosecondsIn[expire!.unit])))
}

/**
 * table.find. Nothing found: look again, alone, if the packet may insert. Where others may remove entries meanwhile, a
 * key that is being wiped can look like another of the same tag; the tag goes first, so seeing it still there after
 * the key proves the key.
 */
function findOrAlone(
  e: Emitter,
  instr: Instr,
  args: readonly Instr[],
  table: Table,
  inserts: Inserts,
  wiped = false,
): Instr {
  const leaves = leafCount(table.key)
  const words = keyWords(e, table.key, args.slice(0, leaves))
  const look = (): Instr => find(e, table, words, args[leaves])
  const slot = e.variable('i32', look())
  const again = (): void => {
    alone(e)
    e.set(slot, look())
  }
  const mayInsert = inserts(instr).includes(table)
  if (wiped)
    e.when(e.ne(e.get(slot), 0), () =>
      e.when(e.eq(e.fetchAndAdd(table.name, 4, e.get(slot), 0, e.i32(0)), 0), again),
    )
  if (mayInsert) e.when(e.eq(e.get(slot), 0), again)
  return e.get(slot)
}

/** table.remove while others look: the tag first, and in one step; nothing is given to a pool here. */
function remove(e: Emitter, table: Table, slot: Instr): 'nothing' {
  const { name, stride } = table
  e.fetchAndAdd(name, 4, slot, 0, e.sub(e.i32(0), e.load(name, 4, slot)))
  e.store(name, 4, slot, 4, e.i32(0))
  for (let at = 8; at < stride; at += 8) e.store(name, 8, slot, at, e.i64(0))
  e.fetchAndAdd(name, 4, e.i32(0), tableHeader.count, e.i32(-1))
  return 'nothing'
}

/** The old value, in place of the read. */
function fetchAndAdd(
  e: Emitter,
  { own, sum }: Addition,
  [where, amount]: readonly Instr[],
  layout: ObjectLayout,
): Instr {
  const field = valueField(layout, own)
  const { width, offset } = leavesOf(field)[Number(own.attrs.part ?? 0)]
  const by = sum.op === 'sub' ? e.sub(e.builder.const(amount.type, 0), amount) : amount
  const add = (at: Instr): Instr => e.fetchAndAdd(layout.name, width as Width, at, field.offset + offset, by)
  if (layout.kind !== 'array') return add(where)
  const { at, inside } = element(e, layout, where)
  if (!inside) return add(at)
  const old = e.variable(own.type, e.builder.const(own.type, 0))
  e.when(inside, () => e.set(old, add(at)))
  return e.get(old)
}

function insertsOf(main: Func, layouts: readonly ObjectLayout[]): Inserts {
  const places = blockOf(main)
  const inserts = main.blocks.flatMap(b => b.instrs.filter(i => i.op === 'table.insert'))
  const tables = layouts.filter((l): l is Table => l.kind === 'table')
  return from =>
    tables.filter(t => inserts.some(i => i.attrs.object === t.name && mayFollow(places, from, i)))
}

function amountBefore(main: Func, { own, amount }: Addition): Instr {
  const value = constOf(amount)
  if (value === undefined) return amount
  const again = newConst(main, amount.type, value)
  moveBefore(main, again, own)
  return again
}

/** Puts an instruction just before another. */
function moveBefore(func: Func, moved: Instr, before: Instr): void {
  for (const block of func.blocks) block.instrs = block.instrs.filter(i => i !== moved)
  const { instrs } = func.blocks.find(b => b.instrs.includes(before))!
  instrs.splice(instrs.indexOf(before), 0, moved)
}
