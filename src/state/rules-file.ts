// Rule tables from files: `--table routes=routes.csv` or `.json`.
//
// Columns are named after the fields of the table's key and value; where both sides have the name, `key.port` and
// `value.port` tell them apart. Cells are spelled as text.ts reads them; in a longest-prefix table the last key field
// may be `192.0.2.0/24`. Promises: never throws on any text; reports every mistake it can tell apart, up to 50, each
// with line, column, what was expected and what was found. rules.ts makes bytes of the rows.

import type { FieldDecl, RulesDecl } from './declaration.js'
import { readCsv } from './csv.js'
import type { FieldValue, Side } from './field.js'
import { readJson } from './json.js'
import type { RuleRow } from './rules.js'
import type { Cell, RuleProblem, SourceRow } from './source.js'
import { expectation, read, show } from './text.js'
import type { DeviceNames } from './text.js'

export interface RuleFile {
  readonly rows: readonly RuleRow[]
  /** Empty if the file can be used. */
  readonly problems: readonly RuleProblem[]
}

/** One field of the table and the names a file may use for it. */
interface Column {
  readonly side: Side
  readonly index: number
  readonly field: FieldDecl
  readonly names: readonly string[]
  /** A prefix length may follow. */
  readonly prefixed: boolean
}

const mostProblems = 50

/** Reads the rules of one table. `devices` names the run's devices, for fields that hold one. */
export function readRules(
  text: string,
  format: 'csv' | 'json',
  declaration: RulesDecl,
  devices: DeviceNames = [],
): RuleFile {
  const columns = columnsOf(declaration)
  const source = format === 'csv' ? readCsv(text) : readJson(text)
  const rows: RuleRow[] = []
  const seen = new Map<string, number>()
  const [first] = source.header ?? []
  const headerProblems = first ? problemsOfNames(source.header!, columns, first.line, first.column) : []
  if (format === 'csv' && !first && !source.problem) {
    const all = columns.map(({ names }) => names[0]).join(',')
    headerProblems.push({ line: 1, column: 1, message: `expected a first line of field names: ${all}` })
  }
  const wrongHeader = headerProblems.length > 0
  const problems: RuleProblem[] = [...headerProblems]
  for (const row of wrongHeader ? [] : source.rows) {
    if (problems.length >= mostProblems) break
    const read = readRow(row, columns, devices)
    if ('problems' in read) {
      problems.push(...read.problems)
      continue
    }
    const earlier = seen.get(read.identity)
    const at = { line: row.line, column: row.column }
    if (earlier !== undefined)
      problems.push({ ...at, message: `expected each key once, found the key of line ${earlier} again` })
    else if (rows.length === declaration.capacity) {
      const message = `expected at most ${declaration.capacity} rules, the capacity of ${declaration.name}`
      problems.push({ ...at, message })
      break
    } else rows.push(read.row)
    seen.set(read.identity, row.line)
  }
  if (source.problem && !wrongHeader) problems.push(source.problem)
  return { rows, problems: problems.slice(0, mostProblems) }
}

/** A problem as one line for a terminal. */
export const describeProblem = (file: string, { line, column, message }: RuleProblem): string =>
  `${file}:${line}:${column}: ${message}`

function columnsOf(declaration: RulesDecl): Column[] {
  const keyNames = new Set(declaration.key.map(field => field.name))
  const valueNames = new Set(declaration.value.map(field => field.name))
  const column = (field: FieldDecl, side: Side, index: number): Column => {
    const qualified = `${side}.${field.name}`
    const clash = keyNames.has(field.name) && valueNames.has(field.name)
    const prefixed = declaration.rules === 'lpm' && side === 'key' && index === declaration.key.length - 1
    return { side, index, field, names: clash ? [qualified] : [field.name, qualified], prefixed }
  }
  return [
    ...declaration.key.map((field, i) => column(field, 'key', i)),
    ...declaration.value.map((field, i) => column(field, 'value', i)),
  ]
}

