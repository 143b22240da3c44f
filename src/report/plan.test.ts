import assert from 'node:assert/strict'
import { test } from 'node:test'
import { figures } from './figures/all.js'
import { minutesText, plannedSeconds } from './plan.js'

const options = { packets: 100_000, workers: [1, 2, 4], rounds: 3, processes: 5 }
const total = (names: readonly string[], more = {}): number =>
  plannedSeconds(names, { ...options, ...more }).reduce((a, b) => a + b, 0)

test('what figures share is planned once, and everything grows with what there is to do', () => {
  const [first, second] = plannedSeconds(['table-4', 'figure-11'], options)
  assert.ok(first > 10 && second === 0)
  const all = Object.keys(figures)
  assert.ok(total(all) < all.reduce((sum, name) => sum + total([name]), 0))
  for (const more of [{ packets: 200_000 }, { workers: [1, 2, 4, 14] }, { rounds: 9 }, { processes: 9 }])
    assert.ok(total(all, more) > total(all), JSON.stringify(more))
  assert.equal(total(['table-1']), 0)
})

test('durations in words', () => {
  assert.equal(minutesText(30), 'under a minute')
  assert.equal(minutesText(400), 'about 7 min')
})
