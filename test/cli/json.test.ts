// Every --json output is what docs/schema says, in full.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../tools/sources.js'
import { problemsOf } from '../schema.js'
import { demoCapture, folder, hairpin } from './hairpin.js'

const schemaOf = (name: string): object =>
  JSON.parse(readFileSync(join(root, 'docs/schema', `${name}.json`), 'utf8')) as object

async function valid(schema: string, args: readonly string[], code = 0): Promise<Record<string, unknown>> {
  const ended = await hairpin([...args, '--json'])
  assert.equal(ended.code, code, ended.err)
  const found = JSON.parse(ended.out) as Record<string, unknown>
  assert.deepEqual(problemsOf(found, schemaOf(schema)), [], args.join(' '))
  return found
}

test('the validator notices what it should', () => {
  const schema = schemaOf('verify')
  const good = { strategy: 'single', cores: 1, contract: '', packets: 1, divergent: 0 }
  assert.deepEqual(problemsOf({ exact: true, cases: [good] }, schema), [])
  assert.deepEqual(problemsOf({ exact: 1, cases: [{ ...good, cores: 17, more: 1 }] }, schema), [
    '$.exact: expected boolean, not 1',
    '$.cases[0].cores: expected at most 16, not 17',
    '$.cases[0].more: is not documented',
  ])
  assert.deepEqual(problemsOf({ exact: true }, schema), ['$.cases: is missing'])
  assert.throws(() => problemsOf(1, { pattern: 'x' }), /keyword pattern is not checked/)
})

test('check', async () => {
  for (const name of ['port-knocking', 'connection-tracker', 'source-nat', 'prefix-forwarder', 'forwarder']) {
    const found = await valid('check', ['check', `programs/${name}.ts`])
    assert.equal(found.replicable, true)
  }
  const knocking = await valid('check', ['check', 'programs/port-knocking.ts'])
  assert.equal(knocking.sharing, 'key-lock')
  assert.ok((knocking.metadata as { bytes: number }).bytes <= 8)
  assert.deepEqual(knocking.maxCores, { '192': 14, '256': 14, xdp: 41 })
})

test('check of a program that cannot be replicated says where it fails', async () => {
  const file = join(folder, 'odd.ts')
  writeFileSync(
    file,
    `import { type Packet, cell, u32, Verdict } from 'hairpin'
const where = cell(u32)
export default function odd(packet: Packet): Verdict {
  const found = packet.u8(where.get())
  if (found === undefined) return Verdict.Drop
  where.set(where.get() + found)
  return Verdict.Pass
}
`,
  )
  const found = await valid('check', ['check', file])
  assert.equal(found.replicable, false)
  assert.equal(found.metadata, null)
  assert.deepEqual(found.maxCores, {})
  assert.equal((found.obstacle as { line: number }).line, 4)
})

test('run, with state of every kind', async () => {
  const args = ['--in', demoCapture, '--state']
  const found = await valid('run', ['run', 'programs/port-knocking.ts', ...args, '-s', 'scr', '-c', '2'])
  assert.deepEqual(found.verdicts, { drop: 806, pass: 0, transmit: 44, redirect: 0 })
  assert.equal(found.unaccounted, 0)
  assert.equal(found.history, 'reference')
  await valid('run', ['run', 'programs/source-nat.ts', ...args])
  await valid('run', ['run', 'programs/busy-forwarder.ts', ...args])
  await valid('run', ['run', 'programs/heavy-hitter.ts', ...args, '-s', 'rss', '-c', '3', '--virtual'])
  const lossy = ['-s', 'scr', '-c', '3', '--virtual', '--loss', '5%', '--change', '9:first=8']
  const under = await valid('run', ['run', 'programs/port-knocking.ts', ...args, ...lossy])
  assert.ok((under.drops as { lost: number }).lost > 0)
  const auto = await valid('run', ['run', 'programs/port-knocking.ts', ...args, '-s', 'auto', '-c', '2'])
  assert.match((auto.auto as { why: string }).why, /One flow carries [\d.]+ % .* a packet/)
})

test('run of a damaged capture has its fault', async () => {
  const cut = join(folder, 'cut.pcap')
  writeFileSync(cut, readFileSync(join(root, demoCapture)).subarray(0, 5000))
  const found = await valid('run', ['run', 'programs/port-knocking.ts', '--in', cut], 4)
  assert.equal(found.received, 15)
  assert.deepEqual(
    (found.faults as { kind: string; offset: number }[]).map(f => [f.kind, f.offset]),
    [['truncated', 3916]],
  )
})

test('verify', async () => {
  const found = await valid('verify', ['verify', 'programs/port-knocking.ts', '--in', demoCapture, '-c', '2'])
  assert.equal(found.exact, true)
  await valid('verify', [
    'verify',
    'programs/port-knocking.ts',
    '--in',
    demoCapture,
    '-c',
    '3',
    '--loss',
    '0,5%',
  ])
  const nat = ['verify', 'programs/source-nat.ts', '--in', demoCapture, '-c', '2', '-s', 'rss']
  const { exact, cases } = await valid('verify', nat, 3)
  assert.equal(exact, false)
  assert.match((cases as { skipped: string }[])[0].skipped, /cannot be sharded: .*source-nat\.ts:\d+/)
})

test('trace', async () => {
  const found = await valid('trace', ['trace', 'programs/source-nat.ts', '--in', demoCapture, '-p', '0'])
  assert.equal(found.verdict, 'transmit')
  await valid('trace', ['trace', 'programs/connection-tracker.ts', '--in', demoCapture, '-p', '6'])
})

test('traffic', async () => {
  const file = join(folder, 'made.pcap')
  const law = ['--law', 'campus', '--flows', '300', '--ipv6', '0.3', '--out', file]
  const made = await valid('traffic-make', ['traffic', 'make', ...law])
  const info = await valid('traffic-info', ['traffic', 'info', file])
  assert.equal(info.packets, (made.packets as { all: number }).all)
  assert.equal((info.flows as { count: number }).count, (made.flows as { all: number }).all)
  await valid('traffic-info', ['traffic', 'info', demoCapture])
})

test('demo', async () => {
  const found = await valid('demo', ['demo'])
  assert.equal(found.identical, true)
})
