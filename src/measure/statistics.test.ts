import assert from 'node:assert/strict'
import { test } from 'node:test'
import { intervalWidth, median, medianInterval, pairedRatio, quantile, summarise } from './statistics.js'

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
    interval: { low: 1, high: 5, level: 0.9375 },
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

test('too few samples give all of them as the interval, and the level that it has', () => {
  const interval = (n: number) => summarise(Array.from({ length: n }, (_, i) => i + 1)).interval
  assert.deepEqual(interval(1), { low: 1, high: 1, level: 0 })
  assert.deepEqual(interval(2), { low: 1, high: 2, level: 0.5 })
  assert.deepEqual(interval(6), { low: 1, high: 6, level: 1 - 2 / 64 })
  assert.equal(interval(8).high, 8)
  const nine = interval(9)
  assert.deepEqual([nine.low, nine.high, nine.level.toFixed(3)], [2, 8, '0.961'])
  assert.equal(intervalWidth(summarise([9, 10, 11])), 0.2)
})

test('the interval holds the true median as often as it says, of a skewed law too', () => {
  let state = 1
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  for (const n of [6, 9, 12]) {
    let [held, level] = [0, 0]
    const times = 4000
    for (let k = 0; k < times; k++) {
      // Exponential: its median is ln 2.
      const { interval } = summarise(Array.from({ length: n }, () => -Math.log(uniform())))
      level = interval.level
      if (interval.low <= Math.LN2 && Math.LN2 <= interval.high) held++
    }
    assert.ok(Math.abs(held / times - level) < 0.012, `${n}: ${held / times} of ${level}`)
  }
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
