import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { balance } from './balance.js'

const exactly = { chance: 0 }

const loadOf = (loads: readonly number[], owners: readonly number[], worker: number): number =>
  loads.reduce((sum, n, bucket) => (owners[bucket] === worker ? sum + n : sum), 0)

function after(loads: readonly number[], owners: readonly number[], workers: number): number[] {
  const owner = [...owners]
  for (const { bucket, from, to } of balance(loads, owners, workers, exactly)) {
    assert.equal(owner[bucket], from)
    owner[bucket] = to
  }
  return Array.from({ length: workers }, (_, w) => loadOf(loads, owner, w))
}

test('a busy worker gives buckets to an idle one', () => {
  assert.deepEqual(after([40, 30, 20, 10], [0, 0, 0, 0], 2), [50, 50])
  assert.deepEqual(after([10, 10, 10, 1, 1, 1], [0, 0, 0, 1, 1, 1], 2), [20, 13])
})

test('one heavy bucket alone stays where it is: moving it would only move the problem', () => {
  assert.deepEqual(balance([1000, 0, 0, 0], [0, 1, 0, 1], 2), [])
  // It is parted from what shares its worker, by as few moves as will do.
  assert.deepEqual(balance([1000, 5, 0, 100], [0, 0, 1, 0], 2), [{ bucket: 0, from: 0, to: 1 }])
})

test('nothing moves for a little imbalance, nor for a bucket that is not worth it', () => {
  assert.deepEqual(balance([52, 48], [0, 1], 2), [])
  assert.deepEqual(balance([100, 1, 80], [0, 0, 1], 2, { ...exactly, threshold: 1, migration: 0.05 }), [])
  assert.equal(balance([100, 1, 80], [0, 0, 1], 2, { ...exactly, threshold: 1, migration: 0 }).length, 1)
  assert.deepEqual(balance([0, 0], [0, 1], 2), [])
})

test('nothing moves for what counts differ by chance, however short the epoch', () => {
  const owners = Array.from({ length: 128 }, (_, bucket) => bucket % 14)
  for (const perBucket of [10, 100, 1000])
    for (let round = 0; round < 20; round++) {
      let random = round + 1
      const loads = owners.map(() => 0)
      for (let n = 0; n < 128 * perBucket; n++) {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
        loads[random >>> 25]++
      }
      assert.deepEqual(balance(loads, owners, 14), [], `${perBucket} packets a bucket`)
    }
})

test('nothing moves for what the epoch before does not confirm', () => {
  const [loads, owners] = [
    [4000, 3000, 2000, 1000],
    [0, 0, 0, 0],
  ]
  assert.equal(balance(loads, owners, 2, { before: [3000, 3000, 3000, 1000] }).length, 2)
  // Flows come and go: the idle worker had the load then.
  assert.deepEqual(balance([4000, 3000, 0, 100], [0, 0, 1, 1], 2, { before: [100, 0, 4000, 3000] }), [])
})

test('moves never raise the busiest worker, and a bucket moves once', () => {
  const cases = fc.record({
    loads: fc.array(fc.nat(10_000), { minLength: 1, maxLength: 128 }),
    workers: fc.integer({ min: 1, max: 16 }),
    seed: fc.nat(),
  })
  fc.assert(
    fc.property(cases, ({ loads, workers, seed }) => {
      const owners = loads.map((_, bucket) => (bucket * 7 + seed) % workers)
      const before = Array.from({ length: workers }, (_, w) => loadOf(loads, owners, w))
      const now = after(loads, owners, workers)
      assert.ok(Math.max(...now) <= Math.max(...before))
      const moves = balance(loads, owners, workers, exactly)
      assert.equal(new Set(moves.map(m => m.bucket)).size, moves.length)
      assert.ok(moves.every(m => m.from !== m.to))
    }),
  )
})
