// What the demo says, in 80 columns.

import { reportText } from '../../traffic/live.js'
import { calledAs } from '../called.js'
import { grouped, labelled } from '../grid.js'
import type { DemoEnd, Demonstration, PhaseEnd, Second } from './demonstration.js'

const row = (label: string, text: string): string[] => labelled(label, text, 2, 12)

const counts = (verdicts: Readonly<Record<string, number>>): string =>
  Object.entries(verdicts)
    .map(([name, n]) => `${name} ${grouped(n)}`)
    .join(', ') || 'nothing'

export function demoHead(
  { attachment, options, program }: Demonstration,
  file: string,
  seconds: number,
): string {
  const pace = options.rate === undefined ? 'as fast as possible' : `${grouped(options.rate)} a second`
  return [
    ...row('program', `${program} (${file}) by XDP, ${attachment.mode} mode, in a lab of two namespaces`),
    ...row('traffic', `one TCP flow, 198.51.100.7:40000 to 192.0.2.9:443, 60-byte frames, ${pace}`),
    ...row(
      'for',
      `${seconds} s; Ctrl-C ends it${options.knocks.length ? `; it knocks on ${options.knocks.join(', ')} in the middle` : ''}`,
    ),
    '',
    '',
  ].join('\n')
}

export const demoLine = ({ time, phase, sent, verdicts }: Second): string =>
  `  ${time.toFixed(1).padStart(5)} s  ${phase.padEnd(6)}  sent ${grouped(sent)}/s: ${counts(verdicts)}\n`

export function demoEnd(end: DemoEnd): string {
  const { phases, sent, lost, received, verdicts, returned, unaccounted } = end
  const sum = Object.entries(verdicts).map(([name, n]) => `${grouped(n)} ${name}`)
  return [
    '',
    ...phases.flatMap(phase => row(phase.phase, reportText(phase.report))),
    ...row(
      'conserved',
      `${grouped(sent)} sent = ${grouped(received)} received${lost ? ` + ${grouped(lost)} lost on the cable` : ''}; ` +
        `received = ${sum.join(' + ') || '0'}; ${grouped(returned)} came back to the sender; ` +
        `unaccounted ${grouped(unaccounted)}`,
    ),
    ...row('counted', counts(end.counters)),
    ...row('showed', showed(end)),
    '',
    'next',
    `  ${calledAs()} lab demo programs/token-bucket.ts --rate 5000`,
    `  ${calledAs()} lab up                  a network to try it with real hosts`,
    '  docs/tutorial.md           from here to a firewall of your own',
    '',
  ].join('\n')
}

/** In words, and only what the counts say. */
function showed({ phases, knocks, program }: DemoEnd): string {
  const closed = phases.find(p => p.phase === 'closed')
  const open = phases.find(p => p.phase === 'open')
  const all = (phase: PhaseEnd | undefined, verdict: string): boolean =>
    phase !== undefined && phase.sent > 0 && phase.verdicts[verdict] === phase.sent - phase.report.dropped
  if (all(closed, 'drop') && all(open, 'transmit'))
    return (
      `shut, the firewall dropped all ${grouped(closed!.sent)} packets of the flow in the driver, before the kernel ` +
      `made anything of them; ${knocks.length} knocks later it let all ${grouped(open!.sent)} through: one program ` +
      `in TypeScript, its state in the kernel, no restart`
    )
  if (closed && open)
    return `before the knocks ${counts(closed.verdicts)}; after them ${counts(open.verdicts)}`
  const flow = phases[0]
  if (!flow) return 'nothing: it was ended before anything was sent'
  return `${program} decided about ${grouped(Math.round(flow.report.rate))} packets of one flow a second on one CPU, sending and receiving included: ${counts(flow.verdicts)}`
}
