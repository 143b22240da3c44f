/** Figure 5: the flow sizes of the synthetic traces beside the published points. */

import { laws } from '../../traffic/law.js'
import { FlowSizes } from '../../traffic/sizes.js'
import { resolveTrace } from '../../traffic/specification.js'
import type { Chart, Point } from '../chart.js'
import type { Figure } from '../figure.js'

const shown = [
  ['university-1', 60_000, 'university data centre'],
  ['backbone', 60_000, 'backbone, TCP with payload'],
  ['web-search', 20_000, 'hyperscaler'],
] as const

export function figure5(): Figure {
  const errors: number[] = []
  const charts = shown.map(([law, flows, title]): Chart => {
    const sizes = new FlowSizes(resolveTrace({ law, flows, resets: 0 }))
    const bytes: number[] = []
    // The law's first part is TCP with payload; flows without bytes belong to others.
    while (sizes.next()) if (sizes.kind === 0 && sizes.bytes > 0) bytes.push(sizes.bytes)
    bytes.sort((a, b) => a - b)
    const beyond = (size: number): number => {
      let [low, high] = [0, bytes.length]
      while (low < high) {
        const middle = (low + high) >> 1
        if (bytes[middle] <= size) low = middle + 1
        else high = middle
      }
      return (bytes.length - low) / bytes.length
    }
    const { points } = laws[law].parts[0]
    const published: Point[] = points
      .filter(([share, size]) => share < 1 && size > 0)
      .map(([share, size]) => ({ x: size, y: 1 - share }))
    for (const { x, y } of published) if (y >= 0.01) errors.push(Math.abs(beyond(x) - y))
    const [least, most] = [bytes[0], bytes[bytes.length - 1]]
    const steps = 120
    const synthetic = Array.from({ length: steps + 1 }, (_, i) => {
      const size = least * (most / least) ** (i / steps)
      return { x: size, y: beyond(size) }
    }).filter(p => p.y > 0)
    return {
      title,
      x: { label: 'bytes of a flow', scale: 'log' },
      y: { label: 'share of flows that are larger', scale: 'log', least: 1e-5, most: 1 },
      series: [
        { label: 'synthetic', colour: 'replicated', kind: 'measured', points: synthetic },
        { label: 'published', colour: 'sharded', kind: 'published', points: published },
      ],
    }
  })
  const worst = Math.max(...errors)
  return {
    id: 'figure-5',
    title: 'Figure 5: flow sizes of the traces',
    caption:
      'Complementary distribution of the synthetic traces, beside the points that were published (docs/traffic.md has the sources).',
    charts,
    claims: [
      {
        paper: 'Flow sizes are heavy-tailed: few flows carry most bytes (figure 5).',
        holds: worst < 0.02 ? 'yes' : 'in part',
        here: `the synthetic shares differ from the published ones by at most ${(100 * worst).toFixed(1)} percentage points.`,
      },
    ],
    notes: [
      shown.map(([law, flows]) => `${law}: ${flows.toLocaleString('en')} flows`).join(', ') + '; seed 1.',
    ],
    records: [],
  }
}
