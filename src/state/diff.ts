// Comparing state: two blocks byte for byte, or two dumps by content.
//
// `diffStates` is what equality of replicas means: the same bytes. Where they differ it says which entries and fields,
// and if the contents agree, the first byte: then the same entries stand in other places. `diffDumps` compares contents
// only, for strategies that promise equal contents. Read dump.ts first.

import { StateArray } from './array.js'
import type { FieldDecl } from './declaration.js'
import { dumpPool, dumpTable, showFields } from './dump.js'
import type { Dump, DumpedEntry, DumpedTable } from './dump.js'
import type { FieldValue } from './field.js'
import type { ArrayLayout, StateLayout, StateObjectLayout } from './layout.js'
import type { StateMemory } from './memory.js'
import { Pool } from './pool.js'
import { Table } from './table.js'
import { show } from './text.js'
import type { Shown } from './text.js'

/** A state block: where it begins in which memory. */
export interface BlockAt {
  readonly memory: StateMemory
  readonly base: number
}

/** One thing that differs; a side on which there is no such thing is undefined. */
export interface Difference {
  readonly object: string
  /** An entry's key, an element's index, `counter`, or a byte's offset in the object. */
  readonly where: string
  readonly field?: string
  readonly left: Shown | undefined
  readonly right: Shown | undefined
}

export interface StateDiff {
  readonly equal: boolean
  /** All differences; `differences` holds the first ones. */
  readonly total: number
  readonly differences: readonly Difference[]
}

/** Collects differences, keeping the first `limit`. */
class Found {
  total = 0
  readonly differences: Difference[] = []
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  add(difference: Difference): void {
    this.total++
    if (this.differences.length < this.limit) this.differences.push(difference)
  }

  get result(): StateDiff {
    return { equal: this.total === 0, total: this.total, differences: this.differences }
  }
}

/** Offset of the first byte that differs in `length` bytes, or -1. */
export function firstDifference(left: BlockAt, right: BlockAt, offset: number, length: number): number {
  const chunk = 1 << 20
  for (let from = offset; from < offset + length; from += chunk) {
    const end = Math.min(from + chunk, offset + length)
    const a = left.memory.bytes.subarray(left.base + from, left.base + end)
    const b = right.memory.bytes.subarray(right.base + from, right.base + end)
    if (Buffer.compare(a, b) !== 0) return from + a.findIndex((byte, i) => byte !== b[i])
  }
  return -1
}

/** Compares two state blocks of one layout byte for byte; `limit` differences are described. */
export function diffStates(left: BlockAt, right: BlockAt, layout: StateLayout, limit = 10): StateDiff {
  const found = new Found(limit)
  for (const object of layout.objects) {
    const first = firstDifference(left, right, object.offset, object.size)
    if (first < 0) continue
    const before = found.total
    compareObject(left, right, object, found)
    if (found.total === before)
      found.add({
        object: object.name,
        where: `byte ${first - object.offset} (the contents are equal)`,
        left: left.memory.bytes[left.base + first],
        right: right.memory.bytes[right.base + first],
      })
  }
  return found.result
}

/** Describes what differs, looking only at entries and elements whose bytes do: tables can be very large. */
function compareObject(left: BlockAt, right: BlockAt, object: StateObjectLayout, found: Found): void {
  const { offset } = object
  const differs = (from: number, length: number): boolean =>
    firstDifference(left, right, offset + from, length) >= 0
  const [a, b] = [left, right].map(({ memory, base }) => ({ memory, at: base + offset }))
  if (object.kind === 'table') {
    const [x, y] = [a, b].map(({ memory, at }) =>
      dumpTable(new Table(memory, at, object), undefined, slot => differs(slot, object.stride)),
    )
    compare(x, y, true, found)
  } else if (object.kind === 'array') {
    const [x, y] = [a, b].map(({ memory, at }) => new StateArray(memory, at, object))
    for (let i = 0; i < object.length; i++)
      if (differs(i * object.stride, object.stride)) compareElement(object, i, x.get(i)!, y.get(i)!, found)
  } else {
    const [x, y] = [a, b].map(({ memory, at }) => dumpPool(new Pool(memory, at, object)))
    compare(x, y, true, found)
  }
}

