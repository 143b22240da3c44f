// The outcome of a test, as text.

import { grid, grouped } from '../grid.js'
import type { Difference } from './difference.js'
import type { Disagreement } from './kernel.js'

export interface Report {
  readonly program: string
  readonly backend: 'wasm' | 'ebpf' | 'both'
  readonly equal: boolean
  readonly received: number
  /** Null without an expected capture. */
  readonly kept: number | null
  readonly expected: number | null
  readonly difference: Difference | null
  /** Of both: where WebAssembly and kernel part. */
  readonly disagreement?: Disagreement | null
  /** Packets that the kernel takes in no test run. */
  readonly skipped?: { readonly short: number; readonly long: number }
  /** Medians, if the test was repeated. */
  readonly nanosecondsPerPacket: { readonly wasm?: number; readonly ebpf?: number }
}

const places = { wasm: 'in WebAssembly', ebpf: 'in the kernel', both: 'in WebAssembly and in the kernel' }

export function reportText(report: Report, repeat: number): string {
  const { backend, difference, disagreement, kept, expected, skipped, nanosecondsPerPacket: times } = report
  const figures = [
    `received ${grouped(report.received)} packets`,
    ...(kept === null ? [] : [`kept ${grouped(kept)}`]),
    ...(expected === null ? [] : [`expected ${grouped(expected)}`]),
  ]
  const time = (name: 'wasm' | 'ebpf'): string[] => {
    const found = times[name]
    if (found === undefined) return []
    const what =
      name === 'ebpf' ? ' in the kernel, each packet 1,000 times in a row, net of an empty program' : ''
    return ['', `  ${found.toFixed(1)} ns/packet${what}, median of ${repeat} runs`]
  }
  return [
    `${report.program} ${places[backend]}: ${report.equal ? 'equal' : 'DIFFERENT'}; ${figures.join(', ')}`,
    ...skippedText(skipped),
    ...(disagreement ? ['', ...disagreementText(disagreement)] : []),
    ...(difference ? ['', ...differenceText(difference)] : []),
    ...time('wasm'),
    ...time('ebpf'),
    '',
  ].join('\n')
}

function skippedText(skipped: Report['skipped']): string[] {
  if (!skipped || skipped.short + skipped.long === 0) return []
  const parts = [
    ...(skipped.short > 0 ? [`${grouped(skipped.short)} shorter than an Ethernet header`] : []),
    ...(skipped.long > 0 ? [`${grouped(skipped.long)} longer than a page holds`] : []),
  ]
  return [`  left out, because the kernel does not take them in a test run: ${parts.join(', ')}`]
}

const disagreementText = ({ packet, what }: Disagreement): string[] => [
  packet === null
    ? '  every packet is equal, but not what is left behind:'
    : `  WebAssembly and kernel part at packet ${packet} of the input:`,
  ...what.map(line => `    ${line}`),
]

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
