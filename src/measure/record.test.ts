import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatEnvironment, isEnvironment, readEnvironment } from './environment.js'
import type { Environment } from './environment.js'
import { formatRecords, isSettled, makeRecord, parseRecords } from './record.js'
import type { BenchmarkRecord, Measured } from './record.js'

const environment: Environment = {
  cpu: 'Example 9000',
  cores: 2,
  machineCores: 4,
  megahertz: 3000,
  virtual: true,
  governor: null,
  mitigations: 'safe-ret',
  memory: 8 * 2 ** 30,
  platform: 'linux x64',
  kernel: '6.18.0',
  node: '20.19.0',
  v8: '11.3',
  commit: 'abcdef123456+',
  time: '2026-01-01T00:00:00.000Z',
}

const measured: Measured = {
  name: 'forward',
  unit: 'ns/packet',
  better: 'lower',
  parameters: { flows: 100, law: 'uniform' },
  environment,
  samples: [10, 11, 12],
  disturbed: { rejected: 1, kept: 0 },
}

test('this machine has an environment', () => {
  const here = readEnvironment()
  assert.ok(isEnvironment(here))
  assert.equal(here.node, process.versions.node)
  assert.ok(here.cores >= 1 && here.memory > 0)
  assert.equal(formatEnvironment(here).split('\n').length, 2)
  assert.equal(readEnvironment('/').commit, null)
})

test('a record survives JSON and gets its summary from its samples', () => {
  const record = makeRecord({ ...measured, lossCriterion: '< 4 %' })
  assert.equal(record.summary.median, 11)
  assert.equal(record.repetitions, 3)
  assert.ok(record.unstable)
  assert.ok(!makeRecord({ ...measured, samples: [10, 10.1, 10.2] }).unstable)
  assert.deepEqual(parseRecords(JSON.stringify(record)), [record])
  assert.deepEqual(parseRecords(JSON.stringify([record, record])), [record, record])
  const forged = { ...record, summary: { ...record.summary, median: 1 } }
  assert.deepEqual(parseRecords(JSON.stringify(forged)), [record])
})

test('a record is unstable where the interval for its median is wider than 5 %, whatever the spread', () => {
  const of = (samples: readonly number[]): boolean => makeRecord({ ...measured, samples }).unstable
  const apart = [100, 101, 102, 103, 104, 105.5]
  assert.ok(of(apart), 'all six are the interval')
  // Six more of the same law leave the third to the tenth.
  assert.ok(!of([...apart, ...apart]))
  const far = [80, 100, 101, 101, 102, 102, 103, 103, 120]
  assert.ok(!of(far) && makeRecord({ ...measured, samples: far }).summary.min === 80, 'and the least is kept')
  assert.ok(of([100]), 'one sample says nothing')
  assert.ok(!isSettled([100, 100, 100]) && isSettled([100, 100, 100, 100, 100, 101]))
})

test('a ledger of before the interval is read, and judged by it', () => {
  const { interval: _, ...summary } = makeRecord(measured).summary
  const old = { ...makeRecord(measured), summary, unstable: false }
  const [record] = parseRecords(JSON.stringify(old)) as readonly BenchmarkRecord[]
  assert.deepEqual(record.summary.interval, { low: 10, high: 12, level: 0.75 })
  assert.ok(record.unstable)
})

test('no number is made, read or shown without its environment', () => {
  const bare = { ...measured, environment: undefined as unknown as Environment }
  assert.throws(() => makeRecord(bare), /no environment/)
  const stripped = { ...makeRecord(measured), environment: undefined } as unknown as BenchmarkRecord
  assert.throws(() => formatRecords([stripped]), /no environment/)
  const read = parseRecords(JSON.stringify(stripped))
  assert.ok('problem' in read && /no environment/.test(read.problem))
})

test('what is no record is refused with a reason', () => {
  const record = makeRecord(measured)
  const cases: [unknown, RegExp][] = [
    [{ ...record, samples: [] }, /no samples/],
    [{ ...record, samples: ['x'] }, /no number/],
    [{ ...record, format: 'other' }, /format/],
    [{ ...record, unit: '' }, /no unit/],
    [{ ...record, better: 'both' }, /better/],
    [7, /no object/],
  ]
  for (const [value, reason] of cases) {
    const read = parseRecords(JSON.stringify(value))
    assert.ok('problem' in read && reason.test(read.problem), `${reason}`)
  }
  const text = parseRecords('{')
  assert.ok('problem' in text && /no JSON/.test(text.problem))
  assert.throws(() => makeRecord({ ...measured, samples: [NaN] }), /no number/)
})

test('the text has the environment once, then a row for each record', () => {
  const text = formatRecords([
    makeRecord(measured),
    makeRecord({ ...measured, name: 'drop', lossCriterion: '0', disturbed: null }),
  ])
  assert.equal(text.match(/Example 9000/g)?.length, 1)
  assert.match(
    text,
    /2 of 4 CPUs, 3000 MHz, virtual machine, governor unknown, mitigations safe-ret, 8.0 GiB/,
  )
  assert.match(
    text,
    /forward flows=100 law=uniform +11 +ns\/packet +10 to 12 \(75 %\) +9.1 % +10 +12 +3 +unstable, 1 disturbed runs repeated/,
  )
  assert.match(text, /drop .* loss 0, unstable, foreign load unknown/)
  const other = makeRecord({ ...measured, environment: { ...environment, kernel: '6.1.0' } })
  assert.equal(formatRecords([makeRecord(measured), other]).match(/Example 9000/g)?.length, 2)
})
