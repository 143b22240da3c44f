// The state at the end of a run, as text.

import type { Artifact } from '../../engine/artifact.js'
import type { Plan } from '../../engine/plan.js'
import type { RunResult } from '../../engine/run.js'
import { describe, dumpState, isZero, mergeDumps } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import type { FieldDecl } from '../../state/declaration.js'
import type { FieldValue } from '../../state/field.js'
import { stateMemory } from '../../state/memory.js'
import { show } from '../../state/text.js'
import { grid, grouped } from '../grid.js'
import type { Column } from '../grid.js'

/**
 * The program's state: of the first replica, of all shards together, or of the one that is shared. `now` is the time of
 * the last packet, ns since the run's start; what has expired by then is left out.
 */
export function finalState(artifact: Artifact, plan: Plan, result: RunResult, now: bigint): Dump[] {
  const memory = stateMemory(result.memory.buffer)
  const dumps = plan.map.state.map(at => dumpState(memory, at, artifact.stateLayout, now))
  return plan.map.steering ? mergeDumps(dumps) : dumps[0]
}

/** Entries or elements that are shown of each object, if nobody asks for more. */
const shownRows = 20

/** An object of the state: what became of it in one line, and its first entries as a table. `all` says how to see more. */
export function stateText(dump: Dump, most = shownRows, all = '--json has all'): string {
  if (dump.kind === 'pool' || (dump.kind === 'array' && dump.layout.cell)) return `  ${describe(dump)}`
  const { columns, rows } = dump.kind === 'table' ? ofTable(dump) : ofArray(dump)
  if (rows.length === 0) return `  ${describe(dump)}`
  const left = Math.max(0, rows.length - most) + (dump.kind === 'table' ? dump.omitted : 0)
  const more = left > 0 ? `\n    … and ${grouped(left)} more; ${all}` : ''
  return `  ${describe(dump)}\n${grid(columns, rows.slice(0, most), 4)}${more}`
}

interface Listing {
  readonly columns: Column[]
  readonly rows: string[][]
}

const cells = (fields: readonly FieldDecl[], values: readonly FieldValue[]): string[] =>
  fields.map((field, i) => String(show(field, values[i])))

const columnsOf = (fields: readonly FieldDecl[]): Column[] =>
  fields.map(({ name, type, display }) => ({
    title: name,
    right: type !== 'bytes' && type !== 'ipv6' && (display === undefined || display === 'port'),
  }))

function ofTable({ layout, entries }: Extract<Dump, { kind: 'table' }>): Listing {
  return {
    columns: [...columnsOf(layout.key), { title: '' }, ...columnsOf(layout.value)],
    rows: entries.map(e => [...cells(layout.key, e.key), '→', ...cells(layout.value, e.value)]),
  }
}

function ofArray({ layout, elements }: Extract<Dump, { kind: 'array' }>): Listing {
  const used = elements.map((values, index) => ({ values, index })).filter(e => !isZero(e.values))
  return {
    columns: [{ title: 'index', right: true }, ...columnsOf(layout.value)],
    rows: used.map(e => [String(e.index), ...cells(layout.value, e.values)]),
  }
}
