import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../traffic/random.js'
import { searchRate } from './search.js'
import type { Trial } from './search.js'

/** A device that takes so many packets a second, fed by a generator that offers at most `generator`. */
const device =
  (capacity: number, generator = Infinity, stall = 0, random = new Random(1)) =>
  (rate: number): Promise<Trial> => {
    const offered = Math.min(rate, generator)
    const sent = Math.round(offered)
    const stalled = random.unit() < stall ? 0.02 : 0
    const lost = Math.round(Math.max(0, offered - capacity) + stalled * sent)
    return Promise.resolve({ requested: rate, offered, sent, lost })
  }

const standard = { relative: 0.005, absolute: 0, trials: 1, most: 20e6 }

test('it finds the capacity, and the rate that loses just so much', async () => {
  const exact = await searchRate({ ...standard, loss: 0, run: device(7e6) })
  assert.ok(exact.rate <= 7e6 && exact.rate > 6.93e6, `${exact.rate}`)
  assert.equal(exact.generatorLimited, false)
  const lossy = await searchRate({ ...standard, loss: 0.04, least: exact.rate, run: device(7e6) })
  // rate × (1 − 0.04) = capacity.
  assert.ok(Math.abs(lossy.rate / (7e6 / 0.96) - 1) < 0.006, `${lossy.rate}`)
  assert.ok(lossy.loss <= 0.04)
})

test('the search of the paper ends when its bounds are 0.4 Mpps apart', async () => {
  const found = await searchRate({ ...standard, relative: 0, absolute: 4e5, loss: 0, run: device(7e6) })
  assert.ok(found.rate <= 7e6 && found.rate > 6.6e6)
  assert.ok(found.trials.length <= 8)
})

test('what the generator cannot exceed is said to be its limit', async () => {
  const found = await searchRate({ ...standard, loss: 0, run: device(50e6) })
  assert.deepEqual([found.rate, found.generatorLimited], [20e6, true])
  // Alone it offered 20, beside the program only 12: trials above are discarded.
  const slower = await searchRate({ ...standard, loss: 0, run: device(50e6, 12e6) })
  assert.ok(slower.generatorLimited && slower.discarded > 0)
  assert.ok(slower.rate <= 12.2e6 && slower.rate > 11.5e6, `${slower.rate}`)
})

test('the median of some trials forgives a stall that one does not', async () => {
  const stalls = (trials: number) =>
    searchRate({ ...standard, trials, loss: 0, run: device(7e6, Infinity, 0.15, new Random(3)) })
  const one = await stalls(1)
  const five = await stalls(5)
  assert.ok(five.rate > 6.9e6, `${five.rate}`)
  assert.ok(one.rate <= five.rate)
})

test('a device that always loses has no such rate', async () => {
  const run = (rate: number): Promise<Trial> =>
    Promise.resolve({ requested: rate, offered: rate, sent: 1000, lost: 10 })
  const { rate } = await searchRate({ ...standard, loss: 0, relative: 0, absolute: 1e5, run })
  assert.equal(rate, 0)
})
