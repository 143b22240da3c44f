// The key points of synthetic traces against what was published. The numbers here are written down from the sources
// (docs/traffic.md names them), not from tables.ts, and the traces have as many flows as the source.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FlowSizes, kinds } from './sizes.js'
import { resolveTrace } from './specification.js'
import type { TraceSpecification } from './specification.js'

interface Flow {
  readonly kind: number
  readonly packets: number
  readonly bytes: number
}

function flowsOf(specification: TraceSpecification): Flow[] {
  const sizes = new FlowSizes(resolveTrace(specification))
  const flows: Flow[] = []
  while (sizes.next()) flows.push({ kind: sizes.kind, packets: sizes.total, bytes: sizes.bytes })
  return flows
}

const ascending = (flows: readonly Flow[], what: 'packets' | 'bytes'): Float64Array =>
  Float64Array.from(flows, flow => flow[what]).toSorted()
const at = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
const sum = (list: Float64Array): number => list.reduce((total, x) => total + x, 0)

function near(found: number, published: number, what: string): void {
  const off = Math.abs(found / published - 1)
  assert.ok(off <= 0.1, `${what}: ${found} where ${published} was published, ${(100 * off).toFixed(1)} % off`)
}

interface Published {
  readonly law: string
  readonly flows: number
  /** Bytes. */
  readonly p50: number
  readonly p99: number
  readonly largest: number
  /** Largest flow over (flows × mean), from the published mean. */
  readonly topShare: number
  /** Share of the bytes in the largest hundredth of the flows, by the published points (in closed form). */
  readonly topHundredth: number
  /** Share of flows whose bytes fit the one data packet that a connection of fewer than ten packets has. */
  readonly underTen: number
}

// prettier-ignore
const byBytes: readonly Published[] = [
  { law: 'university-1', flows: 159_796, p50: 447, p99: 114_040, largest: 86_684_378,
    topShare: 86_684_378 / (159_796 * 133_741), topHundredth: 0.976, underTen: 0.65 },
  { law: 'university-2', flows: 521_702, p50: 108, p99: 852_223, largest: 340_457_054,
    topShare: 340_457_054 / (521_702 * 577_658), topHundredth: 0.981, underTen: 0.81 },
  { law: 'web-search', flows: 20_000, p50: 71_480, p99: 20_800_000, largest: 30e6,
    topShare: 30e6 / (20_000 * 1_597_201), topHundredth: 0.157, underTen: 0.022 },
  { law: 'data-mining', flows: 100_000, p50: 1100, p99: 316_000_000, largest: 1e9,
    topShare: 1e9 / (100_000 * 8_736_822), topHundredth: 0.68, underTen: 0.55 },
]

for (const p of byBytes)
  test(`${p.law} has the published key points`, () => {
    const flows = flowsOf({ law: p.law, flows: p.flows, resets: 0 })
    const bytes = ascending(flows, 'bytes')
    near(at(bytes, 0.5), p.p50, 'median')
    near(at(bytes, 0.99), p.p99, '99 %')
    near(at(bytes, 1), p.largest, 'largest')
    near(at(bytes, 1) / sum(bytes), p.topShare, 'share of the largest flow')
    const hundredth = bytes.slice(-Math.round(p.flows / 100))
    near(sum(hundredth) / sum(bytes), p.topHundredth, 'largest hundredth')
    near(flows.filter(flow => flow.packets < 10).length / p.flows, p.underTen, 'flows under ten packets')
  })

test('backbone has the published key points, of flows with payload and of all', () => {
  const flows = flowsOf({ law: 'backbone', flows: 286_383, resets: 0 })
  const tcp = ascending(
    flows.filter(flow => flow.kind === kinds.tcp && flow.bytes > 0),
    'bytes',
  )
  near(tcp.length / flows.length, 472_237 / 2_863_829, 'TCP flows with payload')
  near(at(tcp, 0.5), 1237, 'TCP median')
  near(at(tcp, 0.99), 583_108, 'TCP 99 %')
  near(at(tcp, 0.999), 9_927_721, 'TCP 99.9 %')
  near(sum(tcp.slice(-Math.round(tcp.length / 100))) / sum(tcp), 0.858, 'largest hundredth')
  near(at(tcp, 1) / sum(tcp), 100e6 / (tcp.length * 71_948), 'share of the largest flow')
  // Empty flows have at most three packets; of the others, those whose payload fits one packet (TCP) or nine (UDP).
  const small = 1_419_415 + 930_941 + 0.519 * 472_237 + 0.9955 * 41_237
  near(flows.filter(flow => flow.packets < 10).length / flows.length, small / 2_863_829, 'under ten packets')
})

test('campus has the published key points, in packets', () => {
  const flows = flowsOf({ law: 'campus', flows: 651_748, resets: 0 })
  const tcp = ascending(flows.filter(flow => flow.kind === kinds.tcp), 'packets') // prettier-ignore
  const udp = ascending(flows.filter(flow => flow.kind === kinds.udp), 'packets') // prettier-ignore
  // Published: 43.72 % up to 2 packets, 55.59 % up to 4; 98.86 % up to 1,024 and 99.55 % up to 4,096.
  near(at(tcp, 0.5), 3, 'TCP median')
  near(at(tcp, 0.9886), 1024, 'TCP 98.86 %')
  near(at(tcp, 0.9955), 4096, 'TCP 99.55 %')
  near(at(udp, 0.5), 1, 'UDP median')
  near(at(udp, 0.999), 1024, 'UDP 99.9 %')
  // 83.35 % up to 8 packets and 90.05 % up to 16: nine are 84.5 %.
  const all = ascending(flows, 'packets')
  near(flows.filter(flow => flow.packets < 10).length / flows.length, 0.845, 'under ten packets')
  near(sum(all) / all.length, 680_883_573 / 6_517_484, 'mean')
  // The source names no largest flow. It says which share of the packets longer flows carry.
  near(at(all, 0.99998), 262_144, '99.998 %')
  const beyond = (packets: number): number => sum(all.filter(n => n > packets)) / sum(all)
  near(beyond(1024), 1 - 0.1152, 'packets of flows beyond 1,024')
  near(beyond(16_384), 1 - 0.305, 'packets of flows beyond 16,384')
  near(beyond(65_536), 1 - 0.5746, 'packets of flows beyond 65,536')
})
