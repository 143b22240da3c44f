// What `hairpin state` prints of a program: parameters, counters, and its state by object.

import { openReading } from '../../engine/kernel/reading.js'
import type { Reading } from '../../engine/kernel/reading.js'
import type { SeenProgram } from '../../engine/kernel/attached.js'
import { dumpToJson } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import { UsageError } from '../command.js'
import { grouped } from '../grid.js'
import { hint } from '../nearest.js'
import { stateText } from '../run/state.js'
import { placeText } from '../chosen.js'
import { parametersOf } from './parameters.js'
import { openTables, rulesJson, rulesText } from './rules.js'

export interface DumpOptions {
  /** Names of the objects; empty for all. */
  readonly tables: readonly string[]
  /** Entries, elements or free numbers of each object. */
  readonly most: number
}

interface Found {
  readonly name: string
  readonly dump: Dump
  readonly unsure: boolean
}

/** Reads objects in the program's order. A name that it does not have is a mistake of the caller. */
function objectsOf(reading: Reading, { tables, most }: DumpOptions): Found[] {
  const { names, description } = reading
  for (const name of tables)
    if (!names.includes(name)) {
      if (description.rules.some(r => r.name === name)) continue
      const known = [...names, ...description.rules.map(r => r.name)]
      throw new UsageError(
        `${description.name} has no state ${name}; it has ${known.join(', ') || 'none'}.${hint(name, known)}`,
      )
    }
  return names
    .filter(name => tables.length === 0 || tables.includes(name))
    .flatMap(name => {
      const found = reading.read(name, { most })
      return found ? [{ name, ...found }] : []
    })
}

/** Runs a function on a program's maps. */
export function withReading<T>({ description }: SeenProgram, use: (reading: Reading) => T): T {
  const reading = openReading(description)
  try {
    return use(reading)
  } finally {
    reading.close()
  }
}

export const programText = (program: SeenProgram, options: DumpOptions): string =>
  withReading(program, reading => {
    const { description, programId } = program
    const parameters = [...parametersOf(reading)].map(([name, value]) => `${name} = ${value}`)
    const counters = [...reading.figures().counters].map(([name, n]) => `${name} ${grouped(n)}`)
    const objects = objectsOf(reading, options)
    return [
      `${description.name} on ${placeText(program)}, program ${programId}`,
      ...(parameters.length ? [`  parameters: ${parameters.join(', ')}`] : []),
      ...(counters.length ? [`  counters: ${counters.join(', ')}`] : []),
      ...objects.flatMap(({ dump, unsure }) => [
        '',
        stateText(dump, options.most, '--all shows them, --limit N so many'),
        ...(unsure ? ['    entries moved while it was read: one may be there twice or be missing'] : []),
      ]),
      ...rulesOf(program, options).flatMap(name => ['', rulesText(program, name, options.most)]),
      ...(reading.names.length === 0 ? ['  it keeps no state'] : []),
    ].join('\n')
  })

export const programJson = (program: SeenProgram, options: DumpOptions): object =>
  withReading(program, reading => ({
    programId: program.programId,
    program: program.description.name,
    interfaces: program.devices.map(d => d.name),
    parameters: Object.fromEntries(parametersOf(reading)),
    counters: Object.fromEntries([...reading.figures().counters].map(([name, n]) => [name, Number(n)])),
    state: [
      ...objectsOf(reading, options).map(({ dump, unsure }) => ({
        ...bounded(dumpToJson(dump), options.most),
        ...(unsure && { unsure }),
      })),
      ...rulesOf(program, options).map(name => rulesJson(program, name, options.most)),
    ],
  }))

/** Rule tables to show: those that can be read, or all that were asked for. */
const rulesOf = (program: SeenProgram, { tables }: DumpOptions): string[] =>
  tables.length === 0
    ? openTables(program)
    : program.description.rules.map(r => r.name).filter(name => tables.includes(name))

/** Elements of arrays and free numbers of pools are bounded here; tables are bounded while they are read. */
function bounded(object: object, most: number): object {
  const { elements, free } = object as { elements?: readonly unknown[]; free?: readonly unknown[] }
  const list = elements ?? free
  if (list === undefined || list.length <= most) return object
  const first = list.slice(0, most)
  return { ...object, ...(elements ? { elements: first } : { free: first }), omitted: list.length - most }
}
