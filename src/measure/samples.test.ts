import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Samples, samplesOf } from './samples.js'

const sample = (mpps: number, kept = 0, rejected = 0) => ({
  ways: [{ quantities: { mpps }, shares: [] }],
  rounds: 4,
  disturbed: { rejected, kept },
})

const valuesOf = (samples: Samples): number[] => samplesOf(samples.ways[0], 'mpps')

test('disturbed samples count until enough others are there', () => {
  const samples = new Samples(2)
  samples.add(sample(5, 3, 1))
  samples.add(sample(10, 2))
  assert.deepEqual(valuesOf(samples), [5, 10])
  assert.deepEqual(samples.disturbed, { rejected: 1, kept: 1 })
  samples.add(sample(11))
  assert.deepEqual(valuesOf(samples), [10, 11])
  assert.deepEqual(samples.disturbed, { rejected: 2, kept: 0 }, 'a round and a sample')
})

test('a value never decides, however odd', () => {
  const samples = new Samples(1)
  for (const mpps of [10, 10, 1e6]) samples.add(sample(mpps))
  assert.deepEqual(valuesOf(samples), [10, 10, 1e6])
})

test('settled is what has six samples and a narrow interval', () => {
  const samples = new Samples(6)
  for (let k = 0; k < 5; k++) samples.add(sample(100 + k))
  assert.ok(!samples.areSettled)
  samples.add(sample(104))
  assert.ok(samples.areSettled)
  samples.add(sample(120))
  assert.ok(!samples.areSettled)
})

test('where nobody can tell what others used, neither can this', () => {
  const samples = new Samples(1)
  samples.add({ ...sample(1), disturbed: null })
  assert.equal(samples.disturbed, null)
  assert.deepEqual(valuesOf(samples), [1])
})
