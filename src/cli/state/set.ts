// hairpin state set: parameters and rules of an attached program, changed while packets flow, and read back.

import type { SeenProgram } from '../../engine/kernel/attached.js'
import { readRules, replaceRules } from '../../engine/kernel/rules.js'
import type { Replacement } from '../../engine/kernel/rules.js'
import type { RuleRow } from '../../state/rules.js'
import type { Shown } from '../../state/text.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, texts } from '../flags.js'
import { grouped } from '../grid.js'
import { rowsOf, settingsFrom } from '../inputs.js'
import { interfaceNames, withKernel } from '../kernel.js'
import { onlyOne } from '../chosen.js'
import { withReading } from './dump.js'
import { parametersOf, setParameters } from './parameters.js'
import { withTable } from './rules.js'

interface ChangedParameter {
  readonly parameter: string
  readonly before: Shown
  readonly after: Shown
}

interface ChangedTable extends Replacement {
  readonly table: string
  /** Rules in it, read back. */
  readonly count: number
  readonly capacity: number
}

export function set([word, ...assignments]: readonly string[], flags: Flags, io: Io): number {
  const odd = ['limit', 'all'].find(name => flags.values[name] !== undefined)
  if (odd !== undefined) throw new UsageError(`--${odd} belongs to hairpin state, not to state set`)
  if (assignments.length === 0 && texts(flags, 'table').length === 0)
    throw new UsageError('nothing to set: NAME=VALUE or --table NAME=FILE is missing')
  return withKernel(() => {
    const program = onlyOne(word)
    const { name, settings } = program.description
    // Everything is read and checked before anything is changed.
    const values = settingsFrom(assignments.map(pairOf), 'state set', name, settings)
    const rows = Object.entries(rowsOf(flags, program.description, interfaceNames()))
    for (const [table] of rows) withTable(program, table, () => undefined)
    const parameters = changeParameters(program, values)
    const tables = rows.map(([table, own]) => changeTable(program, table, own))
    if (isSet(flags, 'json'))
      io.out(`${JSON.stringify({ programId: program.programId, program: name, parameters, tables })}\n`)
    else
      io.out(
        [...parameters.map(p => parameterText(name, p)), ...tables.map(t => tableText(name, t))].join(''),
      )
    return exit.ok
  })
}

const parameterText = (program: string, { parameter, before, after }: ChangedParameter): string =>
  `${program}: ${parameter} = ${after}${before === after ? ', as before' : `, was ${before}`}\n`

const tableText = (program: string, t: ChangedTable): string =>
  `${program}: ${t.table} has ${grouped(t.count)} of ${grouped(t.capacity)} rules: ${grouped(t.added)} added, ` +
  `${grouped(t.changed)} changed, ${grouped(t.removed)} removed, ${grouped(t.unchanged)} as before\n`

const changeParameters = (program: SeenProgram, values: ReadonlyMap<string, bigint>): ChangedParameter[] =>
  withReading(program, reading => {
    const before = parametersOf(reading)
    setParameters(reading, values)
    const after = parametersOf(reading)
    return [...values.keys()].map(parameter => ({
      parameter,
      before: before.get(parameter)!,
      after: after.get(parameter)!,
    }))
  })

const changeTable = (program: SeenProgram, name: string, rows: readonly RuleRow[]): ChangedTable =>
  withTable(program, name, (map, table) => {
    if (table.kind === 'sockets')
      throw new Failure(
        `${name} leads to AF_XDP sockets, and only who opens one can put it there`,
        exit.usage,
      )
    const done = replaceRules(map, table, rows)
    return { table: name, ...done, count: readRules(map, table, 0).count, capacity: table.capacity }
  })

function pairOf(assignment: string): [name: string, text: string] {
  const at = assignment.indexOf('=')
  if (at < 1) throw new UsageError(`state set takes NAME=VALUE, not ${assignment}`)
  return [assignment.slice(0, at), assignment.slice(at + 1)]
}
