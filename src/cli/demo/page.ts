// What the demo says, in 80 columns.

import { grouped, labelled, paragraph, percent } from '../grid.js'

/** What was done and found. */
export interface Demonstration {
  readonly program: string
  readonly file: string
  readonly path: string
  /** Lines of the program. */
  readonly lines: number
  readonly packets: number
  /** Packets of the capture that were merged in. */
  readonly merged: number
  readonly itemBytes: number
  readonly workers: number
  /** Real threads, not virtual workers. */
  readonly threads: boolean
  readonly identical: boolean
  /** What is not identical. */
  readonly problem?: string | undefined
  readonly verdicts: { readonly drop: number; readonly transmit: number }
  /** Sources that the firewall lets through at the end. */
  readonly open: readonly string[]
  /** Packets of each timed run and the rates in million packets per second; undefined without a CPU per worker. */
  readonly timing:
    | {
        readonly laps: number
        readonly packets: number
        readonly mpps: { readonly single: number; readonly replicated: number }
      }
    | undefined
}

export function demoPage(d: Demonstration, hairpin: string): string {
  const verdict = d.identical
    ? 'verdicts and state identical to the serial run'
    : `verdicts or state DIFFER from the serial run: ${d.problem ?? 'nothing was compared'}`
  const how = d.threads ? 'threads' : 'virtual workers (this machine has one CPU)'
  return [
    verdict,
    '',
    ...row('program', `${d.program}, ${d.lines} lines of TypeScript: ${d.file}`),
    ...row(
      'capture',
      `${d.path}: ${grouped(d.packets)} packets, ${grouped(d.packets - d.merged)} of a real capture ` +
        `and ${d.merged} merged into it, in which three sources knock, one of them wrongly`,
    ),
    ...row(
      'workers',
      `${d.workers} ${how} by State-Compute Replication: each has a replica of the state, handles ` +
        `every second packet, and catches up on the others from ${d.itemBytes} bytes a packet`,
    ),
    ...row(
      'compared',
      'every verdict, every packet and both replicas, byte for byte, with the reference interpreter, ' +
        'which takes one packet after the other',
    ),
    ...row(
      'result',
      `${grouped(d.verdicts.drop)} dropped, ${grouped(d.verdicts.transmit)} transmitted ` +
        `(${percent(d.verdicts.transmit, d.packets)}); open to ${d.open.join(' and ') || 'nobody'}`,
    ),
    ...timingText(d),
    '',
    'next',
    `  ${hairpin} run ${d.file} --in YOUR.pcap -s scr -c 2`,
    `  ${hairpin} check ${d.file}`,
    `  ${hairpin} verify ${d.file} --in YOUR.pcap --cores 1..16`,
    `  sudo ${hairpin} lab demo    the same program in the kernel, with live traffic`,
    `  ${hairpin} --help`,
    '',
  ].join('\n')
}

/** Design decision: say where replication does not pay, wherever a number might suggest that it should. */
const whyNot = paragraph(
  'A file in memory is not where replication pays: handing out a packet costs almost nothing here, while every ' +
    'replica still does the state work of every packet. It pays where receiving a packet costs more than its ' +
    'state, as with a network card, and where one flow is too much for one core.',
  2,
  80,
  0,
)

function timingText({ timing, workers }: Demonstration): string[] {
  if (!timing) return row('speed', `not measured: ${workers} workers would share one CPU`)
  const { mpps, packets } = timing
  return [
    ...row(
      'speed',
      `single ${mpps.single.toFixed(1)} Mpps, replicated on ${workers} ${mpps.replicated.toFixed(1)} Mpps ` +
        `(the capture over and over from memory, ${grouped(packets)} packets)`,
    ),
    '',
    ...whyNot,
  ]
}

const row = (label: string, text: string): string[] => labelled(label, text, 2, 12)
