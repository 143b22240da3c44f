// State operations as IR: get, set, upsert, delete, take, give, lookup in terms of find, insert, load, store, touch.
//
// Promises: an entry's slot is used only where it is not 0, and a snapshot's fields are all read at once. What the
// operations do is docs/state.md's business; which operands they take stands in ir/ops.ts.

import { leavesOf, nanosecondsIn } from '../../state/declaration.js'
import type { ArrayDecl, FieldDecl, PoolDecl, RulesDecl, TableDecl } from '../../state/declaration.js'
import type { Block, Instr } from '../../ir/types.js'
import type { Ts } from '../typescript.js'
import { scalars, typeOfField } from '../types.js'
import { toType } from './convert.js'
import { orElse } from './expressions.js'
import type { Lowering } from './lowering.js'
import { scalarOfField } from './members.js'
import { errorValue, record, scalar, voidValue } from './value.js'
import type { Value } from './value.js'

type Keyed = TableDecl | RulesDecl

/** The operand or field leaves of a value declared as `fields`; a plain type is its one field. */
function structLeaves(
  l: Lowering,
  value: Value,
  fields: readonly FieldDecl[],
  plain: boolean,
): { field: FieldDecl; leaves: Instr[] }[] | undefined {
  const result: { field: FieldDecl; leaves: Instr[] }[] = []
  for (const field of fields) {
    const given = plain ? value : fieldOf(value, field.name)
    if (!given || given.kind === 'error') return undefined
    const converted = toType(l, given, typeOfField(field))
    if (!converted) return undefined
    const leaves = converted.leaves.map(leaf =>
      leaf.type === 'i1' ? l.builder.emit('zext', [leaf], {}, 'i32') : leaf,
    )
    result.push({ field, leaves })
  }
  return result
}

function fieldOf(value: Value, name: string): Value | undefined {
  const inner = value.kind === 'optional' ? value.value : value
  return inner.kind === 'record' ? inner.fields.get(name) : undefined
}

function keyLeaves(l: Lowering, object: Keyed, key: Value | undefined): Instr[] | undefined {
  if (!key || key.kind === 'error') return undefined
  return structLeaves(l, key, object.key, object.scalarKey)?.flatMap(k => k.leaves)
}

/** The table's clock, if it expires. */
function now(l: Lowering, object: TableDecl): Instr[] {
  if (!object.expire) return []
  const { builder } = l
  const timestamp = l.named(builder.emit('input', [], { name: 'timestamp' }, 'i64'), 'packet.timestamp')
  const unit = builder.const('i64', nanosecondsIn[object.expire.unit])
  return [builder.emit('trunc', [builder.emit('divu', [timestamp, unit])])]
}

/** The low 32 bits of the sequence number, if the table evicts. */
function sequence(l: Lowering, object: TableDecl): Instr[] {
  if (object.evict === 'none') return []
  const whole = l.named(l.builder.emit('input', [], { name: 'sequence' }, 'i64'), 'packet.sequence')
  return [l.builder.emit('trunc', [whole])]
}

const isSlot = (l: Lowering, slot: Instr): Instr => l.builder.emit('ne', [slot, l.builder.const('i32', 0)])

/** Goes on where `slot` is one, to `absent` where it is 0. */
function require(l: Lowering, slot: Instr, absent: Block): void {
  const found = l.builder.block()
  l.builder.branch(isSlot(l, slot), found, absent)
  l.builder.seal(found)
  l.builder.at(found)
}

/** All value fields as they are now. */
function snapshot(
  l: Lowering,
  op: string,
  object: { name: string; value: readonly FieldDecl[]; scalarValue: boolean },
  at: Instr,
): Value {
  const fields = object.value.map(f => [f.name, scalarOfField(l, op, object.name, at, f)] as const)
  return object.scalarValue ? fields[0][1] : record(fields)
}

/** Stores value fields; absent fields of a record are a type error already. */
function storeAll(
  l: Lowering,
  op: string,
  object: { name: string; value: readonly FieldDecl[]; scalarValue: boolean },
  at: Instr,
  value: Value,
): void {
  const stores = structLeaves(l, value, object.value, object.scalarValue) ?? []
  for (const { field, leaves } of stores) storeField(l, op, object.name, at, field, leaves)
}

/** Stores one field's leaves at a slot or index. */
export function storeField(
  l: Lowering,
  op: string,
  object: string,
  at: Instr,
  field: FieldDecl,
  leaves: readonly Instr[],
): void {
  leavesOf(field).forEach((leaf, k) => {
    l.builder.emit(op, [at, leaves[k]], { object, field: field.name, part: leaf.part })
  })
}

export function tableGet(l: Lowering, object: TableDecl, key: Value | undefined, absent: Block): Value {
  const leaves = keyLeaves(l, object, key)
  if (!leaves) return errorValue
  const slot = l.builder.emit('table.find', [...leaves, ...now(l, object)], { object: object.name })
  require(l, slot, absent)
  return snapshot(l, 'table.load', object, slot)
}

export function tableHas(l: Lowering, object: TableDecl, key: Value | undefined): Value {
  const leaves = keyLeaves(l, object, key)
  if (!leaves) return errorValue
  const slot = l.builder.emit('table.find', [...leaves, ...now(l, object)], { object: object.name })
  return scalar(scalars.bool, isSlot(l, slot))
}

