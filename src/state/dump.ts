// A state block as typed values: what `hairpin state`, verify's reports and JSON output show.
//
// A dump is canonical: entries are sorted by the bytes of their key, so equal contents make equal dumps wherever the
// entries stand in memory. With a timestamp it holds the entries alive at that moment, without it all that are
// present, dead ones that no sweep has met included. Read layout.ts first; diff.ts compares dumps.

import { isDeepStrictEqual } from 'node:util'
import { StateArray } from './array.js'
import { clockAt } from './block.js'
import type { FieldDecl } from './declaration.js'
import { readField } from './field.js'
import type { FieldValue } from './field.js'
import { poolHeader } from './format.js'
import type { ArrayLayout, HashLayout, PoolLayout, StateLayout, StateObjectLayout } from './layout.js'
import { load32 } from './memory.js'
import type { StateMemory } from './memory.js'
import { Pool } from './pool.js'
import { Table } from './table.js'
import { show } from './text.js'
import type { Shown } from './text.js'

export interface DumpedEntry {
  /** The packed key, without padding. */
  readonly bytes: Uint8Array
  readonly key: readonly FieldValue[]
  readonly value: readonly FieldValue[]
  /** In the table's clock, where it expires. */
  readonly touchedTime?: number
  /** Low 32 bits of a sequence number, where it evicts the oldest. */
  readonly touchedSeq?: number
}

export const tableCounters = ['failures', 'evictions', 'expiries', 'displacements'] as const
export const poolCounters = ['exhausted', 'rejected'] as const

export interface DumpedTable {
  readonly kind: 'table'
  readonly layout: HashLayout
  /** Entries present, dead ones included. */
  readonly count: number
  readonly counters: Readonly<Record<(typeof tableCounters)[number], number>>
  readonly entries: readonly DumpedEntry[]
  /** Entries that are left out, because more were found than asked for. */
  readonly omitted: number
}

export interface DumpedArray {
  readonly kind: 'array'
  readonly layout: ArrayLayout
  readonly elements: readonly (readonly FieldValue[])[]
}

export interface DumpedPool {
  readonly kind: 'pool'
  readonly layout: PoolLayout
  readonly counters: Readonly<Record<(typeof poolCounters)[number], number>>
  /** Free numbers in the order they will be taken. */
  readonly free: readonly number[]
}

export type Dump = DumpedTable | DumpedArray | DumpedPool

/** Every object of the state block at `base`; with `timestamp` (ns since the run's start) only entries alive then. */
export function dumpState(
  memory: StateMemory,
  base: number,
  layout: StateLayout,
  timestamp?: bigint,
): Dump[] {
  return layout.objects.map(object => dumpObject(memory, base + object.offset, object, timestamp))
}

/** One object whose first byte is at `at`; `most` bounds the entries of a table, as in `dumpTable`. */
export function dumpObject(
  memory: StateMemory,
  at: number,
  object: StateObjectLayout,
  timestamp?: bigint,
  most?: number,
): Dump {
  if (object.kind === 'table') return dumpTable(new Table(memory, at, object), timestamp, undefined, most)
  if (object.kind === 'array') {
    const array = new StateArray(memory, at, object)
    const elements = Array.from({ length: object.length }, (_, i) => array.get(i)!)
    return { kind: 'array', layout: object, elements }
  }
  return dumpPool(new Pool(memory, at, object))
}

export function dumpPool(pool: Pool): DumpedPool {
  const counters = countersOf(poolCounters, word => load32(pool.memory, pool.base + poolHeader[word]))
  return { kind: 'pool', layout: pool.layout, counters, free: pool.free() }
}

/** A table's entries, sorted by key; `keep` may leave slots out, and of the rest only the first `most` are there. */
export function dumpTable(
  table: Table,
  timestamp?: bigint,
  keep: (slot: number) => boolean = () => true,
  most = Infinity,
): DumpedTable {
  const { memory, base, layout } = table
  const { keyOffset, keyBytes, touchedTimeOffset, touchedSeqOffset, expire } = layout
  const now = expire && timestamp !== undefined ? clockAt(timestamp, expire.unit) : undefined
  let entries: DumpedEntry[] = []
  let found = 0
  for (const slot of table.occupied()) {
    if ((now !== undefined && table.isExpired(slot, now)) || !keep(slot)) continue
    found++
    // Cut now and then, so that a bounded dump of a huge table takes little memory.
    if (entries.length >= 2 * most + 1024) entries = firstOf(entries, most)
    const at = base + slot
    entries.push({
      bytes: memory.bytes.slice(at + keyOffset, at + keyOffset + keyBytes),
      key: layout.key.map(field => readField(memory, at, field, 'key')),
      value: layout.value.map(field => readField(memory, at, field, 'value')),
      ...(touchedTimeOffset >= 0 && { touchedTime: load32(memory, at + touchedTimeOffset) }),
      ...(touchedSeqOffset >= 0 && { touchedSeq: load32(memory, at + touchedSeqOffset) }),
    })
  }
  const counters = countersOf(tableCounters, word => table.header(word))
  const first = firstOf(entries, most)
  const omitted = found - first.length
  return { kind: 'table', layout, count: table.count, counters, entries: first, omitted }
}