/** Unknown, repeated and missing names; missing ones are reported at `line`, `column`. */
function problemsOfNames(
  cells: readonly Cell[],
  columns: readonly Column[],
  line: number,
  column: number,
): RuleProblem[] {
  const problems: RuleProblem[] = []
  const all = columns.map(({ names }) => names[0]).join(', ')
  const found = new Set<Column>()
  for (const cell of cells) {
    const match = columns.find(({ names }) => names.includes(cell.name))
    const at = { line: cell.line, column: cell.column }
    if (!match)
      problems.push({ ...at, message: `expected a field name (${all}), found ${quoted(cell.name)}` })
    else if (found.has(match))
      problems.push({ ...at, message: `expected each field once, found ${cell.name} again` })
    else found.add(match)
  }
  const missing = columns.filter(candidate => !found.has(candidate)).map(({ names }) => names[0])
  if (missing.length > 0 && problems.length === 0)
    problems.push({ line, column, message: `expected the fields ${all}; missing: ${missing.join(', ')}` })
  return problems
}

const quoted = (text: string): string => (text === '' ? 'nothing' : `\`${text.slice(0, 60)}\``)

type ReadRow = { row: RuleRow; identity: string } | { problems: RuleProblem[] }

function readRow(
  { line, column, cells }: SourceRow,
  columns: readonly Column[],
  devices: DeviceNames,
): ReadRow {
  const problems = problemsOfNames(cells, columns, line, column)
  if (problems.length > 0) return { problems }
  const key: FieldValue[] = []
  const value: FieldValue[] = []
  const identity: string[] = []
  let prefix: number | undefined
  for (const column of columns) {
    const cell = cells.find(({ name }) => column.names.includes(name))!
    const result = readCell(cell, column, devices)
    if ('message' in result) problems.push({ line: cell.line, column: cell.column, message: result.message })
    else {
      if (column.side === 'key') identity.push(`${result.value.toString()}/${result.prefix ?? ''}`)
      const side = column.side === 'key' ? key : value
      side[column.index] = result.value
      prefix = result.prefix ?? prefix
    }
  }
  if (problems.length > 0) return { problems }
  return { row: { key, value, line, ...(prefix !== undefined && { prefix }) }, identity: identity.join() }
}

type ReadCell = { value: FieldValue; prefix?: number } | { message: string }

function readCell(cell: Cell, { field, prefixed }: Column, devices: DeviceNames): ReadCell {
  const bits = 8 * field.bytes
  const expected = `expected ${expectation(field, devices)}`
  if (!prefixed) {
    const value = read(field, cell.text, devices)
    return value === undefined ? { message: `${expected}, found ${quoted(cell.text)}` } : { value }
  }
  const slash = cell.text.lastIndexOf('/')
  const spelled = slash < 0 ? cell.text : cell.text.slice(0, slash)
  const length = slash < 0 ? String(bits) : cell.text.slice(slash + 1)
  const value = read(field, spelled, devices)
  if (value === undefined) return { message: `${expected} or a prefix of one, found ${quoted(cell.text)}` }
  if (!/^(0|[1-9]\d{0,3})$/.test(length) || Number(length) > bits)
    return { message: `expected a prefix length, 0 to ${bits}, found ${quoted(length)}` }
  const prefix = Number(length)
  const network = firstBits(field, value, prefix)
  const spelling = show(field, network)
  return spelling === show(field, value)
    ? { value, prefix }
    : {
        message: `expected zeros beyond bit ${prefix}, as in ${spelling}/${prefix}, found ${quoted(cell.text)}`,
      }
}

/** The value with all but its first `length` bits zero. */
function firstBits(field: FieldDecl, value: FieldValue, length: number): FieldValue {
  const bits = 8 * field.bytes
  const mask = (1n << BigInt(bits)) - (1n << BigInt(bits - length))
  if (typeof value !== 'object') {
    const masked = BigInt.asUintN(bits, BigInt(value)) & mask
    return typeof value === 'bigint' ? masked : Number(masked)
  }
  const masked = BigInt(`0x${Buffer.from(value).toString('hex')}`) & mask
  return new Uint8Array(Buffer.from(masked.toString(16).padStart(2 * field.bytes, '0'), 'hex'))
}
