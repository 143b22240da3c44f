/** A figure of a report: charts or a table, the numbers behind them, and what the paper claims about it. */

import type { BenchmarkRecord } from '../measure/record.js'
import type { Chart } from './chart.js'

export interface Claim {
  /** What the paper says, with its place. */
  readonly paper: string
  readonly holds: 'yes' | 'no' | 'in part' | 'not measured'
  /** What was found here, and why it differs where it does. */
  readonly here: string
}

export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export interface Figure {
  /** `figure-6`, `table-4`: the name of its files. */
  readonly id: string
  /** `Figure 6`, and what it shows. */
  readonly title: string
  readonly caption: string
  readonly charts: readonly Chart[]
  readonly table?: Table
  readonly claims: readonly Claim[]
  /** Settings worth knowing: trace, packets, repetitions. */
  readonly notes: readonly string[]
  /** Every point that has samples. */
  readonly records: readonly BenchmarkRecord[]
}

export interface Stability {
  readonly rows: number
  readonly unstable: number
  /** Repetitions that others disturbed and that were kept. */
  readonly disturbed: number
}

/** How sure the points of a figure are. */
export const stabilityOf = ({ records }: Pick<Figure, 'records'>): Stability => ({
  rows: records.length,
  unstable: records.filter(r => r.unstable).length,
  disturbed: records.reduce((sum, r) => sum + (r.disturbed?.kept ?? 0), 0),
})

/** The numbers of a figure, a row for each point or table row. */
export function csvOf({ charts, table }: Figure): string {
  const rows: (readonly (string | number)[])[] = []
  if (charts.length > 0)
    rows.push(['chart', 'series', 'kind', 'x', 'y', 'low', 'high', 'interval low', 'interval high'])
  for (const chart of charts)
    for (const { label, colour, kind, points } of chart.series)
      for (const { x, y, low, high, interval } of points)
        rows.push([
          chart.title,
          label || (colour ?? ''),
          kind,
          chart.x.names?.[x] ?? x,
          y,
          low ?? '',
          high ?? '',
          interval?.low ?? '',
          interval?.high ?? '',
        ])
  if (table) rows.push(table.columns, ...table.rows)
  return rows.map(row => `${row.map(cell).join(',')}\n`).join('')
}

const cell = (value: string | number): string =>
  typeof value === 'number'
    ? String(Number(value.toPrecision(8)))
    : /[",\n]/.test(value)
      ? `"${value.replaceAll('"', '""')}"`
      : value

/** A share in words: 0.53 is `53 %`. */
export const percent = (share: number): string => `${(100 * share).toFixed(0)} %`
