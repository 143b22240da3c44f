/**
 * Draws a chart as SVG: no scripts, no fonts to fetch, readable in grey.
 *
 * Series are labelled at an end of their lines; labels that would overlap are moved apart and tied to their line by a
 * thin one. Error bars run from the lowest to the highest sample.
 */

import { styleAt, styles } from './chart.js'
import type { Chart, Mark, Point, Series } from './chart.js'
import { scaleOf, tickText } from './scale.js'

const sides = { top: 34, bottom: 46, left: 64 }
/** At the right: for names of lines, and without any. */
const [named, unnamed] = [152, 20]
const labelHeight = 15

export interface Size {
  readonly width: number
  readonly height: number
}

/** The chart as one SVG element. */
export function drawChart(chart: Chart, { width, height }: Size = { width: 490, height: 320 }): string {
  const points = chart.series.flatMap(s => s.points)
  const xs = scaleOf(
    chart.x,
    points.map(p => p.x),
  )
  const ys = scaleOf(
    chart.y,
    points.flatMap(p => [p.y, p.high ?? p.y, p.low ?? p.y]),
  )
  const atFirst = chart.named === 'first'
  const toName = !atFirst && chart.series.some(s => s.label !== '')
  const margin = { ...sides, right: toName ? named : unnamed }
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom }
  const x = (value: number): number => margin.left + xs.place(value) * inner.width
  const y = (value: number): number => margin.top + (1 - ys.place(value)) * inner.height
  const bottom = margin.top + inner.height
  const right = margin.left + inner.width
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      `font-family="Helvetica, Arial, 'Liberation Sans', sans-serif" font-size="12" role="img">`,
    `<title>${escape(chart.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="8" y="20" font-size="13" font-weight="bold">${escape(chart.title)}</text>`,
    ...ys.ticks.map(
      tick =>
        `<path d="M${margin.left} ${fix(y(tick))}H${right}" stroke="#e3e3e3"/>` +
        `<text x="${margin.left - 7}" y="${fix(y(tick) + 4)}" text-anchor="end" fill="#333">${tickText(tick)}</text>`,
    ),
    ...xs.ticks.map(
      tick =>
        `<path d="M${fix(x(tick))} ${bottom}v5" stroke="#333"/>` +
        tickLabel(chart.x.names?.[tick] ?? tickText(tick), fix(x(tick)), bottom + 18),
    ),
    `<path d="M${margin.left} ${margin.top}V${bottom}H${right}" fill="none" stroke="#333"/>`,
    `<text x="${margin.left + inner.width / 2}" y="${height - 8}" text-anchor="middle">${escape(chart.x.label)}</text>`,
    `<text transform="translate(13 ${margin.top + inner.height / 2}) rotate(-90)" text-anchor="middle">${escape(chart.y.label)}</text>`,
  ]
  const drawn = chart.series.map((series, index) => ({ series, style: styleOf(series, index) }))
  for (const { series, style } of drawn) parts.push(drawSeries(series, style, x, y))
  parts.push(...drawLabels(drawn, x, y, atFirst ? undefined : right, bottom))
  parts.push('</svg>')
  return parts.join('\n')
}

