import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundledProgram } from '../../test/programs.js'
import { replicatedByValue } from '../strategy/replicated-by-value.js'
import { sharded } from '../strategy/sharded.js'
import { single } from '../strategy/single.js'
import { Repetitions, rates } from './repetitions.js'
import { SpareTime } from './spare-time.js'

const trace = { name: 'single flow', packets: 3000 } as const

test('every process gives one sample of every way', async () => {
  const subject = bundledProgram('port-knocking')
  const ways = [
    { strategy: replicatedByValue, workers: 3 },
    { strategy: sharded, workers: 2 },
  ]
  const repetitions = new Repetitions({ rounds: 1, processes: 2, most: 2 })
  try {
    const [scr, rss] = await repetitions.project(subject, trace, ways)
    for (const found of [scr, rss]) {
      assert.equal(found.hardware.length, 2)
      found.software.forEach((mpps, i) => assert.ok(mpps > 0 && mpps <= found.hardware[i]))
      assert.equal(found.shares.length, found.way.workers)
    }
    assert.notEqual(scr.hardware[0], scr.hardware[1], 'two processes, two samples')
    const [measured] = await repetitions.trials(trace, [
      { kind: 'measure', subject, ways: [{ strategy: single, workers: 1 }] },
    ])
    assert.deepEqual(
      rates(measured).map(list => list.length),
      [2],
    )
  } finally {
    repetitions.close()
  }
})

test('no process is added where no time is left, and a failure is told, not waited for', async () => {
  const subject = bundledProgram('port-knocking')
  const late = new Repetitions({ rounds: 1, processes: 1, most: 9, spare: new SpareTime(0, 0) })
  try {
    const [found] = await late.project(subject, trace, [{ strategy: replicatedByValue, workers: 2 }])
    assert.equal(found.hardware.length, 1)
    await assert.rejects(late.captures(subject, ['/nowhere/at/all.pcap']), /nowhere/)
  } finally {
    late.close()
  }
})

test('a task goes on until its records are settled, others do not', async () => {
  // One sample is never settled, so processes are added; `most` ends what differs for ever.
  const more = new Repetitions({ rounds: 1, processes: 1, most: 3, spare: new SpareTime(60, 0) })
  try {
    const [found] = await more.project(bundledProgram('port-knocking'), trace, [
      { strategy: replicatedByValue, workers: 2 },
    ])
    assert.equal(found.hardware.length, 3)
  } finally {
    more.close()
  }
})

test('an interrupted run leaves no process', async () => {
  const stop = new AbortController()
  const repetitions = new Repetitions({ rounds: 1, processes: 1, most: 1, signal: stop.signal })
  const running = repetitions.project(bundledProgram('forwarder'), { name: 'uniform', packets: 200_000 }, [
    { strategy: sharded, workers: 4 },
  ])
  setTimeout(() => stop.abort(), 100)
  await assert.rejects(running, /ended with a signal/)
})
