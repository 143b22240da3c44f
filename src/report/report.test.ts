import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEnvironment } from '../measure/environment.js'
import { makeRecord } from '../measure/record.js'
import type { Chart, Series } from './chart.js'
import { csvOf } from './figure.js'
import type { Figure } from './figure.js'
import { reportHtml } from './html.js'
import { scaleOf, tickText } from './scale.js'
import { growthOf } from './series.js'
import { drawChart } from './svg.js'

const line = (kind: Series['kind'], label: string, y: number): Series => ({
  label,
  kind,
  colour: 'replicated',
  points: [1, 2, 4].map(x => ({ x, y: y * x, low: y * x - 1, high: y * x + 1 })),
})

const chart = (series: readonly Series[]): Chart => ({
  title: 'a < b & c',
  x: { label: 'cores', ticks: [1, 2, 4], least: 0 },
  y: { label: 'Mpps' },
  series,
})

test('kinds are told apart by their line and marks', () => {
  const drawn = (kind: Series['kind']): string => drawChart(chart([line(kind, 'x', 3)]))
  assert.doesNotMatch(drawn('measured'), /stroke-dasharray/)
  assert.match(drawn('projected'), /stroke-dasharray="6 4"/)
  assert.match(drawn('projected'), /fill="#ffffff"\/><path d="M/)
  assert.match(drawn('model'), /stroke-dasharray="1.5 3"/)
  // Marks alone, and an error bar for each point.
  assert.doesNotMatch(drawn('published'), /stroke-width="1.8"/)
  assert.equal(drawn('measured').match(/stroke-width="1" fill="none"/g)?.length, 3)
})

test('text is escaped, labels do not overlap and stay inside', () => {
  const many = Array.from({ length: 8 }, (_, i) => line('projected', `series ${i}`, 3 + i * 0.001))
  const svg = drawChart(chart(many))
  assert.match(svg, /a &lt; b &amp; c/)
  const places = [...svg.matchAll(/y="([\d.]+)" fill="#[\da-f]+">series/g)].map(m => Number(m[1]))
  assert.equal(places.length, 8)
  const sorted = places.toSorted((a, b) => a - b)
  sorted.slice(1).forEach((at, i) => assert.ok(at - sorted[i] > 14, places.join()))
  assert.ok(sorted[0] > 0 && sorted[7] < 320)
})

test('where lines run together at their ends, names stand at their beginnings', () => {
  const svg = drawChart({ ...chart([line('model', 'one', 3)]), named: 'first' })
  const place = Number(/text-anchor="end" x="([\d.]+)" y="[\d.]+" fill="#[\da-f]+">one</.exec(svg)?.[1])
  const first = Number(/d="M([\d.]+) [\d.]+L[\d.]+ [\d.]+L/.exec(svg)?.[1])
  assert.ok(place > 0 && place < first, `${place} ${first}`)
})

test('an axis of names has a place for each, in the picture and in the numbers', () => {
  const x = { label: '', names: ['SCR (replicated)', 'shared'] }
  const series = x.names.map((_, k) => ({ ...line('measured', '', 3), points: [{ x: k, y: 2 }] }))
  const named = { ...chart(series), x }
  const svg = drawChart(named)
  assert.match(svg, />SCR<tspan [^>]+>\(replicated\)<\/tspan>/)
  const places = [...svg.matchAll(/d="M([\d.]+) \d+v5"/g)].map(m => Number(m[1]))
  assert.ok(places.length === 2 && places[1] - places[0] > 100, places.join())
  assert.match(csvOf({ ...figure, charts: [named] }), /^a < b & c,replicated,measured,shared,2,,,,$/m)
})

test('scales hold all values and mark round numbers', () => {
  const linear = scaleOf({ label: '' }, [3, 47])
  assert.deepEqual(linear.ticks, [0, 10, 20, 30, 40])
  assert.ok(linear.place(47) <= 1 && linear.place(0) === 0)
  const log = scaleOf({ label: '', scale: 'log' }, [1, 1000])
  assert.deepEqual(log.ticks, [1, 10, 100, 1000])
  assert.ok(Math.abs(log.place(10) - 1 / 3) < 1e-9)
  assert.deepEqual([0.25, 1000, 50_000, 5e6].map(tickText), ['0.25', '1000', '50k', '5M'])
})

const figure: Figure = {
  id: 'figure-0',
  title: 'Figure 0: nothing',
  caption: 'a caption',
  charts: [chart([line('measured', 'one, two', 2)])],
  claims: [{ paper: 'It holds.', holds: 'no', here: 'it does not.' }],
  notes: ['3 packets'],
  records: [1, 1.01, 1.3].map((high, i) =>
    makeRecord({
      name: `point ${i}`,
      unit: 'Mpps',
      better: 'higher',
      parameters: {},
      environment: readEnvironment(),
      samples: [1, high],
      disturbed: { rejected: 0, kept: i },
    }),
  ),
}

test('numbers are kept as CSV', () => {
  const rows = csvOf(figure).trim().split('\n')
  assert.equal(rows[0], 'chart,series,kind,x,y,low,high,interval low,interval high')
  assert.equal(rows[1], 'a < b & c,"one, two",measured,1,2,1,3,,')
  assert.equal(rows.length, 4)
})

test('the report is one file that says what holds and how sure it is', () => {
  const environment = readEnvironment()
  const html = reportHtml({
    environment,
    command: 'make',
    clock: 'wall clock',
    settings: ['s'],
    figures: [figure],
  })
  assert.doesNotMatch(html, /<(script|link|img)\b|https?:(?!\/\/www\.w3\.org)/)
  assert.match(html, /3 points have samples; 1 of them \(33 %\) are unstable.*3 repetitions were disturbed/)
  assert.match(html, /It holds\. <b class="no">no:<\/b> it does not\./)
  assert.ok(html.includes(environment.kernel) && html.includes('wall clock'))
})

test('growth follows the medians, and noise alone breaks no rise', () => {
  const record = (workers: number, samples: number[]) =>
    makeRecord({
      name: 's',
      unit: 'Mpps',
      better: 'higher',
      parameters: { workers },
      environment: readEnvironment(),
      samples,
      disturbed: null,
    })
  const rising = [record(1, [10, 11]), record(2, [19, 21]), record(4, [18, 20])]
  assert.deepEqual(growthOf(rising), { gain: 19 / 10.5, workers: 4, monotone: true, best: 20 })
  assert.equal(growthOf([record(1, [10, 11]), record(2, [5, 6])])?.monotone, false)
  assert.equal(growthOf([record(1, [1])]), undefined)
})
