import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { takeRounds } from './rounds.js'

const load = () => ({ processes: new Map(), stolen: 0 })

test('short rounds go on for so many seconds, but not for ever', async () => {
  const some = await takeRounds([() => setTimeout(10, 1)], { rounds: 2, warmup: 0, seconds: 0.05, load })
  assert.ok(some.samples[0].length >= 3 && some.samples[0].length <= 6, `${some.samples[0].length}`)
  const most = await takeRounds([() => 1], { rounds: 2, warmup: 0, seconds: 60, load })
  assert.equal(most.samples[0].length, 20)
  const long = await takeRounds([() => setTimeout(10, 1)], { rounds: 3, warmup: 0, seconds: 0.001, load })
  assert.equal(long.samples[0].length, 3)
})

test('what a disturbed round took does not count as time spent', async () => {
  let [stolen, runs] = [0, 0]
  const run = async (): Promise<number> => {
    if (runs++ === 0) stolen = 50
    await setTimeout(30)
    return runs
  }
  const found = await takeRounds([run], {
    rounds: 1,
    warmup: 0,
    seconds: 0.02,
    load: () => ({ processes: new Map(), stolen }),
  })
  assert.deepEqual(found.samples, [[2]])
  assert.deepEqual(found.disturbed, { rejected: 1, kept: 0 })
})
