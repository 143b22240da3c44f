// Rule tables of an attached program that are maps of the kernel's own: opened, and shown like state.

import type { SeenProgram } from '../../engine/kernel/attached.js'
import { readRules } from '../../engine/kernel/rules.js'
import type { Rule } from '../../engine/kernel/rules.js'
import type { FieldDecl } from '../../state/declaration.js'
import type { FieldValue } from '../../state/field.js'
import { kernelMapOf } from '../../state/kernel-map.js'
import type { KernelMap } from '../../state/kernel-map.js'
import { show } from '../../state/text.js'
import type { Shown } from '../../state/text.js'
import { openMap } from '../../sys/info.js'
import type { BpfMap } from '../../sys/map.js'
import { Failure } from '../command.js'
import { exit } from '../exit.js'
import { grid, grouped } from '../grid.js'
import { routesText } from '../routes.js'

/** Names of the rule tables that can be read and changed. */
export const openTables = ({ description }: SeenProgram): string[] =>
  description.rules.filter(r => kernelMapOf(r)).map(r => r.name)

/** Runs a function on a rule table's map; one that stands in the rules block ends the command with what to declare. */
export function withTable<T>(
  { description }: SeenProgram,
  name: string,
  use: (map: BpfMap, table: KernelMap) => T,
): T {
  const declaration = description.rules.find(r => r.name === name)
  if (declaration?.fib !== undefined) throw new Failure(routesText(name, declaration.fib), exit.program)
  const table = declaration && kernelMapOf(declaration)
  if (!table)
    throw new Failure(
      `rules of ${name} are built into the program's own memory, which cannot change while packets flow; ` +
        `declare the table with map: 'hash' (or 'lpm', 'devices'), or detach and attach again with --table ${name}=FILE`,
      exit.program,
    )
  const id = description.maps.get(name)
  const map = id === undefined ? undefined : openMap(id)
  if (!map) throw new Failure(`the program went away`, exit.no)
  try {
    return use(map, table)
  } finally {
    map.close()
  }
}

interface ReadTable {
  readonly table: KernelMap
  readonly rules: readonly Rule[]
  readonly count: number
}

const read = (program: SeenProgram, name: string, most: number): ReadTable =>
  withTable(program, name, (map, table) => ({ table, ...readRules(map, table, most) }))

/** Cells of a key; the last one of a longest prefix with its length. */
function keyCells({ table }: ReadTable, { key, prefix }: Rule): Shown[] {
  const cells = table.key.map((field, k) => show(field, key[k]))
  return prefix === undefined ? cells : [...cells.slice(0, -1), `${cells[cells.length - 1]}/${prefix}`]
}

const valueCells = ({ table }: ReadTable, { value }: Rule): Shown[] =>
  table.value.map((field, k) => show(field, value[k] as FieldValue))

export function rulesText(program: SeenProgram, name: string, most: number): string {
  const found = read(program, name, most)
  const { table, rules, count } = found
  const title = `  ${name}: ${grouped(count)} of ${grouped(table.capacity)} rules`
  if (rules.length === 0) return title
  const columns = (fields: readonly FieldDecl[]) => fields.map(f => ({ title: f.name }))
  const rows = rules.map(rule => [...keyCells(found, rule), '→', ...valueCells(found, rule)].map(String))
  const more =
    count > rules.length ? `\n    … and ${grouped(count - rules.length)} more; --all shows them` : ''
  return `${title}\n${grid([...columns(table.key), { title: '' }, ...columns(table.value)], rows, 4)}${more}`
}

export function rulesJson(program: SeenProgram, name: string, most: number): object {
  const found = read(program, name, most)
  const { table, rules, count } = found
  const named = (fields: readonly FieldDecl[], cells: readonly Shown[]): Record<string, Shown> =>
    Object.fromEntries(fields.map((f, k) => [f.name, cells[k]]))
  return {
    name,
    kind: 'rules',
    capacity: table.capacity,
    count,
    ...(count > rules.length && { omitted: count - rules.length }),
    entries: rules.map(rule => ({
      key: named(table.key, keyCells(found, rule)),
      value: named(table.value, valueCells(found, rule)),
    })),
  }
}
