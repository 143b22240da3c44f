import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, medianInterval, pairedRatio, quantile, summarise } from './statistics.js'

test('order statistics', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.equal(median([7]), 7)
  assert.ok(Number.isNaN(median([])))
  assert.equal(quantile([10, 20, 30, 40, 50], 0.25), 20)
  assert.equal(quantile([10, 20], 0.9), 19)
  assert.equal(quantile([10, 20], 2), 20)
})

test('a summary has the spread as a share of the median and does not touch its samples', () => {
  const samples = [5, 1, 2, 3, 4]
  const summary = summarise(samples)
  assert.deepEqual(samples, [5, 1, 2, 3, 4])
  assert.deepEqual(summary, {
    count: 5,
    median: 3,
    min: 1,
    max: 5,
    lowerQuartile: 2,
    upperQuartile: 4,
    spread: 2 / 3,
  })
  assert.equal(summarise([9]).spread, 0)
  assert.equal(summarise([0, 0, 0]).spread, 0)
  assert.equal(summarise([1, 1, 1, 1, 1, 1, 1, 1, 1e9]).spread, 0, 'one giant moves nothing')
})

/** The interval for samples 1..n, which is the ranks of its ends. */
function ranks(n: number): [number, number] | undefined {
  return medianInterval(Array.from({ length: n }, (_, i) => i + 1))
}

test('the interval of the median has the ranks of the binomial table', () => {
  assert.equal(ranks(5), undefined)
  assert.deepEqual(ranks(6), [1, 6])
  assert.deepEqual(ranks(9), [2, 8])
  assert.deepEqual(ranks(11), [2, 10])
  assert.deepEqual(ranks(20), [6, 15])
  assert.deepEqual(ranks(100), [40, 61])
})

test('paired ratios are free of what varies from round to round', () => {
  const drift = [1, 5, 2, 9, 3, 4, 7, 1, 6]
  const baseline = drift.map(x => x * 100)
  const samples = drift.map((x, i) => x * 110 * (1 + (i % 3) * 0.001))
  const { summary, interval, differs } = pairedRatio(samples, baseline)
  assert.ok(Math.abs(summary.median - 1.1) < 0.003 && summary.spread < 0.01)
  assert.ok(interval && interval[0] >= 1.1 && interval[1] <= 1.103)
  assert.ok(differs)
  assert.ok(!pairedRatio(baseline, baseline).differs)
  assert.ok(!pairedRatio([1, 2, 3], [2, 4, 6]).differs, 'three rounds show nothing')
  assert.throws(() => pairedRatio([1], [1, 2]), RangeError)
})
