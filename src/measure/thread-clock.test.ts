import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median } from './statistics.js'
import { workClock } from './thread-clock.js'

test('a clock knows what it costs itself: nothing takes no time', () => {
  const { now, cost, kind } = workClock()
  assert.ok(cost > 0 && cost < 0.1, `${kind}: ${cost} ms`)
  const nothing = Array.from({ length: 999 }, () => {
    const began = now()
    return now() - began - cost
  })
  assert.ok(Math.abs(median(nothing)) < 0.75 * cost, `${median(nothing)} ms`)
})
