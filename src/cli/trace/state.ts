// What one packet changed in the state: entries, elements, pools and the counters of tables, before and after.

import { StateArray } from '../../state/array.js'
import { dumpPool, dumpTable, poolCounters, showFields, tableCounters } from '../../state/dump.js'
import type { DumpedEntry } from '../../state/dump.js'
import { firstDifference } from '../../state/diff.js'
import type { BlockAt } from '../../state/diff.js'
import type { ArrayLayout, HashLayout, PoolLayout, StateLayout } from '../../state/layout.js'
import { Pool } from '../../state/pool.js'
import { Table } from '../../state/table.js'
import type { Shown } from '../../state/text.js'

export type Shape = Shown | Record<string, Shown>

export interface Change {
  readonly object: string
  /** An entry's key, an element's index, or a counter's name; absent for cells. */
  readonly where?: Shape
  /** Absent where there was, or is, nothing. */
  readonly before?: Shape
  readonly after?: Shape
  /** True if only the time or order of the last touch changed. */
  readonly refreshed?: boolean
}

/** All changes, in order of declaration. */
export function changesOf(before: BlockAt, after: BlockAt, layout: StateLayout): Change[] {
  return layout.objects.flatMap(object => {
    const moved = (from: number, length: number): boolean =>
      firstDifference(before, after, object.offset + from, length) >= 0
    if (!moved(0, object.size)) return []
    if (object.kind === 'table') return tableChanges(before, after, object, moved)
    if (object.kind === 'array') return arrayChanges(before, after, object, moved)
    return poolChanges(before, after, object)
  })
}

type Moved = (from: number, length: number) => boolean

function tableChanges(before: BlockAt, after: BlockAt, layout: HashLayout, moved: Moved): Change[] {
  const [old, now] = [before, after].map(({ memory, base }) =>
    dumpTable(new Table(memory, base + layout.offset, layout), undefined, slot => moved(slot, layout.stride)),
  )
  const { name: object, key, value, scalarKey, scalarValue } = layout
  const valueOf = (e: DumpedEntry): Shape => (value.length ? showFields(value, e.value, scalarValue) : true)
  const keyText = (e: DumpedEntry): string => Buffer.from(e.bytes).toString('hex')
  const earlier = new Map(old.entries.map(e => [keyText(e), e]))
  const changes: Change[] = []
  for (const e of now.entries) {
    const was = earlier.get(keyText(e))
    earlier.delete(keyText(e))
    const where = showFields(key, e.key, scalarKey)
    if (!was) changes.push({ object, where, after: valueOf(e) })
    else if (JSON.stringify(valueOf(was)) !== JSON.stringify(valueOf(e)))
      changes.push({ object, where, before: valueOf(was), after: valueOf(e) })
    else if (was.touchedTime !== e.touchedTime || was.touchedSeq !== e.touchedSeq)
      changes.push({ object, where, before: valueOf(was), after: valueOf(e), refreshed: true })
  }
  for (const e of earlier.values())
    changes.push({ object, where: showFields(key, e.key, scalarKey), before: valueOf(e) })
  return [...changes, ...counterChanges(object, tableCounters, old.counters, now.counters)]
}

function arrayChanges(before: BlockAt, after: BlockAt, layout: ArrayLayout, moved: Moved): Change[] {
  const [old, now] = [before, after].map(
    ({ memory, base }) => new StateArray(memory, base + layout.offset, layout),
  )
  const show = (array: StateArray, i: number): Shape =>
    showFields(layout.value, array.get(i)!, layout.scalarValue)
  return Array.from({ length: layout.length }, (_, i) => i)
    .filter(i => moved(i * layout.stride, layout.stride))
    .map(i => ({
      object: layout.name,
      ...(!layout.cell && { where: i }),
      before: show(old, i),
      after: show(now, i),
    }))
}

function poolChanges(before: BlockAt, after: BlockAt, layout: PoolLayout): Change[] {
  const [old, now] = [before, after].map(({ memory, base }) =>
    dumpPool(new Pool(memory, base + layout.offset, layout)),
  )
  const { name: object } = layout
  const counters = counterChanges(object, poolCounters, old.counters, now.counters)
  if (old.free.length === now.free.length && counters.length) return counters
  return [{ object, where: 'free', before: old.free.length, after: now.free.length }, ...counters]
}

function counterChanges<K extends string>(
  object: string,
  names: readonly K[],
  old: Readonly<Record<K, number>>,
  now: Readonly<Record<K, number>>,
): Change[] {
  return names
    .filter(name => old[name] !== now[name])
    .map(name => ({ object, where: name, before: old[name], after: now[name] }))
}
