import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Occupancy } from '../../engine/kernel/reading.js'
import { sampleJson } from './json.js'
import { bar, duration, perSecond } from './page-parts.js'
import { pageOf } from './page.js'
import type { PageOptions } from './page-parts.js'
import type { ProgramSample, RunChange, Sample } from './sample.js'

const options: PageOptions = {
  columns: 80,
  colour: false,
  interval: 1,
  time: false,
  clock: '12:00:00',
  keys: 'q quits',
}

const table: Occupancy = {
  name: 'flows',
  kind: 'table',
  capacity: 100,
  count: 50,
  failures: 0,
  evictions: 0,
  expiries: 7,
  displacements: 3,
}

const program = (drop: bigint, pass: bigint, more: Partial<ProgramSample> = {}): ProgramSample => ({
  programId: 7,
  name: 'limiter',
  devices: [{ index: 2, name: 'eth1', mode: 'native' }],
  elsewhere: 0,
  pins: ['edge'],
  age: 3_723_000_000_000n,
  figures: {
    packets: drop + pass,
    verdicts: new Map([
      ['aborted', 0n],
      ['drop', drop],
      ['pass', pass],
    ]),
    counters: new Map([['odd', drop]]),
    byCpu: [drop, pass],
  },
  tables: [table],
  runs: { count: drop + pass, time: 30n * (drop + pass) },
  ...more,
})

const sample = (at: number, programs: readonly ProgramSample[], runs: readonly RunChange[] = []): Sample => ({
  at,
  programs,
  runs,
  devices: new Map([
    [
      'eth1',
      {
        name: 'eth1',
        counters: {
          receivedPackets: at,
          sentPackets: 0,
          receivedBytes: 0,
          sentBytes: 0,
          receiveErrors: 0,
          sendErrors: 0,
          receiveDropped: 0,
          sendDropped: 0,
        },
        driver: { handed: undefined, transmitLost: 4n, lost: 0n, sendLost: undefined },
      },
    ],
  ]),
})

const before = sample(0, [program(0n, 1000n)])
const now = sample(2000, [program(3000n, 2000n)])

test('a page: totals, rates of the interval, shares, CPUs, tables, losses', () => {
  assert.deepEqual(pageOf(now, before, options), [
    'hairpin top  12:00:00  every 1 s                                         q quits',
    '',
    'limiter on eth1 native  program 7, up 1 h 02 min, pinned as edge',
    '  5,000 packets  2,000/s',
    '  verdict                total  per second    share',
    `  drop                   3,000       1,500   60.0 %  ${'█'.repeat(16)}▎`,
    `  pass                   2,000         500   40.0 %  ${'█'.repeat(10)}▊`,
    '  cpu                    total  per second    share',
    `  0                      3,000       1,500   60.0 %  ${'█'.repeat(16)}▎`,
    `  1                      2,000         500   40.0 %  ${'█'.repeat(10)}▊`,
    '  2 CPUs, busiest 1.50 × the mean',
    '  table                entries          of     full',
    `  flows                     50         100   50.0 %  ${'█'.repeat(13)}▌`,
    '               7 expiries',
    '  counter                total  per second',
    '  odd                    3,000       1,500',
    '  eth1: received 1,000/s, sent 0/s, 4 transmit without room',
  ])
})

test('on a narrow terminal columns are left out whole', () => {
  const narrow = pageOf(now, before, { ...options, columns: 45, keys: '' })
  assert.ok(narrow.includes('  drop                   3,000       1,500'))
  assert.ok(narrow.includes('  verdict                total  per second'))
  const thin = pageOf(now, before, { ...options, columns: 34, keys: '' })
  assert.ok(thin.includes('  drop                   3,000'))
})

test('the first look has totals and no rates', () => {
  const first = pageOf(now, undefined, options)
  assert.ok(first.includes('  5,000 packets'))
  assert.ok(first.some(line => /^ {2}eth1: received 2,000, sent 0/.test(line)))
})

test('refused updates and packets without a verdict stand out', () => {
  const full = program(1n, 1n, { tables: [{ ...table, failures: 12 }] })
  const verdicts = new Map([...full.figures.verdicts, ['aborted', 2n] as const])
  const page = pageOf(sample(1, [{ ...full, figures: { ...full.figures, verdicts } }]), undefined, {
    ...options,
    colour: true,
  })
  assert.ok(page.some(line => line.startsWith('\x1b[33m') && line.includes('12 failures, 7 expiries')))
  assert.ok(page.some(line => line.startsWith('\x1b[33m') && line.includes('give flows a larger capacity')))
  assert.ok(page.some(line => line.startsWith('\x1b[31m') && line.includes('aborted')))
  assert.ok(!pageOf(now, before, options).some(line => line.includes('\x1b')))
})