/** Finds or inserts; the slot is 0 where the table refuses. `fresh` runs where the entry is new. */
function findOrInsert(l: Lowering, object: TableDecl, leaves: Instr[], fresh: (slot: Instr) => void): Instr {
  const { builder } = l
  const clock = now(l, object)
  const order = sequence(l, object)
  const attrs = { object: object.name }
  const result = builder.variable('i32')
  const [found, absent, done] = [builder.block(), builder.block(), builder.block()]
  const slot = builder.emit('table.find', [...leaves, ...clock], attrs)
  builder.write(result, slot)
  builder.branch(isSlot(l, slot), found, absent)
  builder.seal(found)
  builder.seal(absent)
  builder.at(found)
  if (clock.length + order.length > 0) builder.emit('table.touch', [slot, ...clock, ...order], attrs)
  builder.jump(done)
  builder.at(absent)
  const inserted = builder.emit('table.insert', [...leaves, ...clock, ...order], attrs)
  builder.write(result, inserted)
  fresh(inserted)
  builder.jump(done)
  builder.seal(done)
  builder.at(done)
  return builder.read(result)
}

export function tableSet(
  l: Lowering,
  object: TableDecl,
  key: Value | undefined,
  value: Value | undefined,
): Value {
  const leaves = keyLeaves(l, object, key)
  if (!leaves || !value) return errorValue
  const stored = structLeaves(l, value, object.value, object.scalarValue)
  if (!stored) return errorValue
  const { builder } = l
  const slot = findOrInsert(l, object, leaves, () => undefined)
  const accepted = isSlot(l, slot)
  const [store, done] = [builder.block(), builder.block()]
  builder.branch(accepted, store, done)
  builder.seal(store)
  builder.at(store)
  for (const s of stored) storeField(l, 'table.store', object.name, slot, s.field, s.leaves)
  builder.jump(done)
  builder.seal(done)
  builder.at(done)
  return scalar(scalars.bool, accepted)
}

export function tableUpsert(
  l: Lowering,
  object: TableDecl,
  key: Value | undefined,
  initial: Value | undefined,
): Value {
  const leaves = keyLeaves(l, object, key)
  if (!leaves) return errorValue
  const slot = findOrInsert(l, object, leaves, inserted => {
    if (!initial || initial.kind === 'undefined') return
    const { builder } = l
    const [store, done] = [builder.block(), builder.block()]
    builder.branch(isSlot(l, inserted), store, done)
    builder.seal(store)
    builder.at(store)
    storeAll(l, 'table.store', object, inserted, initial)
    builder.jump(done)
    builder.seal(done)
    builder.at(done)
  })
  return { kind: 'entry', object, slot }
}

export function tableDelete(l: Lowering, object: TableDecl, key: Value | undefined): Value {
  const leaves = keyLeaves(l, object, key)
  if (!leaves) return errorValue
  const { builder } = l
  const slot = builder.emit('table.find', [...leaves, ...now(l, object)], { object: object.name })
  const found = isSlot(l, slot)
  const [remove, done] = [builder.block(), builder.block()]
  builder.branch(found, remove, done)
  builder.seal(remove)
  builder.at(remove)
  builder.emit('table.remove', [slot], { object: object.name })
  builder.jump(done)
  builder.seal(done)
  builder.at(done)
  return scalar(scalars.bool, found)
}

/** The index operand of an array; a cell has index 0. */
function indexOf(l: Lowering, index: Value | undefined): Instr | undefined {
  if (!index) return l.builder.const('i32', 0)
  return toType(l, index, scalars.u32)?.leaves[0]
}

export function arrayGet(l: Lowering, object: ArrayDecl, index: Value | undefined): Value {
  const at = indexOf(l, index)
  return at ? snapshot(l, 'array.load', object, at) : errorValue
}

export function arraySet(
  l: Lowering,
  object: ArrayDecl,
  index: Value | undefined,
  value: Value | undefined,
): Value {
  const at = indexOf(l, index)
  if (at && value) storeAll(l, 'array.store', object, at, value)
  return voidValue
}

export function arrayAt(l: Lowering, object: ArrayDecl, index: Value | undefined): Value {
  const at = indexOf(l, index)
  return at ? { kind: 'element', object, index: at } : errorValue
}

export function poolTake(l: Lowering, object: PoolDecl, absent: Block): Value {
  const { builder } = l
  // A dry pool sweeps the tables that release into it, each by its own clock.
  const clocks = l.objects.flatMap(o =>
    o.kind === 'table' && o.release?.pool === object.name ? now(l, o) : [],
  )
  const number = l.named(builder.emit('pool.take', clocks, { object: object.name }), object.name)
  const got = builder.emit('ne', [number, builder.const('i32', 0xffffffff)])
  return orElse(l, { kind: 'optional', present: got, value: scalar(scalars.u32, number) }, absent)
}

export function poolGive(l: Lowering, object: PoolDecl, number: Value | undefined): Value {
  const given = number && toType(l, number, scalars.u32)
  if (given) l.builder.emit('pool.give', [given.leaves[0]], { object: object.name })
  return voidValue
}

export function rulesLookup(l: Lowering, object: RulesDecl, key: Value | undefined, absent: Block): Value {
  const leaves = keyLeaves(l, object, key)
  if (!leaves) return errorValue
  const slot = l.builder.emit('rules.lookup', leaves, { object: object.name })
  require(l, slot, absent)
  return snapshot(l, 'rules.load', object, slot)
}

/** The verdict that sends the packet to what is behind a number. */
export function rulesRedirect(
  l: Lowering,
  node: Ts.CallExpression,
  { name }: RulesDecl,
  [number, missing]: readonly Value[],
): Value {
  const index = number && toType(l, number, scalars.u32)
  if (!index || missing?.kind === 'error') return errorValue
  if (missing?.kind !== 'constant' || missing.value > 3n)
    return l.report(
      'constantExpected',
      { what: 'the verdict for what is missing, Drop, Pass or Transmit,' },
      node.arguments[1],
    )
  const args = [index.leaves[0], l.builder.const('i32', missing.value)]
  return scalar(scalars.Verdict, l.builder.emit('rules.redirect', args, { object: name }, 'i32'))
}
