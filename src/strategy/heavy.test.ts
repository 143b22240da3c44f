import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, mostHeavy, plainGain } from './heavy.js'
import type { Epoch, Vote } from './heavy.js'
import { heavySlots, indirectionEntries } from './toeplitz.js'

/** An epoch on four workers in which keys have `votes` and every bucket `others` packets besides. */
function epoch(votes: readonly Vote[], others: number, options: Partial<Epoch> = {}): Epoch {
  const heavy = options.heavy ?? new Set()
  const workers = options.workers ?? 4
  const loads = Array.from({ length: indirectionEntries }, () => others)
  for (const { hash, count } of votes) if (!heavy.has(hash)) loads[hash % indirectionEntries] += count
  const owners = loads.map((_, bucket) => bucket % workers)
  return { votes, scale: 1, loads, owners, workers, heavy, room: true, replay: 0.5, ...options }
}

test('a key is replicated if the busiest worker has less to do then, and not otherwise', () => {
  // A flow that is all there is: 1000 packets on one worker, or 250 packets and 750 items on each.
  const alone = [{ hash: 7, count: 1000 }]
  assert.deepEqual(judge(epoch(alone, 0)).promoted, [7])
  assert.deepEqual(judge(epoch(alone, 0, { replay: 1 })).promoted, [], 'an item costs what a packet costs')
  assert.deepEqual(judge(epoch(alone, 0, { workers: 1 })).promoted, [])
  // Less than the others have each: its worker is the busiest no more when buckets have moved.
  assert.deepEqual(judge(epoch([{ hash: 7, count: 200 }], 10)).promoted, [])
  // More than a fair share, but replaying it everywhere costs more than having it on one worker.
  assert.deepEqual(judge(epoch([{ hash: 7, count: 400 }], 10, { replay: 0.95 })).promoted, [])
  assert.deepEqual(judge(epoch([{ hash: 7, count: 1500 }], 10)).promoted, [7])
})

test('two flows that are too much for a worker each are both replicated', () => {
  const two = [
    { hash: 7, count: 800 },
    { hash: 9, count: 700 },
  ]
  assert.deepEqual(judge(epoch(two, 1, { workers: 16, replay: 0.2 })).promoted, [7, 9])
})

test('a heavy key stays one until something else is clearly better, and goes when its packets are gone', () => {
  const heavy = new Set([7])
  assert.deepEqual(judge(epoch([{ hash: 7, count: 1000 }], 2, { heavy })).demoted, [])
  assert.deepEqual(judge(epoch([{ hash: 7, count: 900 }], 2, { heavy, replay: 0.9 })).demoted, [])
  assert.deepEqual(judge(epoch([], 2, { heavy })).demoted, [7])
  // Even with the others, and items as dear as packets: sharding alone would do.
  assert.deepEqual(judge(epoch([{ hash: 7, count: 400 }], 3, { heavy, replay: 1 })).demoted, [7])
})

test('a key that has paid for an epoch becomes light only if two epochs in a row say so', () => {
  const heavy = new Set([7, 9])
  // The two are on workers 3 and 1: shared out evenly, sharding has less to do than replication.
  const even = [
    { hash: 7, count: 500 },
    { hash: 9, count: 500 },
  ]
  const uneven = [
    { hash: 7, count: 700 },
    { hash: 9, count: 300 },
  ]
  const after = (votes: readonly Vote[], stood: ReadonlySet<number>) =>
    judge(epoch(votes, 0, { heavy, stood, replay: 0.4 }))
  const paid = after(uneven, new Set())
  assert.deepEqual([paid.demoted, [...paid.stood]], [[], [7, 9]])
  const doubted = after(even, paid.stood)
  assert.deepEqual([doubted.demoted, [...doubted.stood]], [[], []])
  assert.deepEqual(after(even, doubted.stood).demoted, [7, 9], 'for the second time')
  assert.deepEqual(
    after(even, after(uneven, doubted.stood).stood).demoted,
    [],
    'it has paid again in between',
  )
  // 500 on the busiest worker instead of 1000 (1/4 + 3/4 replay).
  const [wait, go] = [0.9, 1.1].map(f => (500 / (1 - f * plainGain) / 1000 - 1 / 4) / (3 / 4))
  const at = (replay: number) => judge(epoch(even, 0, { heavy, stood: heavy, replay })).demoted
  assert.deepEqual([at(wait), at(go)], [[], [7, 9]], 'unless there is much to be gained')
})

test('a key without packets does not wait, nor what takes over from it', () => {
  const heavy = new Set([7])
  const { promoted, demoted } = judge(
    epoch([{ hash: 11, count: 1000 }], 0, { heavy, stood: heavy, replay: 0.9 }),
  )
  assert.deepEqual([promoted, demoted], [[11], [7]])
})

test('buckets move as if promoted keys were gone from them', () => {
  const { promoted, moves } = judge(epoch([{ hash: 7, count: 2000 }], 10, { replay: 0.2 }))
  assert.deepEqual(promoted, [7])
  assert.deepEqual(moves, [])
})

test('votes of a sample count for the packets they stand for', () => {
  const loads = Array.from({ length: indirectionEntries }, (_, bucket) => (bucket === 7 ? 1000 : 0))
  const sampled = epoch([{ hash: 7, count: 100 }], 0, { scale: 10, loads })
  assert.deepEqual(judge(sampled).promoted, [7])
})

test('packets without a hash are never heavy', () => {
  assert.deepEqual(judge(epoch([{ hash: 0, count: 900 }], 0)).promoted, [])
})

test('the sequencer has one place for keys with equal low bits; the heaviest gets it', () => {
  const votes = [
    { hash: 5, count: 2000 },
    { hash: 5 + heavySlots, count: 3000 },
  ]
  assert.deepEqual(judge(epoch(votes, 1)).promoted, [5 + heavySlots])
  assert.deepEqual(judge(epoch(votes, 1, { heavy: new Set([5]) })).promoted, [])
})

test('where tables have no room for copies no more keys become heavy', () => {
  const alone = [{ hash: 7, count: 1000 }]
  assert.deepEqual(judge(epoch(alone, 0, { room: false })).promoted, [])
  assert.deepEqual(judge(epoch(alone, 0, { room: false, heavy: new Set([7]) })).demoted, [])
})

test('there is a bound to heavy keys', () => {
  // All of them in one bucket, which no move can divide.
  const votes = Array.from({ length: 200 }, (_, k) => ({ hash: 1 + indirectionEntries * k, count: 100 }))
  const slots = new Set(votes.map(v => v.hash % heavySlots)).size
  const { promoted } = judge(epoch(votes, 0, { workers: 16, replay: 0 }))
  assert.ok(promoted.length <= Math.min(mostHeavy, slots), `${promoted.length}`)
})
