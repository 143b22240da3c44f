import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundledProgram } from '../../test/programs.js'
import { replicatedByValue } from '../strategy/replicated-by-value.js'
import { sharded } from '../strategy/sharded.js'
import { single } from '../strategy/single.js'
import { measure, project } from './scaling.js'
import { threadedWorkers } from './study.js'
import { workClock } from './thread-clock.js'
import { standardTrace, traceNames, traceStore } from './traces.js'

test('the standard traces are what they are called', () => {
  for (const name of traceNames) {
    const store = traceStore(name, { seed: 1, ...standardTrace(name, 3000) }, 3000)
    assert.equal(store.count, 3000, name)
    assert.ok(store.packet(17).bytes.length <= 192)
  }
})

test('one flow cannot be sharded, and the projection shows it', async () => {
  const subject = bundledProgram('port-knocking')
  const store = traceStore('single flow', standardTrace('single flow', 20_000), 20_000)
  const effort = { rounds: 3, clock: workClock() }
  const ways = [
    { strategy: sharded, workers: 4 },
    { strategy: replicatedByValue, workers: 4 },
  ]
  const {
    ways: [rss, scr],
    rounds,
  } = await project(subject, store, ways, effort)
  assert.equal(rounds, 3)
  // Two workers at most have something, one for each direction; the others look at empty lists.
  assert.ok(rss.shares.filter(s => s < 0.2).length >= 2, rss.shares.join())
  assert.ok(Math.min(...scr.shares) > 0.3, scr.shares.join())
  for (const found of [rss, scr]) {
    assert.ok(found.software > 0 && found.software <= found.hardware)
    assert.equal(Math.max(...found.shares), 1)
  }
})

test('a rate is measured over several passes, each later than the one before', async () => {
  const subject = bundledProgram('forwarder')
  const store = traceStore('uniform', standardTrace('uniform', 10_000), 10_000)
  const ways = [{ strategy: single, workers: 1 }]
  for (const clock of [undefined, workClock()]) {
    const { mpps, rounds } = await measure(subject, store, ways, 2, 0, clock)
    assert.equal(rounds, 2)
    assert.ok(mpps.length === 1 && mpps[0] > 0.1 && mpps[0] < 1000, `${mpps}`)
  }
})

test('history by value is projected over several passes', async () => {
  const subject = bundledProgram('token-bucket')
  const store = traceStore('uniform', standardTrace('uniform', 5000), 5000)
  const effort = { rounds: 1, warmup: 0, clock: workClock(), passes: 3 }
  const { ways } = await project(subject, store, [{ strategy: replicatedByValue, workers: 3 }], effort)
  assert.ok(ways[0].hardware > 0.01)
})

test('no more threads are measured than have a CPU, the sequencing one among them', () => {
  assert.deepEqual(threadedWorkers([1, 2, 4], 1), [1])
  assert.deepEqual(threadedWorkers([1, 2, 4], 2), [1])
  assert.deepEqual(threadedWorkers([1, 2, 3, 4], 4), [1, 2, 3])
})

test('runs that are over leave no memory behind', async () => {
  const subject = bundledProgram('connection-tracker')
  const store = traceStore('uniform', standardTrace('uniform', 2000), 2000)
  const ways = [{ strategy: replicatedByValue, workers: 14 }]
  const effort = { rounds: 1, clock: workClock() }
  await project(subject, store, ways, effort)
  const before = process.memoryUsage().rss
  await project(subject, store, ways, { ...effort, rounds: 20 })
  const grown = (process.memoryUsage().rss - before) / 2 ** 20
  // One run has some 100 MiB, and half a gigabyte is given out between two collections.
  assert.ok(grown < 800, `${grown.toFixed(0)} MiB more after 20 runs`)
})
