/** Scales of an axis: from values to a position, and where to put ticks. */

import type { Axis } from './chart.js'

export interface Scale {
  /** 0 at the axis' beginning, 1 at its end. */
  readonly place: (value: number) => number
  readonly ticks: readonly number[]
}

/** A scale that holds all values. */
export function scaleOf(axis: Axis, values: readonly number[]): Scale {
  if (axis.names) {
    const { length } = axis.names
    return { place: index => (index + 0.5) / length, ticks: Array.from({ length }, (_, k) => k) }
  }
  const finite = values.filter(Number.isFinite)
  return axis.scale === 'log' ? logarithmic(axis, finite) : linear(axis, finite)
}

function linear({ least = 0, most, ticks }: Axis, values: readonly number[]): Scale {
  const highest = most ?? Math.max(...values, least + 1e-9) * 1.04
  const step = stepFor(highest - least)
  const chosen =
    ticks ??
    Array.from({ length: Math.floor((highest - least) / step + 1e-9) + 1 }, (_, i) => least + i * step)
  return { place: value => (value - least) / (highest - least), ticks: chosen }
}

/** 1, 2 or 5 times a power of ten, for about five ticks. */
function stepFor(range: number): number {
  const rough = range / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  return ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10) * power
}

function logarithmic({ least, most, ticks }: Axis, values: readonly number[]): Scale {
  const positive = values.filter(v => v > 0)
  const low = Math.log10(least ?? Math.min(...positive, 1))
  const high = Math.log10(most ?? Math.max(...positive, 10 ** low * 10))
  const span = high - low || 1
  const decades = Array.from(
    { length: Math.floor(high + 1e-9) - Math.ceil(low - 1e-9) + 1 },
    (_, i) => 10 ** (Math.ceil(low - 1e-9) + i),
  )
  const every = Math.max(1, Math.ceil(decades.length / 7))
  return {
    place: value => (Math.log10(Math.max(value, 10 ** low)) - low) / span,
    ticks: ticks ?? decades.filter((_, i) => i % every === 0),
  }
}

/** A tick's text: 1,000, 10k, 5M, 0.25. */
export function tickText(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e9) return `${trim(value / 1e9)}G`
  if (size >= 1e6) return `${trim(value / 1e6)}M`
  if (size >= 1e4) return `${trim(value / 1e3)}k`
  if (size > 0 && size < 1e-3) return value.toExponential(0).replace('e-', 'e−')
  return trim(value)
}

const trim = (value: number): string => String(Number(value.toPrecision(6)))
