// What traffic make and traffic info print.

import type { TraceDescription } from '../../traffic/describe.js'
import { bytesText, grid, grouped, labelled, percent } from '../grid.js'
import type { Shares, Summary } from './census.js'

const row = (label: string, text: string): string[] => labelled(label, text, 2, 16, 92)
const share = (x: number): string => percent(x, 1)

/** Bits per second with a unit that keeps three digits. */
export function rateText(bits: number): string {
  for (const [unit, size] of [
    ['Gbit/s', 1e9],
    ['Mbit/s', 1e6],
    ['kbit/s', 1e3],
  ] as const)
    if (bits >= size) return `${(bits / size).toFixed(bits >= 100 * size ? 0 : 2)} ${unit}`
  return `${bits.toFixed(0)} bit/s`
}

function ordinal(n: number): string {
  const last = n % 100 > 10 && n % 100 < 14 ? 0 : n % 10
  return `${grouped(n)}${['th', 'st', 'nd', 'rd'][last] ?? 'th'}`
}

const perSecond = (n: number): string => (n < 100 ? n.toFixed(1) : grouped(Math.round(n)))

const skew = ({ top, topTen, topHundredth }: Shares): string =>
  `largest flow ${share(top)}, largest ten ${share(topTen)}, largest hundredth ${share(topHundredth)}`

/** Columns of a bar that stand for a factor of ten. */
const decade = 10

/** A few bars, logarithmic: the share of flows with more packets than a number. */
export function ccdfText(points: readonly (readonly [number, number])[]): string {
  const rows = points
    .filter(([, s]) => s > 0)
    .map(([packets, s]) => [
      grouped(packets),
      share(s),
      '#'.repeat(Math.max(1, Math.round(4 * decade + decade * Math.log10(s)))),
    ])
  if (rows.length === 0) return '  every flow has one packet'
  return grid(
    [{ title: 'more packets than', right: true }, { title: 'flows', right: true }, { title: '' }],
    rows,
  )
}

/** Points at 1, 2, 5, 10 and so on of a finer curve. */
export function coarse(points: readonly (readonly [number, number])[]): [number, number][] {
  const most = points.at(-1)?.[0] ?? 0
  const found: [number, number][] = []
  for (let decade = 1; decade <= most; decade *= 10)
    for (const step of [1, 2, 5]) {
      const last = points.findLast(([packets]) => packets <= decade * step)
      if (decade * step <= most) found.push([decade * step, last?.[1] ?? 1])
    }
  return found
}

export function madeText(d: TraceDescription, path: string, bytes: number | undefined): string {
  const { flows, packets, packetsPerFlow: p } = d
  const size = bytes === undefined ? '' : `, ${bytesText(bytes)}`
  const kinds = [
    `${grouped(flows.tcp)} TCP`,
    flows.udp && `${grouped(flows.udp)} UDP`,
    flows.knockers && `${grouped(flows.knockers)} port knockers`,
  ].filter(s => s !== 0)
  return [
    `${path}: ${grouped(packets.all)} packets of ${grouped(flows.all)} flows${size}`,
    '',
    ...row('law', `${d.law} (${d.source})`),
    ...row('seed', `${d.seed}; the same command gives the same bytes`),
    ...row('time', `${(d.duration / 1e9).toFixed(3)} s from first to last packet`),
    ...row('flows', kinds.join(', ')),
    ...(packets.flood ? row('flood', `${grouped(packets.flood)} packets besides`) : []),
    ...(d.scale === 1 ? [] : row('scale', `sizes × ${d.scale.toPrecision(3)} to meet the number of packets`)),
    ...row('skew', `by packets: ${skew(d.packetShares)}`),
    ...row('', `by bytes: ${skew(d.byteShares)}`),
    ...row(
      'packets/flow',
      `median ${grouped(p.p50)}, 90 % ${grouped(p.p90)}, 99 % ${grouped(p.p99)}, most ${grouped(p.max)}`,
    ),
    '',
    ccdfText(coarse(d.ccdf)),
    '',
  ].join('\n')
}

export interface Seen {
  readonly path: string
  readonly format: string
  readonly summary: Summary
  readonly clamped: number
  readonly notes: readonly string[]
}

export function infoText({ path, format, summary: s, clamped, notes }: Seen): string {
  const { flows, frames, busiest } = s
  const parts = [
    `${path}: ${grouped(s.packets)} packets, ${bytesText(s.wireBytes)} on the wire, ${format}`,
    '',
    ...row('time', `${s.seconds.toFixed(6)} s from first to last packet`),
  ]
  if (s.packetsPerSecond !== null && s.bitsPerSecond !== null)
    parts.push(
      ...row('rate', `mean ${perSecond(s.packetsPerSecond)} packets/s, ${rateText(s.bitsPerSecond)}`),
    )
  if (s.seconds >= 2)
    parts.push(
      ...row(
        '',
        `busiest second, the ${ordinal(busiest.second + 1)}: ${grouped(busiest.packets)} packets, ${rateText(busiest.bits)}`,
      ),
    )
  parts.push(
    ...row(
      'frames',
      `${frames.min} to ${grouped(frames.max)} bytes, median ${grouped(frames.p50)}, 90 % ${grouped(frames.p90)}`,
    ),
  )
  if (s.cut) parts.push(...row('cut', `${grouped(s.cut)} packets lack their end (snap length)`))
  if (clamped) parts.push(...row('order', `${grouped(clamped)} packets are older than the one before`))
  for (const note of notes) parts.push(...row('note', note))
  parts.push(
    '',
    grid(
      [
        { title: 'protocol' },
        { title: 'packets', right: true },
        { title: 'share', right: true },
        { title: 'bytes', right: true },
      ],
      s.protocols
        .slice(0, 12)
        .map(p => [p.name, grouped(p.packets), percent(p.packets, s.packets), bytesText(p.bytes)]),
    ),
  )
  if (s.protocols.length > 12) parts.push(`  and ${s.protocols.length - 12} more`)
  parts.push('')
  if (flows.count === 0) return [...parts, '  no IP flows', ''].join('\n')
  const p = flows.packetsPerFlow
  parts.push(
    ...row(
      'flows',
      `${grouped(flows.count)} (both directions are one), ${share(flows.underTenPackets)} have fewer than 10 packets`,
    ),
    ...row('skew', `by packets: ${skew(flows.packetShares)}`),
    ...row('', `by bytes: ${skew(flows.byteShares)}`),
    ...row(
      'packets/flow',
      `median ${grouped(p.p50)}, 90 % ${grouped(p.p90)}, 99 % ${grouped(p.p99)}, most ${grouped(p.max)}`,
    ),
    ...row('sharding', shardingText(flows.packetShares.top)),
    '',
    ccdfText(flows.ccdf),
    '',
  )
  return parts.join('\n')
}

/** What the largest flow means for spreading flows over cores. */
function shardingText(top: number): string {
  const most = `${(1 / top).toFixed(1)} times one core`
  return top >= 0.1
    ? `by flow it gains at most ${most}: the largest flow stays on one; replication splits it`
    : `by flow it gains at most ${most}`
}
