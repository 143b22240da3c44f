// Comma-separated rule files: RFC 4180 with a first line of field names, plus blank lines and lines that begin with #.
//
// Spaces around a cell do not count unless it is quoted. Promise: never throws on any text.

import { Cursor } from './source.js'
import type { Cell, RuleProblem, Source, SourceRow } from './source.js'

/** Reads CSV; a problem ends the reading, and the rows before it are kept. */
export function readCsv(text: string): Source {
  const cursor = new Cursor(text)
  const rows: SourceRow[] = []
  let header: Cell[] | undefined
  for (;;) {
    skipEmptyLines(cursor)
    if (cursor.ended) return header ? { rows, header } : { rows }
    const { line, column } = cursor
    const { cells, problem } = readRecord(cursor)
    const names = header
    if (problem) return { rows, ...(header && { header }), problem }
    if (!names) header = cells.map(cell => ({ ...cell, name: cell.text }))
    else if (cells.length !== names.length) {
      const message = `expected ${names.length} cells as in the first line, found ${cells.length}`
      return { rows, header, problem: { line, column, message } }
    } else rows.push({ line, column, cells: cells.map((cell, i) => ({ ...cell, name: names[i].text })) })
  }
}

function skipEmptyLines(cursor: Cursor): void {
  for (;;) {
    cursor.skip(' \t\r\n')
    if (cursor.here !== '#') return
    cursor.takeUntil('\r\n')
  }
}

/** The cells of one record, and the line's end behind them. */
function readRecord(cursor: Cursor): { cells: Cell[]; problem?: RuleProblem } {
  const cells: Cell[] = []
  for (;;) {
    cursor.skip(' \t')
    const { line, column } = cursor
    const quoted = cursor.here === '"'
    const text = quoted ? readQuoted(cursor) : cursor.takeUntil(',\r\n').trimEnd()
    if (text === undefined)
      return { cells, problem: { line, column, message: 'expected a closing " before the end of the file' } }
    cells.push({ name: '', text, line, column })
    cursor.skip(' \t')
    if (cursor.here === ',') {
      cursor.take()
      continue
    }
    if (!cursor.ended && !'\r\n'.includes(cursor.here))
      return { cells, problem: cursor.problem(`expected a comma, found ${cursor.found()}`) }
    return { cells }
  }
}

/** The text between quotes, or undefined if the closing one is missing. */
function readQuoted(cursor: Cursor): string | undefined {
  let text = ''
  cursor.take()
  for (;;) {
    text += cursor.takeUntil('"')
    if (cursor.ended) return undefined
    cursor.take()
    if (cursor.here !== '"') return text
    text += cursor.take()
  }
}
