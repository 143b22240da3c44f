// The outcome of a test, as text.

import { grid, grouped } from '../grid.js'
import type { Difference } from './difference.js'

export interface Report {
  readonly program: string
  readonly equal: boolean
  readonly received: number
  readonly kept: number
  readonly expected: number
  readonly difference: Difference | null
  readonly nanosecondsPerPacket: number | null
}

export function reportText(report: Report, repeat: number): string {
  const { difference, nanosecondsPerPacket: time } = report
  return [
    `${report.program}: ${report.equal ? 'equal' : 'DIFFERENT'}; received ${grouped(report.received)} packets, ` +
      `kept ${grouped(report.kept)}, expected ${grouped(report.expected)}`,
    ...(difference ? ['', ...differenceText(difference)] : []),
    ...(time === null ? [] : ['', `  ${time.toFixed(1)} ns/packet, median of ${repeat} runs`]),
    '',
  ].join('\n')
}

function differenceText(d: Difference): string[] {
  const from = d.input === null ? '' : ` (packet ${d.input} of the input)`
  const bytes = (n: number | null): string => (n === null ? 'no packet' : `${n} bytes`)
  const headers = (lines: readonly string[]): string[] => lines.map(line => `      ${line}`)
  return [
    `  first difference: packet ${d.packet} of the output${from} is ${d.kind}`,
    `    expected: ${bytes(d.expectedBytes)}`,
    ...headers(d.expected),
    `    found: ${bytes(d.foundBytes)}`,
    ...headers(d.found),
    ...(d.fields.length
      ? [
          grid(
            [{ title: 'field' }, { title: 'expected' }, { title: 'found' }],
            d.fields.map(f => [f.field, f.before, f.after]),
            4,
          ),
        ]
      : []),
  ]
}