/** Compares the contents of two dumps of one layout: keys, values and free numbers, not counters, times or places. */
export function diffDumps(left: readonly Dump[], right: readonly Dump[], limit = 10): StateDiff {
  const found = new Found(limit)
  left.forEach((dump, i) => compare(dump, right[i], false, found))
  return found.result
}

/** A difference as one line for a terminal. */
export function describeDifference(difference: Difference, left = 'left', right = 'right'): string {
  const { object, where, field } = difference
  const place = `${object} ${where}${field === undefined ? '' : ` ${field}`}`
  return `${place}: ${sideOf(left, difference.left)}, ${sideOf(right, difference.right)}`
}

const sideOf = (name: string, value: Shown | undefined): string =>
  `${name} ${value === undefined ? 'has none' : `has ${value}`}`

/** `exact` also compares counters and the times of last touch. */
function compare(left: Dump, right: Dump, exact: boolean, found: Found): void {
  const object = left.layout.name
  if (exact && left.kind !== 'array' && right.kind === left.kind) {
    const other: Readonly<Record<string, number>> = right.counters
    for (const [name, count] of Object.entries(left.counters))
      if (count !== other[name])
        found.add({ object, where: 'counter', field: name, left: count, right: other[name] })
  }
  if (left.kind === 'table' && right.kind === 'table') compareEntries(left, right, exact, found)
  if (left.kind === 'array' && right.kind === 'array')
    left.elements.forEach((element, i) => compareElement(left.layout, i, element, right.elements[i], found))
  if (left.kind === 'pool' && right.kind === 'pool')
    for (let i = 0; i < Math.max(left.free.length, right.free.length); i++)
      if (left.free[i] !== right.free[i])
        found.add({ object, where: `free number ${i + 1}`, left: left.free[i], right: right.free[i] })
}

/** Walks two sorted lists of entries in step. */
function compareEntries(left: DumpedTable, right: DumpedTable, exact: boolean, found: Found): void {
  const { name, key, value, scalarKey } = left.layout
  const spell = (entry: DumpedEntry): string => {
    const shown = showFields(key, entry.key, scalarKey)
    return typeof shown === 'object' ? JSON.stringify(shown) : String(shown)
  }
  let i = 0
  let j = 0
  while (i < left.entries.length || j < right.entries.length) {
    const a = left.entries[i]
    const b = right.entries[j]
    const order = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.bytes, b.bytes)
    if (order <= 0) i++
    if (order >= 0) j++
    if (order < 0) found.add({ object: name, where: spell(a), left: 'the entry', right: undefined })
    else if (order > 0) found.add({ object: name, where: spell(b), left: undefined, right: 'the entry' })
    else {
      compareFields(name, spell(a), value, a.value, b.value, found)
      for (const field of exact ? (['touchedTime', 'touchedSeq'] as const) : [])
        if (a[field] !== b[field])
          found.add({ object: name, where: spell(a), field, left: a[field], right: b[field] })
    }
  }
}

function compareElement(
  { name, value, cell }: ArrayLayout,
  index: number,
  left: readonly FieldValue[],
  right: readonly FieldValue[],
  found: Found,
): void {
  compareFields(name, cell ? 'cell' : `[${index}]`, value, left, right, found)
}

function compareFields(
  object: string,
  where: string,
  fields: readonly FieldDecl[],
  left: readonly FieldValue[],
  right: readonly FieldValue[],
  found: Found,
): void {
  fields.forEach((field, i) => {
    const [a, b] = [show(field, left[i]), show(field, right[i])]
    if (a !== b) found.add({ object, where, field: field.name, left: a, right: b })
  })
}
