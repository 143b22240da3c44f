import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choose, costOf } from './auto.js'
import type { Estimate, Look } from './auto.js'

const single: Estimate = { strategy: 'single', workers: 1, front: 10, slowest: 100, largestShare: 1 }
const sharded = (largestShare: number): Estimate => ({
  strategy: 'sharded',
  workers: 4,
  front: 18,
  slowest: 100 * largestShare,
  largestShare,
})
/** One of four replicas: a quarter of the packets processed, three quarters fast-forwarded at 8 ns. */
const replicated: Estimate = {
  strategy: 'replicated',
  workers: 4,
  front: 20,
  slowest: 31,
  largestShare: 0.25,
}

const look = (topFlow: number, ...estimates: Estimate[]): Look => ({
  packets: 50_000,
  topFlow,
  cpus: 4,
  estimates: [single, ...estimates],
  fields: ['source'],
})

test('an elephant flow is replicated, and the explanation names it', () => {
  const { strategy, workers, why } = choose(look(0.71, sharded(0.75), replicated))
  assert.deepEqual([strategy, workers], ['replicated', 4])
  assert.equal(
    why,
    'One flow carries 71 % of the 50000 packets looked at: sharding by source cannot use more than 1.3 cores. ' +
      'Measured here, its busiest worker takes 31 ns a packet and the sequencer 20 ns, against 110 ns a packet on one worker: ' +
      'about 3.5 times as fast.',
  )
})

test('even traffic is sharded', () => {
  const { strategy, why } = choose(look(0.001, sharded(0.26), replicated))
  assert.equal(strategy, 'sharded')
  assert.match(why, /uses 3\.8 cores/)
})

test('cheap programs stay on one worker: the front is a ceiling', () => {
  const cheap = { ...single, slowest: 9 }
  const { strategy, why } = choose({
    ...look(0.5, { ...replicated, slowest: 8 }),
    estimates: [cheap, { ...replicated, slowest: 8 }],
  })
  assert.equal(strategy, 'single')
  assert.match(why, /no faster: reading and handing a packet out takes 20 ns by itself/)
})

test('more workers than CPUs share them', () => {
  assert.equal(costOf(replicated, 1), 124)
  const { strategy, why } = choose({ ...look(0.71, replicated), cpus: 1 })
  assert.equal(strategy, 'single')
  assert.match(why, /4 workers would share 1 CPUs/)
})

test('what cannot be sharded says why', () => {
  const { strategy, why } = choose({
    ...look(0.71, replicated),
    noSharding: 'the pool is for all (nat.ts:3:1)',
  })
  assert.equal(strategy, 'replicated')
  assert.match(why, /^The program cannot be sharded: the pool is for all \(nat\.ts:3:1\)\. Measured here,/)
  const neither = choose({ ...look(1), noSharding: 'a', noReplication: 'b' })
  assert.match(neither.why, /neither sharded nor replicated: b\. It takes 110 ns/)
})
