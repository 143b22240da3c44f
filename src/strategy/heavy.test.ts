import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, mostHeavy } from './heavy.js'
import { heavySlots } from './toeplitz.js'

const none: ReadonlySet<number> = new Set()

test('a key with half of a fair share is heavy, and stays so until it has little', () => {
  // 1,000 packets, 4 workers: a fair share is 250.
  const found = (count: number, heavy: ReadonlySet<number>) => judge([{ hash: 7, count }], 1000, 4, heavy)
  assert.deepEqual(found(125, none), { promoted: [7], demoted: [] })
  assert.deepEqual(found(124, none), { promoted: [], demoted: [] })
  assert.deepEqual(found(40, new Set([7])), { promoted: [], demoted: [] })
  assert.deepEqual(found(31, new Set([7])), { promoted: [], demoted: [7] })
  assert.deepEqual(judge([], 1000, 4, new Set([7])), { promoted: [], demoted: [7] })
})

test('packets without a hash are never heavy', () => {
  assert.deepEqual(judge([{ hash: 0, count: 900 }], 1000, 2, none), { promoted: [], demoted: [] })
})

test('the sequencer has one place for keys with equal low bits; the heaviest gets it', () => {
  const votes = [
    { hash: 5, count: 200 },
    { hash: 5 + heavySlots, count: 300 },
  ]
  assert.deepEqual(judge(votes, 1000, 4, none).promoted, [5 + heavySlots])
  assert.deepEqual(judge(votes, 1000, 4, new Set([5])).promoted, [])
})

test('there is a bound to heavy keys', () => {
  const votes = Array.from({ length: 200 }, (_, k) => ({ hash: k + 1, count: 100 }))
  assert.equal(judge(votes, 1000, 16, none).promoted.length, mostHeavy)
})
