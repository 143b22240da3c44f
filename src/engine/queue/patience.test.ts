import assert from 'node:assert/strict'
import { test } from 'node:test'
import { many, Patience } from './patience.js'

test('a tenth of a millisecond after a few packets, a millisecond after many since the last sleep', () => {
  const patience = new Patience(5)
  assert.deepEqual(
    [5.09, 5.11].map(now => patience.isOver(now)),
    [false, true],
  )
  patience.found(many - 1, 10)
  assert.deepEqual(
    [10.09, 10.11].map(now => patience.isOver(now)),
    [false, true],
  )
  patience.found(1, 20)
  assert.deepEqual(
    [20.11, 20.99, 21.01].map(now => patience.isOver(now)),
    [false, false, true],
  )
  patience.found(0, 22)
  assert.equal(patience.isOver(22.5), false)
  patience.slept(30)
  assert.deepEqual(
    [30.09, 30.11].map(now => patience.isOver(now)),
    [false, true],
  )
})