const firstOf = (entries: DumpedEntry[], most: number): DumpedEntry[] =>
  entries.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).slice(0, most)

const countersOf = <K extends string>(names: readonly K[], value: (name: K) => number): Record<K, number> =>
  Object.fromEntries(names.map(name => [name, value(name)])) as Record<K, number>

/** Values of fields as JSON: an object by field name, or the one value bare if the author wrote a plain type. */
export function showFields(
  fields: readonly FieldDecl[],
  values: readonly FieldValue[],
  scalar: boolean,
): Shown | Record<string, Shown> {
  if (scalar && fields.length === 1) return show(fields[0], values[0])
  return Object.fromEntries(fields.map((field, i) => [field.name, show(field, values[i])]))
}

/** A dump as JSON: natural spellings, 64-bit integers as decimal strings, arrays without their zero elements. */
export function dumpToJson(dump: Dump): object {
  const { name } = dump.layout
  if (dump.kind === 'pool') {
    const { first, last } = dump.layout
    return { name, kind: 'pool', first, last, available: dump.free.length, ...dump.counters, free: dump.free }
  }
  const { scalarValue, value } = dump.layout
  if (dump.kind === 'table') {
    const { capacity, key, scalarKey } = dump.layout
    const entries = dump.entries.map(entry => ({
      key: showFields(key, entry.key, scalarKey),
      ...(value.length > 0 && { value: showFields(value, entry.value, scalarValue) }),
    }))
    const { omitted, counters } = dump
    const count = entries.length + omitted
    return { name, kind: 'table', capacity, count, ...counters, ...(omitted > 0 && { omitted }), entries }
  }
  const shown = dump.elements.map(element => showFields(value, element, scalarValue))
  if (dump.layout.cell) return { name, kind: 'cell', value: shown[0] }
  const elements = shown
    .map((element, index) => ({ index, value: element }))
    .filter(({ index }) => !isZero(dump.elements[index]))
  return { name, kind: 'array', length: shown.length, elements }
}

/** True if every field is zero. */
export const isZero = (values: readonly FieldValue[]): boolean =>
  values.every(value => (typeof value === 'object' ? value.every(byte => byte === 0) : Number(value) === 0))

/** What became of an object, in one line for a person. */
export function describe(dump: Dump): string {
  const { name } = dump.layout
  if (dump.kind === 'pool') {
    const { count } = dump.layout
    return `${name}: ${grouped(dump.free.length)} of ${grouped(count)} numbers free${counted(dump.counters)}`
  }
  if (dump.kind === 'array') {
    if (dump.layout.cell) {
      const shown = showFields(dump.layout.value, dump.elements[0], dump.layout.scalarValue)
      return `${name}: ${typeof shown === 'object' ? JSON.stringify(shown) : shown}`
    }
    const used = dump.elements.filter(element => !isZero(element)).length
    return `${name}: ${grouped(used)} of ${grouped(dump.layout.length)} elements are not zero`
  }
  const { capacity } = dump.layout
  const share = ((100 * dump.count) / capacity).toFixed(1)
  const fill = `${grouped(dump.count)} of ${grouped(capacity)} entries (${share} %)`
  return `${name}: ${fill}${counted(dump.counters)}`
}

const grouped = (n: number): string => n.toLocaleString('en-US')

/** The counters that counted anything, after a comma each. */
const counted = (counters: Readonly<Record<string, number>>): string =>
  Object.entries(counters)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `, ${grouped(n)} ${name}`)
    .join('')

/**
 * The dumps of workers that each own a part of the keys, as one. Entries are put together and sorted; an array's
 * element is the one that is not zero; counters are added. Pools cannot be shared out: the first worker's stands.
 */
export function mergeDumps(workers: readonly (readonly Dump[])[]): Dump[] {
  return workers[0].map((first, i) => {
    const all = workers.map(dumps => dumps[i])
    if (first.kind === 'table') {
      const tables = all as DumpedTable[]
      const sorted = tables.flatMap(table => table.entries)
      sorted.sort((a, b) => Buffer.compare(a.bytes, b.bytes))
      // What several workers have alike is one entry; where they differ, all are shown.
      const entries = sorted.filter((entry, k) => k === 0 || !isDeepStrictEqual(entry, sorted[k - 1]))
      const copies = sorted.length - entries.length
      const count = tables.reduce((sum, table) => sum + table.count, 0) - copies
      const counters = countersOf(tableCounters, name => tables.reduce((sum, t) => sum + t.counters[name], 0))
      const omitted = tables.reduce((sum, table) => sum + table.omitted, 0)
      return { ...first, entries, count, counters, omitted }
    }
    if (first.kind === 'pool') return first
    const arrays = all as DumpedArray[]
    const elements = first.elements.map(
      (element, index) => arrays.map(a => a.elements[index]).find(e => !isZero(e)) ?? element,
    )
    return { ...first, elements }
  })
}
