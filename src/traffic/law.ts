/**
 * Flow-size laws: how large flows are.
 *
 * A law is a mixture of *parts*; each part is a protocol, a unit (payload bytes or packets) and a cumulative
 * distribution given by points. Between two points the logarithm of the size is linear in the share of flows:
 * linear interpolation over a last segment that spans three decades would put far too much weight in the tail.
 * A segment that starts at size 0 has no logarithm and is linear.
 *
 * Read `tables.ts` for the published points.
 */

import * as tables from './tables.js'
import type { Point } from './tables.js'

export interface LawPart {
  readonly protocol: 'tcp' | 'udp'
  readonly unit: 'bytes' | 'packets'
  /** Share of all flows, relative to the other parts. */
  readonly weight: number
  /** Cumulative distribution: shares ascend to 1, sizes never descend. */
  readonly points: readonly Point[]
  /** Between points the size (linear) or its logarithm (the default) is proportional to the share. */
  readonly linear?: boolean
}

export interface Law {
  readonly name: string
  /** Where the numbers come from, for reports. */
  readonly source: string
  readonly parts: readonly LawPart[]
}

/** The size below which a share `u` (0..1) of a part's flows lies; not rounded. */
export function quantile(part: LawPart, u: number): number {
  const points = part.points
  if (u <= points[0][0]) return points[0][1]
  let low = 0
  let high = points.length - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (points[middle][0] < u) low = middle
    else high = middle
  }
  const [p0, x0] = points[low]
  const [p1, x1] = points[high]
  const along = (u - p0) / (p1 - p0)
  if (part.linear || x0 <= 0) return x0 + (x1 - x0) * along
  return x0 * Math.exp(Math.log(x1 / x0) * along)
}

/** The mean of a part's interpolated distribution, in closed form. */
export function meanSize(part: LawPart): number {
  const points = part.points
  let mean = points[0][0] * points[0][1]
  for (let i = 1; i < points.length; i++) {
    const [p0, x0] = points[i - 1]
    const [p1, x1] = points[i]
    const straight = part.linear || x0 <= 0 || x1 === x0
    mean += (p1 - p0) * (straight ? (x0 + x1) / 2 : (x1 - x0) / Math.log(x1 / x0))
  }
  return mean
}

/** A part whose sizes are the integers `low`..`high`, each as often as the other. Sizes are rounded up when drawn. */
export function evenly(
  protocol: LawPart['protocol'],
  unit: LawPart['unit'],
  low: number,
  high: number,
  weight = 1,
): LawPart {
  const points: Point[] = [
    [0, low - 1],
    [1, high],
  ]
  return { protocol, unit, weight, points: low === high ? [[1, low]] : points, linear: true }
}

function bytes(points: readonly Point[], protocol: LawPart['protocol'] = 'tcp', weight = 1): LawPart {
  return { protocol, unit: 'bytes', weight, points }
}

const benson = 'Benson et al., IMC 2010, as read by "Locality Matters", APNet 2022'
const flows = tables.CAIDA_FLOWS

/** The laws that have a name. */
export const laws: Readonly<Record<string, Law>> = {
  uniform: {
    name: 'uniform',
    source: 'all flows alike: 100 packets',
    parts: [evenly('tcp', 'packets', 100, 100)],
  },
  single: {
    name: 'single',
    source: 'one flow of 1000 packets',
    parts: [evenly('tcp', 'packets', 1000, 1000)],
  },
  'university-1': { name: 'university-1', source: `EDU1 of ${benson}`, parts: [bytes(tables.EDU1)] },
  'university-2': { name: 'university-2', source: `EDU2 of ${benson}`, parts: [bytes(tables.EDU2)] },
  backbone: {
    name: 'backbone',
    source:
      'CAIDA equinix-nyc 2019-01-17 13:00 UTC, direction A; tail cut at 100 MB, empty flows as 1 to 3 packets',
    parts: [
      bytes(tables.CAIDA_TCP, 'tcp', flows.tcp),
      evenly('tcp', 'packets', 2, 3, flows.tcpEmpty),
      bytes(tables.CAIDA_UDP, 'udp', flows.udp),
      evenly('udp', 'packets', 1, 3, flows.udpEmpty),
    ],
  },
  'web-search': {
    name: 'web-search',
    source: 'DCTCP, Alizadeh et al., SIGCOMM 2010',
    parts: [bytes(tables.DCTCP)],
  },
  'data-mining': {
    name: 'data-mining',
    source: 'VL2, Greenberg et al., SIGCOMM 2009',
    parts: [bytes(tables.VL2)],
  },
  hadoop: { name: 'hadoop', source: 'Facebook Hadoop, by HPCC, SIGCOMM 2019', parts: [bytes(tables.HADOOP)] },
  campus: {
    name: 'campus',
    source: 'AGH Krakow 2015, flow-models; one-packet TCP flows become two (SYN and RST)',
    parts: [
      { protocol: 'tcp', unit: 'packets', weight: 0.525, points: tables.CAMPUS_TCP },
      { protocol: 'udp', unit: 'packets', weight: 0.458, points: tables.CAMPUS_UDP },
    ],
  },
}
