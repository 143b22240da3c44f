// What doctor says, for people: a line for each row, with reason and remedy below what is not well.

import { labelled } from '../grid.js'
import { styles } from '../screen.js'
import type { Styles } from '../screen.js'
import type { Level, Row } from './row.js'

export interface Section {
  /** `machine`, or the interface. */
  readonly subject: string
  readonly rows: readonly Row[]
}

const words: Readonly<Record<Level, string>> = { ok: 'ok', warn: 'warn', fail: 'FAIL', unseen: '?' }

function paint(level: Level, text: string, style: Styles): string {
  if (level === 'ok') return style.green(text)
  return level === 'fail' ? style.red(text) : style.yellow(text)
}

export function pageOf(sections: readonly Section[], columns: number, colour: boolean): string {
  const style = styles(colour)
  const width = Math.max(60, Math.min(columns, 110))
  const idWidth = Math.max(...sections.flatMap(s => s.rows.map(r => r.id.length)), 0)
  const column = 8 + idWidth + 2
  const lines = (row: Row): string[] => {
    const [first, ...rest] = labelled('', row.evidence, 0, column, width)
    const head = `  ${paint(row.level, words[row.level].padEnd(4), style)}  ${row.id.padEnd(idWidth)}  `
    return [
      head + first.slice(column),
      ...rest,
      ...(row.why === undefined ? [] : labelled('', row.why, 0, column, width)),
      ...(row.remedy === undefined ? [] : labelled('', `→ ${row.remedy}`, 0, column, width)),
    ]
  }
  return sections
    .map(({ subject, rows }) => [style.bold(subject), ...rows.flatMap(lines)].join('\n'))
    .join('\n\n')
}

/** The last line: how many rows there are of each kind. */
export function summaryOf(rows: readonly Row[]): string {
  const count = (level: Level): number => rows.filter(r => r.level === level).length
  const parts = [
    [count('fail'), 'in the way'],
    [count('warn'), 'to look at'],
    [count('unseen'), 'could not be seen'],
  ] as const
  const told = parts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`)
  return told.length ? `${told.join(', ')}, ${count('ok')} well` : `all ${rows.length} well`
}
