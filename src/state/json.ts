// JSON rule files: a list of objects, one per rule, with the place of every value.
//
// The language's own parser loses places and the last bits of long numbers, so this one keeps numbers as text. An
// object in an object is a group: its cells get dotted names, `key.port`. Promise: never throws on any text, and nesting
// is bounded.

import { Cursor } from './source.js'
import type { Cell, RuleProblem, Source, SourceRow } from './source.js'

const space = ' \t\r\n'
const deepest = 4

/** Reads a JSON list of objects; a problem ends the reading, and the rows before it are kept. */
export function readJson(text: string): Source {
  const cursor = new Cursor(text)
  const rows: SourceRow[] = []
  cursor.skip(space)
  let problem = expect(cursor, '[', 'a list of rules, [')
  cursor.skip(space)
  if (!problem && cursor.here === ']') cursor.take()
  else
    while (!problem) {
      const { line, column } = cursor
      const cells: Cell[] = []
      problem = readObject(cursor, '', 1, cells)
      if (problem) break
      rows.push({ line, column, cells })
      cursor.skip(space)
      if (cursor.here === ']') {
        cursor.take()
        break
      }
      problem = expect(cursor, ',', 'a comma or ]')
      cursor.skip(space)
    }
  cursor.skip(space)
  if (!problem && !cursor.ended)
    problem = cursor.problem(`expected the end of the file, found ${cursor.found()}`)
  return problem ? { rows, problem } : { rows }
}

function expect(cursor: Cursor, character: string, what: string): RuleProblem | undefined {
  if (cursor.here !== character) return cursor.problem(`expected ${what}, found ${cursor.found()}`)
  cursor.take()
  return undefined
}

/** Reads an object at the cursor into `cells`, naming them with `prefix` in front. */
function readObject(cursor: Cursor, prefix: string, depth: number, cells: Cell[]): RuleProblem | undefined {
  const open = expect(cursor, '{', 'a rule, {')
  if (open) return open
  cursor.skip(space)
  if (cursor.here === '}') {
    cursor.take()
    return undefined
  }
  for (;;) {
    const start = cursor.problem('expected a field name in double quotes')
    const name = cursor.here === '"' ? readString(cursor) : undefined
    if (name === undefined) return start
    cursor.skip(space)
    const colon = expect(cursor, ':', 'a colon')
    if (colon) return colon
    cursor.skip(space)
    const problem = readValue(cursor, prefix + name, depth, cells)
    if (problem) return problem
    cursor.skip(space)
    if (cursor.here === '}') {
      cursor.take()
      return undefined
    }
    const comma = expect(cursor, ',', 'a comma or }')
    if (comma) return comma
    cursor.skip(space)
  }
}

function readValue(cursor: Cursor, name: string, depth: number, cells: Cell[]): RuleProblem | undefined {
  const { line, column } = cursor
  if (cursor.here === '{') {
    if (depth === deepest) return cursor.problem(`expected at most ${deepest} objects in one another`)
    return readObject(cursor, `${name}.`, depth + 1, cells)
  }
  const expected = 'expected a string, a number, true or false'
  let text: string | undefined
  if (cursor.here === '"') {
    text = readString(cursor)
    if (text === undefined) return { line, column, message: 'expected a string with its closing "' }
  } else {
    text = cursor.takeUntil(`${space},:]}[{"`)
    if (!/^(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false)$/.test(text)) {
      const found = text === '' ? cursor.found() : `\`${text.slice(0, 40)}\``
      return { line, column, message: `${expected}, found ${found}` }
    }
  }
  cells.push({ name, text, line, column })
  return undefined
}

/** The string that begins at the cursor, or undefined if it is not well formed. */
function readString(cursor: Cursor): string | undefined {
  const from = cursor.at
  cursor.take()
  for (;;) {
    cursor.takeUntil('"\\\r\n')
    if (cursor.ended || '\r\n'.includes(cursor.here)) return undefined
    if (cursor.take() === '"') break
    cursor.take()
  }
  try {
    return JSON.parse(cursor.text.slice(from, cursor.at)) as string
  } catch {
    return undefined
  }
}