/** A tick's text; of a name with something in parentheses, these below. */
function tickLabel(text: string, x: string, y: number): string {
  const [first, second] = text.split(/ (?=\()/)
  const below = second === undefined ? '' : `<tspan x="${x}" dy="14">${escape(second)}</tspan>`
  return `<text x="${x}" y="${y}" text-anchor="middle" fill="#333">${escape(first)}${below}</text>`
}

type Style = ReturnType<typeof styleAt>
type Place = (value: number) => number

const styleOf = ({ colour, label }: Series, index: number): Style => styles[colour ?? label] ?? styleAt(index)

const dashes = { measured: '', projected: '6 4', model: '1.5 3', published: '' } as const

function drawSeries({ kind, points }: Series, { colour, mark }: Style, x: Place, y: Place): string {
  const shown = points.filter(p => Number.isFinite(p.y))
  const line = shown.map((p, i) => `${i === 0 ? 'M' : 'L'}${fix(x(p.x))} ${fix(y(p.y))}`).join('')
  const dash = dashes[kind] && ` stroke-dasharray="${dashes[kind]}"`
  const path =
    kind === 'published' || shown.length < 2
      ? ''
      : `<path d="${line}" fill="none" stroke="${colour}" stroke-width="1.8"${dash}/>`
  const few = shown.length <= 40
  const marks =
    kind === 'model' || !few
      ? ''
      : shown.map(p => drawMark(mark, x(p.x), y(p.y), colour, kind !== 'projected')).join('')
  return path + shown.map(p => drawBar(p, colour, x, y)).join('') + marks
}

function drawBar({ x: at, low, high }: Point, colour: string, x: Place, y: Place): string {
  if (low === undefined || high === undefined || low === high) return ''
  const [place, from, to] = [x(at), y(low), y(high)].map(fix)
  return (
    `<path d="M${place} ${from}V${to}M${fix(x(at) - 3.5)} ${from}h7M${fix(x(at) - 3.5)} ${to}h7" ` +
    `stroke="${colour}" stroke-width="1" fill="none"/>`
  )
}

function drawMark(mark: Mark, cx: number, cy: number, colour: string, filled: boolean): string {
  const r = 3.6
  const at = (dx: number, dy: number): string => `${fix(cx + dx)} ${fix(cy + dy)}`
  const look = `stroke="${colour}" stroke-width="1.4" fill="${filled ? colour : '#ffffff'}"`
  const shapes: Record<Mark, string> = {
    circle: `M${at(-r, 0)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
    square: `M${at(-r, -r)}h${2 * r}v${2 * r}h${-2 * r}z`,
    triangle: `M${at(0, -r - 0.6)}L${at(r + 0.4, r - 0.6)}H${fix(cx - r - 0.4)}z`,
    diamond: `M${at(0, -r - 0.8)}L${at(r + 0.8, 0)}L${at(0, r + 0.8)}L${at(-r - 0.8, 0)}z`,
    cross: `M${at(-r, -r)}l${2 * r} ${2 * r}M${at(-r, r)}l${2 * r} ${-2 * r}`,
    plus: `M${at(-r, 0)}h${2 * r}M${at(0, -r)}v${2 * r}`,
  }
  return `<path d="${shapes[mark]}" ${look}/>`
}

/** Names at the last points, right of the chart, or left of the first points; moved apart from top to bottom. */
function drawLabels(
  drawn: readonly { readonly series: Series; readonly style: Style }[],
  x: Place,
  y: Place,
  right: number | undefined,
  bottom: number,
): string[] {
  const ends = drawn
    .flatMap(({ series, style }) => {
      const shown = series.points.filter(p => Number.isFinite(p.y))
      const end = right === undefined ? shown[0] : shown.at(-1)
      if (end === undefined || series.label === '') return []
      return [{ text: series.label, colour: style.colour, from: x(end.x), at: y(end.y), place: y(end.y) }]
    })
    .toSorted((a, b) => a.place - b.place)
  for (let i = 1; i < ends.length; i++)
    ends[i].place = Math.max(ends[i].place, ends[i - 1].place + labelHeight)
  for (let i = ends.length - 1; i >= 0; i--) {
    const limit = i === ends.length - 1 ? bottom : ends[i + 1].place - labelHeight
    ends[i].place = Math.min(ends[i].place, limit)
  }
  return ends.map(({ text, colour, from, at, place }) => {
    const [start, end, side] =
      right === undefined ? [from - 5, from - 17, 'end'] : [from + 5, right + 6, 'start']
    return (
      `<path d="M${fix(start)} ${fix(at)}L${fix(end)} ${fix(place)}" stroke="${colour}" stroke-width="0.6" fill="none"/>` +
      `<text text-anchor="${side}" x="${fix(end + (side === 'end' ? -3 : 3))}" y="${fix(place + 4)}" fill="${colour}">${escape(text)}</text>`
    )
  })
}

const fix = (n: number): string => n.toFixed(1)

/** Text inside XML. */
export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
