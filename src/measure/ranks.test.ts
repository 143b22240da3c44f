import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../traffic/random.js'
import { ratioOfLists } from './ranks.js'

test('the interval is the one of the published tables', () => {
  // Mann-Whitney, two sides, 5 %: the critical count of 5 and 5 samples is 2, of 8 and 8 is 13, of 10 and 10 is 23.
  for (const [n, critical] of [
    [5, 2],
    [8, 13],
    [10, 23],
  ]) {
    // prettier-ignore
    const a = Array.from({ length: n }, (_, i) => 100 + i)
    const ratios = a.flatMap(x => a.map(y => x / y)).toSorted((x, y) => x - y)
    const { interval } = ratioOfLists(a, a)
    assert.equal(interval?.[0], ratios[critical])
    assert.equal(interval?.[1], ratios[ratios.length - 1 - critical])
  }
})

test('three samples are too few, four are just enough', () => {
  assert.equal(ratioOfLists([1, 2, 3], [4, 5, 6]).interval, undefined)
  assert.deepEqual(ratioOfLists([4, 4, 4, 4], [1, 1, 1, 1]).interval, [4, 4])
})

test('the interval holds the true ratio about as often as it says', () => {
  const random = new Random(5)
  for (const [n, m] of [
    [7, 7],
    [60, 50],
  ]) {
    // prettier-ignore
    let held = 0
    const trials = 400
    for (let t = 0; t < trials; t++) {
      const sample = (): number => 100 + random.exponential(10)
      const a = Array.from({ length: n }, () => 1.2 * sample())
      const b = Array.from({ length: m }, sample)
      const { interval } = ratioOfLists(a, b)
      if (interval && interval[0] <= 1.2 && interval[1] >= 1.2) held++
    }
    assert.ok(held / trials > 0.92, `${n}, ${m}: ${held} of ${trials}`)
  }
})

test('one outlier changes nothing much', () => {
  const steady = [10, 10.1, 10.2, 9.9, 10, 10.1]
  assert.ok(Math.abs(ratioOfLists([...steady, 500], steady).ratio - 1) < 0.02)
})
