import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arrivals } from './arrivals.js'
import type { Arrival } from './arrivals.js'

const rate = 1e6
const train = 50
const duty = 0.25

function gapsOf(kind: Arrival, count: number, seed = 1): number[] {
  const arrivals = new Arrivals(kind, rate, train, duty, seed, 2)
  const times = Array.from({ length: count }, () => arrivals.next())
  assert.equal(times[0], 0)
  return times.slice(1).map((time, i) => time - times[i])
}

const mean = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length

/** Standard deviation over mean: 0 for equal gaps, 1 for a Poisson process. */
function variation(list: readonly number[]): number {
  const middle = mean(list)
  return Math.sqrt(mean(list.map(x => (x - middle) ** 2))) / middle
}

test('all arrivals keep the mean rate and never step back', () => {
  for (const kind of ['constant', 'poisson', 'onoff'] as const) {
    const gaps = gapsOf(kind, 400_000)
    assert.ok(Math.min(...gaps.slice(0, 100_000)) >= 0)
    assert.ok(Math.abs(mean(gaps) / 1000 - 1) < 0.05, `${kind}: ${mean(gaps)} ns`)
  }
})

test('they differ in how bursty they are', () => {
  assert.equal(variation(gapsOf('constant', 1000)), 0)
  assert.ok(Math.abs(variation(gapsOf('poisson', 100_000)) - 1) < 0.02)
  assert.ok(variation(gapsOf('onoff', 100_000)) > 4)
})

test('trains have the length and take the share of time that was asked for', () => {
  const gaps = gapsOf('onoff', 400_000)
  // Within a train a gap is 250 ns in the mean; the least silence that counts here is twenty times that.
  const silences = gaps.filter(gap => gap > 5000)
  const trains = gaps.length / silences.length
  assert.ok(Math.abs(trains / train - 1) < 0.15, `${trains} packets a train`)
  const silent = silences.reduce((sum, gap) => sum + gap, 0) / gaps.reduce((sum, gap) => sum + gap, 0)
  assert.ok(Math.abs(silent - (1 - duty)) < 0.03, `${silent} of the time is silent`)
  assert.notDeepEqual(gapsOf('onoff', 100, 1), gapsOf('onoff', 100, 2))
})
