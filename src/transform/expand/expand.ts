// Expands state operations into memory operations on the shared table layout.
//
// Before: table.find, table.insert, array.load, pool.take, rules.lookup … After: state.load and state.store at byte
// offsets in state objects, and calls of per-table functions for what changes a table's shape. Both backends lower
// only the expanded form, so there is one description of every algorithm; the interpreter runs both forms, and tests
// compare them byte for byte with src/state. Promises: pure; the given functions are left as they are.

import type { Func, Instr } from '../../ir/types.js'
import { leavesOf } from '../../state/declaration.js'
import type { FieldLayout, HashLayout, ObjectLayout } from '../../state/layout.js'
import { element, give, take } from './array.js'
import { Emitter, swapBytes, typed } from './emitter.js'
import { find } from './find.js'
import { keyWords, leafCount } from './hash.js'
import { functionOf, tableFunctions } from './insert.js'
import { rewrite } from './rewrite.js'
import { lookup, redirect } from './rules.js'

/**
 * Functions with every state operation expanded, preceded by the ones they call. Operations on objects that have no
 * layout are left: rule tables that are maps of the kernel, which the eBPF backend looks up itself.
 */
export function expand(functions: readonly Func[], layouts: readonly ObjectLayout[]): Func[] {
  return [...calleesOf(functions, layouts), ...functions.map(f => expandFunction(f, layouts))]
}

/** The table functions that expanded functions call, expanded; callees first. */
export function calleesOf(functions: readonly Func[], layouts: readonly ObjectLayout[]): Func[] {
  const used = new Set(
    functions.flatMap(f => f.blocks.flatMap(b => b.instrs.flatMap(i => tablesOf(i, layouts)))),
  )
  const tables = layouts.filter(
    (l): l is HashLayout & { kind: 'table' } => l.kind === 'table' && used.has(l.name),
  )
  return tables.flatMap(tableFunctions).map(f => expandFunction(f, layouts))
}

/** Tables whose functions an instruction calls. A pool sweeps the tables that give back to it when one takes. */
function tablesOf({ op, attrs }: Instr, layouts: readonly ObjectLayout[]): readonly string[] {
  const object = String(attrs.object)
  if (op === 'table.insert' || op === 'table.remove') return [object]
  if (op !== 'pool.take') return []
  const layout = layouts.find(l => l.name === object)
  return layout?.kind === 'pool' ? layout.releasedBy : []
}

/** Emits other code for an instruction than expandInstr would, or before it; answers undefined to leave it to that. */
export type Special = (
  e: Emitter,
  instr: Instr,
  args: Instr[],
  layout: ObjectLayout,
) => Instr | 'nothing' | undefined

/** One function expanded. */
export function expandFunction(func: Func, layouts: readonly ObjectLayout[], special?: Special): Func {
  const byName = new Map(layouts.map(l => [l.name, l]))
  return rewrite(func, (builder, instr, args) => {
    const layout = byName.get(String(instr.attrs.object))
    if (!layout || instr.op.startsWith('state.')) return undefined
    const e = new Emitter(builder)
    return special?.(e, instr, args, layout) ?? expandInstr(e, instr, args, layout)
  })
}

export function expandInstr(
  e: Emitter,
  instr: Instr,
  args: Instr[],
  layout: ObjectLayout,
): Instr | 'nothing' | undefined {
  const { name } = layout
  switch (instr.op) {
    case 'table.find': {
      const table = layout as HashLayout
      const n = leafCount(table.key)
      return find(e, table, keyWords(e, table.key, args.slice(0, n)), args[n])
    }
    case 'table.insert': {
      const table = layout as HashLayout
      const n = leafCount(table.key)
      const words = keyWords(e, table.key, args.slice(0, n))
      return e.call(functionOf(table, 'insert'), [...words, ...args.slice(n)], 'i32')
    }
    case 'table.remove':
      e.call(functionOf(layout, 'remove'), args, 'void')
      return 'nothing'
    case 'table.touch': {
      const table = layout as HashLayout
      const rest = args.slice(1)
      if (table.expire) e.store(name, 4, args[0], table.touchedTimeOffset, rest.shift()!)
      if (table.evict === 'oldest') e.store(name, 4, args[0], table.touchedSeqOffset, rest.shift()!)
      return 'nothing'
    }
    case 'table.load':
    case 'rules.load':
      return loadLeaf(e, instr, name, valueField(layout, instr), args[0])
    case 'table.store':
      storeLeaf(e, instr, name, valueField(layout, instr), args[0], args[1])
      return 'nothing'
    case 'array.load': {
      if (layout.kind !== 'array') return undefined
      const { at, inside } = element(e, layout, args[0])
      const value = loadLeaf(e, instr, name, valueField(layout, instr), at)
      return inside ? e.select(inside, value, 0) : value
    }
    case 'array.store': {
      if (layout.kind !== 'array') return undefined
      const { at, inside } = element(e, layout, args[0])
      const store = (): void => storeLeaf(e, instr, name, valueField(layout, instr), at, args[1])
      if (inside) e.when(inside, store)
      else store()
      return 'nothing'
    }
    case 'pool.take':
      return layout.kind === 'pool' ? take(e, layout, args) : undefined
    case 'pool.give':
      if (layout.kind === 'pool') give(e, layout, args[0])
      return 'nothing'
    case 'rules.lookup':
      return lookup(e, layout, args)
    case 'rules.redirect':
      return layout.kind === 'rules-devices' ? redirect(e, layout, args[0], args[1]) : undefined
    default:
      return undefined
  }
}

/** The field an instruction names, by name or by position. */
export function valueField(layout: ObjectLayout, instr: Instr): FieldLayout {
  const fields = layout.kind === 'pool' ? [] : layout.value
  const { field } = instr.attrs
  const found = typeof field === 'string' ? fields.find(f => f.name === field) : fields[Number(field)]
  if (!found) throw new Error(`${layout.name} has no field ${String(field)}`)
  return found
}

/** Integers stand little-endian in values; a leaf of ipv6 or bytes is the big-endian reading of its bytes. */
const isSwapped = (field: FieldLayout): boolean => field.type === 'ipv6' || field.type === 'bytes'

function loadLeaf(e: Emitter, instr: Instr, object: string, field: FieldLayout, at: Instr): Instr {
  const leaf = leavesOf(field)[Number(instr.attrs.part ?? 0)]
  const raw = e.load(object, leaf.width, at, field.offset + leaf.offset)
  return typed(e, isSwapped(field) ? swapBytes(e, raw, leaf.width) : raw, instr.type)
}

function storeLeaf(
  e: Emitter,
  instr: Instr,
  object: string,
  field: FieldLayout,
  at: Instr,
  value: Instr,
): void {
  const leaf = leavesOf(field)[Number(instr.attrs.part ?? 0)]
  const plain = leaf.width === 8 ? e.wide(value) : e.narrow(value)
  e.store(
    object,
    leaf.width,
    at,
    field.offset + leaf.offset,
    isSwapped(field) ? swapBytes(e, plain, leaf.width) : plain,
  )
}
