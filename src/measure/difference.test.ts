import assert from 'node:assert/strict'
import { test } from 'node:test'
import { differencesOf } from './difference.js'
import { readEnvironment } from './environment.js'
import { makeRecord } from './record.js'
import type { BenchmarkRecord, Measured } from './record.js'

const environment = readEnvironment()

const record = (samples: readonly number[], more: Partial<Measured> = {}): BenchmarkRecord =>
  makeRecord({
    name: 'forwarder',
    unit: 'Mpps',
    better: 'higher',
    parameters: { cores: 2, strategy: 'single' },
    environment,
    samples,
    disturbed: null,
    ...more,
  })

const around = (middle: number, spread = 0.01): number[] =>
  [-2, -1, 0, 1, 2, -1, 1].map(step => middle * (1 + (spread * step) / 2))

const verdict = (before: BenchmarkRecord, after: BenchmarkRecord): string =>
  differencesOf([before], [after]).differences[0].verdict

test('better and worse follow the unit', () => {
  assert.equal(verdict(record(around(10)), record(around(12))), 'better')
  assert.equal(verdict(record(around(12)), record(around(10))), 'worse')
  const time = { unit: 'ns', better: 'lower' } as const
  assert.equal(verdict(record(around(12), time), record(around(10), time)), 'better')
})

test('what is within the spread, or tiny, is the same', () => {
  assert.equal(verdict(record(around(10)), record(around(10.1))), 'same')
  assert.equal(verdict(record(around(10, 0.0001)), record(around(10.15, 0.0001))), 'same')
  assert.equal(verdict(record(around(10, 0.3)), record(around(11.5, 0.3))), 'same')
  assert.equal(verdict(record([10, 10, 10]), record([20, 20, 20])), 'too few samples')
})

test('two runs agree where their printed intervals have a number in common', () => {
  const agree = (a: readonly number[], b: readonly number[]): boolean =>
    differencesOf([record(a)], [record(b)]).differences[0].agree
  assert.ok(agree([10, 10.1, 10.2, 10.3, 10.4, 10.5], [10.5, 10.6, 10.7, 10.8, 10.9, 11]))
  assert.ok(!agree([10, 10.1, 10.2, 10.3, 10.4, 10.5], [10.6, 10.7, 10.8, 10.9, 11, 11.1]))
  // The spread reaches further than the interval, which does not count.
  const wide = (middle: number): number[] => [...around(middle, 0.02), middle * 0.7, middle * 1.3]
  assert.ok(!agree(wide(10), wide(10.5)))
})

test('records match by name, unit, parameters in any order, and loss criterion', () => {
  const swapped = record(around(10), { parameters: { strategy: 'single', cores: 2 } })
  assert.equal(differencesOf([record(around(10))], [swapped]).differences.length, 1)
  const other = record(around(10), { parameters: { strategy: 'single', cores: 3 } })
  const lossy = record(around(10), { lossCriterion: '0.5 %' })
  const found = differencesOf([record(around(10))], [other, lossy])
  assert.deepEqual([found.differences.length, found.onlyBefore.length, found.onlyAfter.length], [0, 1, 2])
})

test('of a ledger the latest entry counts, and another machine is named', () => {
  const elsewhere = { ...environment, cpu: 'another' }
  const ledger = [record(around(5)), record(around(10), { environment: elsewhere })]
  const { differences, surroundings } = differencesOf(ledger, [record(around(10))])
  assert.equal(differences.length, 1)
  assert.equal(differences[0].verdict, 'same')
  assert.deepEqual(surroundings, [`cpu: another, then ${environment.cpu}`])
})
