// What generate and replay print: requested, offered, on the wire.

import type { Rate, Transmission } from '../traffic/transmission.js'
import { grid, grouped } from './grid.js'
import type { Load } from './sending.js'

function bits(perSecond: number): string {
  for (const [unit, size] of [
    ['Gbit/s', 1e9],
    ['Mbit/s', 1e6],
    ['kbit/s', 1e3],
  ] as const)
    // prettier-ignore
    if (perSecond >= size) return `${(perSecond / size).toFixed(3)} ${unit}`
  return `${perSecond.toFixed(0)} bit/s`
}

const percentOff = (off: number | null | undefined): string =>
  off === null || off === undefined ? '' : `${off >= 0 ? '+' : '−'}${(100 * Math.abs(off)).toFixed(3)} %`

const time = (ns: number): string =>
  ns < 1e3 ? `${ns} ns` : ns < 1e6 ? `${(ns / 1e3).toFixed(0)} µs` : `${(ns / 1e6).toFixed(1)} ms`

export function sentText(to: string, by: string, load: Load, t: Transmission): string {
  const row = (label: string, rate: Rate, off?: number | null): string[] => [
    label,
    grouped(Math.round(rate.packets)),
    bits(rate.layer2),
    bits(rate.layer1),
    percentOff(off),
  ]
  const rows = [
    ...(t.requested ? [row('requested', t.requested)] : []),
    row('offered', t.offered, t.deviation?.offered),
    ...(t.onWire ? [row('on the wire', t.onWire, t.deviation?.onWire)] : []),
  ]
  const counts =
    t.completed === null
      ? []
      : [
          `  the device sent ${grouped(t.completed)} and dropped ${grouped(t.dropped)}` +
            (t.unaccounted === 0
              ? '; every packet is accounted for'
              : t.unaccounted! > 0
                ? `; unaccounted: ${grouped(t.unaccounted!)}`
                : `; it sent ${grouped(-t.unaccounted!)} packets of others too`),
        ]
  return [
    `${to}: ${grouped(t.sent)} packets in ${t.seconds.toFixed(3)} s by ${by}: ${load.title}`,
    '',
    grid(
      [
        { title: '' },
        { title: 'packets/s', right: true },
        { title: 'layer 2', right: true },
        { title: 'layer 1', right: true },
        { title: t.deviation ? 'off' : '', right: true },
      ],
      rows,
    ),
    '',
    ...counts,
    ...(t.deviation ? [`  the latest packet left ${time(t.latest)} after its time`] : []),
    ...(load.notes ?? []).map(note => `  ${note}`),
    ...verdict(t),
    '',
  ].join('\n')
}

/** What was not kept, and why that may be. */
function verdict({ withinTolerance, deviation, offered, onWire }: Transmission): string[] {
  if (withinTolerance || !deviation) return []
  return onWire && onWire.packets < 0.999 * offered.packets
    ? ['  not every packet left the device: what it dropped or refused is missing on the wire']
    : ['  the rate that was requested was not kept: this machine was too slow or busy']
}
