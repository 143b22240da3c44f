// hairpin bench: comparing and keeping results.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readEnvironment } from '../../src/measure/environment.js'
import { makeRecord, parseRecords } from '../../src/measure/record.js'
import { root } from '../../tools/sources.js'
import { problemsOf } from '../schema.js'
import { folder, hairpin } from './hairpin.js'

const schemaOf = (name: string): object =>
  JSON.parse(readFileSync(join(root, 'docs/schema', `${name}.json`), 'utf8')) as object

const environment = { ...readEnvironment(), commit: '0123456789ab' }

function file(name: string, middle: number, commit: string | null = environment.commit): string {
  const samples = [0.99, 1, 1.01, 1, 0.995, 1.005].map(x => x * middle)
  const record = makeRecord({
    name: 'forwarder',
    unit: 'Mpps',
    better: 'higher',
    parameters: { cores: 2 },
    environment: { ...environment, commit },
    samples,
    disturbed: { rejected: 0, kept: 0 },
  })
  assert.deepEqual(problemsOf(JSON.parse(JSON.stringify(record)), schemaOf('bench-record')), [])
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify([record]))
  return path
}

test('compare says better, worse or same, and its exit code says so too', async () => {
  const [slow, fast, again] = [file('slow.json', 10), file('fast.json', 12), file('again.json', 10.02)]
  const better = await hairpin(['bench', 'compare', slow, fast])
  assert.equal(better.code, 0, better.err)
  assert.match(better.out, /forwarder cores=2 .*10 +12 +Mpps +1\.200 \(.* better/)
  const worse = await hairpin(['bench', 'compare', fast, slow, '--json'])
  assert.equal(worse.code, 1)
  const found = JSON.parse(worse.out) as { differences: { verdict: string }[] }
  assert.deepEqual(problemsOf(found, schemaOf('bench-compare')), [])
  assert.equal(found.differences[0].verdict, 'worse')
  const same = await hairpin(['bench', 'compare', slow, again])
  assert.equal(same.code, 0)
  assert.match(same.out, /1 same/)
})

test('keep appends to a ledger, which compare reads, and refuses what has no commit', async () => {
  const ledger = join(folder, 'ledger.jsonl')
  for (const [name, middle] of [
    ['one.json', 8],
    ['two.json', 12],
  ] as const) {
    // prettier-ignore
    const kept = await hairpin(['bench', 'keep', file(name, middle), '--ledger', ledger, '--json'])
    assert.equal(kept.code, 0, kept.err)
    assert.deepEqual(problemsOf(JSON.parse(kept.out), schemaOf('bench-keep')), [])
  }
  assert.equal(readFileSync(ledger, 'utf8').trim().split('\n').length, 2)
  const same = await hairpin(['bench', 'compare', ledger, file('now.json', 12)])
  assert.equal(same.code, 0, same.out)
  const dirty = await hairpin(['bench', 'keep', file('dirty.json', 8, '0123456789ab+'), '--ledger', ledger])
  assert.equal(dirty.code, 1)
  assert.match(dirty.err, /commit, and measure again/)
})

test('scaling: every point is a record that says whether it was measured or projected', async () => {
  const args = [
    '--trace',
    'single-flow',
    '--packets',
    '2000',
    '--rounds',
    '1',
    '--workers',
    '1,2,5',
    '--processes',
    '1',
  ]
  const out = join(folder, 'scaling.json')
  const ended = await hairpin(['bench', 'scaling', 'port-knocking', ...args, '--out', out, '--json'])
  assert.equal(ended.code, 0, ended.err)
  const found = JSON.parse(ended.out) as {
    records: { parameters: Record<string, unknown>; summary: { median: number } }[]
    models: { fitted: number[]; judged: number[]; t: number; d: number; c1: number }[]
  }
  assert.deepEqual(problemsOf(found, schemaOf('bench-scaling')), [])
  const of = (want: Record<string, unknown>): number =>
    found.records.filter(r => Object.entries(want).every(([k, v]) => r.parameters[k] === v)).length
  // Four strategies on three numbers of workers, with and without the sequencer.
  assert.equal(of({ kind: 'projected', sequencer: 'hardware' }), 12)
  assert.equal(of({ kind: 'projected', sequencer: 'software' }), 12)
  assert.equal(of({ kind: 'projected', strategy: 'shared' }), 0)
  assert.ok(of({ kind: 'measured', strategy: 'shared' }) >= 1)
  assert.equal(of({ kind: 'measured', workers: 5 }), 0)
  assert.deepEqual([found.models[0].fitted, found.models[0].judged], [[1, 2], [5]])
  const again = await hairpin(['bench', 'compare', out, out])
  assert.match(again.out, /too few samples/)
})

test('mlffr: every trial is kept, and criteria that allow more loss find no lower rate', async () => {
  const args = ['--loss', '50%,1%', '--rounds', '1', '--trials', '1', '--trial', '0.02', '--packets', '2000']
  const ended = await hairpin(['bench', 'mlffr', 'forwarder', ...args, '--max-rate', '1M', '--json'])
  assert.equal(ended.code, 0, ended.err)
  const found = JSON.parse(ended.out) as {
    results: { lossCriterion: string; packetsPerSecond: number; searches: { trials: unknown[] }[] }[]
  }
  assert.deepEqual(problemsOf(found, schemaOf('bench-mlffr')), [])
  const [strict, lax] = found.results
  assert.deepEqual([strict.lossCriterion, lax.lossCriterion], ['≤ 1 %', '≤ 50 %'])
  assert.ok(lax.packetsPerSecond >= strict.packetsPerSecond)
  assert.ok(strict.searches[0].trials.length >= 1)
})

test('figures: files and a report that says what holds', async () => {
  const out = join(folder, 'figures')
  const only = ['--only', 'table-1', '--only', 'figure-5', '--only', 'figure-8']
  const ended = await hairpin([
    'bench',
    'figures',
    ...only,
    '--packets',
    '2000',
    '--rounds',
    '1',
    '--processes',
    '1',
    '--out',
    out,
    '--json',
  ])
  assert.equal(ended.code, 0, ended.err)
  const found = JSON.parse(ended.out) as { figures: { id: string; charts: number; rows: number }[] }
  assert.deepEqual(problemsOf(found, schemaOf('bench-figures')), [])
  assert.deepEqual(
    found.figures.map(f => [f.id, f.charts, f.rows]),
    [['table-1', 0, 0], ['figure-5', 3, 0], ['figure-8', 2, 9]], // prettier-ignore
  )
  const files = readdirSync(out)
  for (const name of ['report.html', 'table-1.csv', 'figure-5-01.svg', 'figure-5.csv', 'figure-8-02.svg'])
    assert.ok(files.includes(name), files.join())
  assert.match(readFileSync(join(out, 'table-1.csv'), 'utf8'), /^port-knocking,5,8,/m)
  const records = parseRecords(readFileSync(join(out, 'records.json'), 'utf8'))
  assert.ok(!('problem' in records) && records.length === 9)
  assert.match(readFileSync(join(out, 'report.html'), 'utf8'), /What of the paper holds here/)
})

test('profile: a flame graph by V8, and the layout of the state', async () => {
  const out = join(folder, 'profile')
  const args = ['--with', 'v8', '--packets', '50000', '--out', out]
  const ended = await hairpin([
    'bench',
    'profile',
    'port-knocking',
    '-s',
    'scr',
    '-c',
    '2',
    ...args,
    '--json',
  ])
  assert.equal(ended.code, 0, ended.err)
  const found = JSON.parse(ended.out) as {
    samples: number
    flame: string
    state: { name: string; stride: number; linesPerPacket: number }[]
    falseSharing: string[]
  }
  assert.deepEqual(problemsOf(found, schemaOf('bench-profile')), [])
  assert.ok(found.samples > 10)
  assert.match(readFileSync(found.flame, 'utf8'), /^<svg .*[^]*<title>all: \d+ samples, 100\.0 %/)
  assert.deepEqual([found.state[0].name, found.state[0].stride], ['knocks', 16])
  assert.ok(found.state[0].linesPerPacket > 0.9 && found.state[0].linesPerPacket < 4)
  assert.deepEqual(found.falseSharing, [])
})

test('mistakes are told in words', async () => {
  const cases: [string[], number, RegExp][] = [
    [['bench'], 2, /what to do is missing: mlffr, .*compare, keep/],
    [['bench', 'scaling', 'port-knocking', '--trace', 'unifrom'], 2, /Did you mean uniform\?/],
    [['bench', 'scaling', 'none.ts'], 2, /none\.ts/],
    [['bench', 'mlffr', 'forwarder', '--preset', 'rfc2455'], 2, /Did you mean rfc2544\?/],
    [['bench', 'mlffr', 'forwarder', '--closed-loop'], 2, /goes with --lab/],
    [['bench', 'profile', 'forwarder', '--with', 'gprof'], 2, /--with takes perf or v8/],
    [['bench', 'figures', '--only', 'figure-3'], 2, /--only takes figure-1, /],
    [['bench', 'comprae'], 2, /Did you mean compare\?/],
    [['bench', 'compare', 'x.json'], 2, /two files/],
    [['bench', 'compare', 'x.json', 'y.json'], 4, /x\.json: there is no such file/],
    [['bench', 'compare', 'package.json', 'package.json'], 4, /package\.json is no benchmark record/],
    [['bench', 'compare', 'x', 'y', '--ledger', 'z'], 2, /--ledger does not belong to bench compare/],
    [['bench', 'keep', 'x.json'], 2, /--ledger FILE is missing/],
  ]
  for (const [args, code, says] of cases) {
    const ended = await hairpin(args)
    assert.equal(ended.code, code, ended.err)
    assert.match(ended.err, says)
  }
})

test('the ledgers of this repository hold records of commits', () => {
  const place = join(root, 'bench/ledger')
  for (const name of readdirSync(place).filter(n => n.endsWith('.jsonl'))) {
    const records = parseRecords(readFileSync(join(place, name), 'utf8'))
    assert.ok(!('problem' in records), name)
    for (const { environment: from } of records) assert.match(from.commit ?? '', /^[0-9a-f]{12}$/)
  }
})
