import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpareTime } from './spare-time.js'

test('what one part leaves goes to the next, and the last has all of it', () => {
  let now = 0
  const spare = new SpareTime(100, 60, () => now)
  // 40 s are left beside the plan; a third of the plan may use two thirds of them.
  now = 20_000
  assert.equal(Math.round(spare.until(20_000)), 46_667)
  // It used none of them.
  now = 40_000
  assert.equal(spare.until(20_000), 80_000)
  now = 90_000
  assert.equal(spare.until(20_000), 100_000)
})

test('a run that is late has less, and none once its plan takes all that is left', () => {
  let now = 0
  const spare = new SpareTime(100, 60, () => now)
  now = 50_000
  assert.equal(Math.round(spare.until(20_000)), 56_667)
  now = 95_000
  assert.equal(spare.until(20_000), 95_000)
})

test('what another run did is no part of the plan', () => {
  const spare = new SpareTime(100, 60, () => 0)
  spare.done(40)
  assert.equal(spare.until(20_000), 100_000)
})