test('ns/packet is that of the interval, and says what measuring costs', () => {
  const page = pageOf(now, before, { ...options, time: true })
  assert.equal(page[3], '  5,000 packets  2,000/s  30.0 ns/packet')
  assert.match(page.at(-1)!, /45 ns/)
  assert.match(pageOf(now, now, { ...options, time: true })[3], /- ns\/packet/)
})

test('programs elsewhere, and none at all', () => {
  const elsewhere = program(0n, 0n, { devices: [], elsewhere: 2, pins: [] })
  assert.match(pageOf(sample(0, [elsewhere]), undefined, options)[2], /on 2 in other namespaces {2}program 7/)
  assert.match(pageOf(sample(0, []), undefined, options)[2], /no program of hairpin .* hairpin attach/)
})

test('JSON has the same, and null where there is no rate yet', () => {
  const [found] = sampleJson(now, before, true).programs as [Record<string, unknown>]
  assert.equal(found.packetsPerSecond, 2000)
  assert.equal(found.nanosecondsPerPacket, 30)
  assert.deepEqual(found.drops, { program: 3000, aborted: 0 })
  const [first] = sampleJson(now, undefined, false).programs as [Record<string, unknown>]
  assert.equal(first.packetsPerSecond, null)
  assert.ok(!('nanosecondsPerPacket' in first))
})

test('numbers that fit', () => {
  assert.deepEqual([0, 3.25, 9_999, 12_345, 1_234_567, 2.5e9].map(perSecond), [
    '0',
    '3.3',
    '9,999',
    '12.3 k',
    '1.23 M',
    '2.50 G',
  ])
  assert.deepEqual(
    [5n, 65n, 3_700n, 100_000n].map(s => duration(s * 1_000_000_000n)),
    ['5 s', '1 min 05 s', '1 h 01 min', '1 d 03 h'],
  )
  assert.equal(bar(0.5, 3), '█▌')
  assert.equal(bar(2, 3), '███')
})

const running = (at: number, packets: readonly number[]): RunChange['now'] => ({
  command: 'run',
  program: 'limiter',
  strategy: 'replicated',
  interfaces: ['eth1'],
  historyBytes: 6,
  process: { pid: 4711, start: 5 },
  namespace: '4:5',
  began: 1000,
  at,
  counts: {
    packets: packets[0] + packets[1],
    verdicts: { passed: packets[0], transmitted: 0, redirected: 0 },
    drops: { program: packets[1], frameMissing: 3 },
    counters: { odd: packets[1] },
    workers: packets.map((n, w) => ({ packets: n, replayed: packets[1 - w] })),
  },
})

test('a run in user space: rates of workers, how even they are, what the history costs, losses', () => {
  const change = { before: running(3000, [100, 100]), now: running(5000, [1300, 900]) }
  const now = sample(1, [], [change])
  const page = pageOf(now, undefined, { ...options, namespace: '4:6' }).join('\n')
  assert.match(
    page,
    /limiter on eth1 in another namespace in user space, replicated {2}process 4711, hairpin run/,
  )
  assert.match(page, /2,200 packets {2}1,000\/s/)
  assert.match(page, /worker 0 +1,300 +600 +59\.1 %/)
  assert.match(page, /2 workers, busiest 1\.20 × the mean/)
  assert.match(page, /history: 6 bytes for each packet, 6,000 B\/s; 2,200 packets of others replayed/)
  assert.match(page, /frameMissing: 3 lost/)
  const { runs } = sampleJson(now, undefined, false) as { runs: readonly Record<string, unknown>[] }
  assert.equal(runs[0].packetsPerSecond, 1000)
  assert.equal(runs[0].upSeconds, 4)
})

test('a run that was seen once has no rates', () => {
  const [run] = (
    sampleJson(sample(1, [], [{ before: undefined, now: running(3000, [1, 1]) }]), undefined, false) as {
      runs: readonly Record<string, unknown>[]
    }
  ).runs
  assert.equal(run.packetsPerSecond, null)
})
