// Runs from end to end, as a user sees them.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../tools/sources.js'
import { demoCapture, folder, hairpin } from './hairpin.js'

const knocking = 'programs/port-knocking.ts'
const at = (name: string): string => join(folder, name)
const call = ['run', knocking, '--in', demoCapture]

test('a run in a pipe says what it found, and nothing on standard error', async () => {
  const { code, out, err } = await hairpin(call)
  assert.equal(code, 0)
  assert.equal(err, '')
  assert.match(out, /^portKnocking: 850 packets, strategy single, 1 worker$/m)
  assert.match(out, /^ {2}drop +806 +94\.8 %/m)
  assert.match(out, /^ {2}received 850 = sum of verdicts, unaccounted 0$/m)
  assert.match(out, /^ {2}opened +2$/m)
  assert.match(out, /Mpps, .* Gbit\/s/)
})

test('what a run writes, a run reads: pcap, pcapng, by verdict, through pipes', async () => {
  const [all, dropped, rest] = [at('all.pcap'), at('dropped.pcapng'), at('rest.pcap')]
  const outputs = ['--out', `all=${all}`, '--out', `drop=${dropped}`, '--out', rest]
  const first = await hairpin([...call, ...outputs])
  assert.equal(first.code, 0, first.err)
  assert.deepEqual(readFileSync(all).subarray(24), expectedRecords())
  const count = async (file: string): Promise<number> =>
    (JSON.parse((await hairpin(['traffic', 'info', file, '--json'])).out) as { packets: number }).packets
  assert.equal(await count(all), 850)
  assert.equal(await count(dropped), 806)
  assert.equal(await count(rest), 44)
  const piped = await hairpin([...call, '--out', 'transmit=-'])
  assert.deepEqual(piped.bytes, readFileSync(rest))
  assert.match(piped.err, /^portKnocking: 850 packets/)
  const fed = await hairpin(['run', knocking, '--in', '-', '--json'], { input: readFileSync(all) })
  assert.deepEqual((JSON.parse(fed.out) as { verdicts: object }).verdicts, {
    drop: 806,
    pass: 0,
    transmit: 44,
    redirect: 0,
  })
})

/** The capture's records with times in nanoseconds, as our writer puts them. */
function expectedRecords(): Buffer {
  const records = Buffer.from(readFileSync(join(root, demoCapture)).subarray(24))
  for (let next = 0; next < records.length; next += 16 + records.readUInt32LE(next + 8))
    records.writeUInt32LE(records.readUInt32LE(next + 4) * 1000, next + 4)
  return records
}

test('a parameter changes after so many packets, for every worker alike', async () => {
  const transmitted = async (...flags: string[]): Promise<number> => {
    const { code, out, err } = await hairpin([...call, '--json', ...flags])
    assert.equal(code, 0, err)
    return (JSON.parse(out) as { verdicts: { transmit: number } }).verdicts.transmit
  }
  // Nobody can open the port from packet 100 on who has not before.
  const change = ['--change', '1_00:first=1', '--change', '100:second=0x2']
  const [before, alone] = [await transmitted(), await transmitted(...change)]
  assert.ok(alone < before, `${alone} of ${before}`)
  for (const history of ['reference', 'value'])
    assert.equal(await transmitted(...change, '-s', 'scr', '-c', '3', '--history', history), alone)
  const { code, out } = await hairpin(['verify', knocking, '--in', demoCapture, '-c', '3', ...change])
  assert.equal(code, 0, out)
  const late = await hairpin([...call, '--change', '851:first=1'])
  assert.match(late.out, /1 change did not take place: the capture ended before/)
  for (const [wrong, said] of [
    ['first=1', /--change takes PACKETS:NAME=VALUE/],
    ['5:frist=1', /no parameter or rule table frist; .* Did you mean first\?/],
    ['5:first=x', /--change first takes/],
  ] as const) {
    const { code, err } = await hairpin([...call, '--change', wrong])
    assert.equal(code, 2)
    assert.match(err, said)
  }
})

test('parameters change what a program does, addresses and ports spelled as people do', async () => {
  const closed = await hairpin([...call, '--set', 'first=1', '--set', 'second=0x2', '--json'])
  assert.equal((JSON.parse(closed.out) as { verdicts: { transmit: number } }).verdicts.transmit, 0)
  const nat = ['run', 'programs/source-nat.ts', '--in', demoCapture, '--json']
  const elsewhere = await hairpin([...nat, '--set', 'network=172.16.0.0', '--set', 'mask=255.240.0.0'])
  assert.equal((JSON.parse(elsewhere.out) as { verdicts: { pass: number } }).verdicts.pass, 850)
})

test('16 workers: the same result, for correctness only', async () => {
  const many = await hairpin([...call, '--strategy', 'scr', '--cores', '16'])
  assert.equal(many.code, 0, many.err)
  assert.match(many.out, /strategy replicated, 16 workers/)
  assert.match(many.out, /^ {2}transmit +44 /m)
  if (availableParallelism() < 16) {
    assert.match(many.out, /correctness only: 16 workers share \d+ CPUs?, so no rate is given/)
    assert.doesNotMatch(many.out, /Mpps/)
  }
  const virtual = await hairpin([...call, '--strategy', 'rss', '--cores', '7', '--virtual', '--json'])
  const { mpps, mode, verdicts } = JSON.parse(virtual.out) as { mpps: null; mode: string; verdicts: object }
  assert.equal(mpps, null)
  assert.equal(mode, 'virtual')
  assert.deepEqual(verdicts, { drop: 806, pass: 0, transmit: 44, redirect: 0 })
})

test('Ctrl-C ends a run with figures of what was done, on one worker and on two', async () => {
  const big = at('big.pcap')
  const law = ['--law', 'uniform', '--packets', '1M', '--frame-limit', '64']
  assert.equal((await hairpin(['traffic', 'make', ...law, '--out', big])).code, 0)
  const slow = ['run', 'programs/busy-forwarder.ts', '--in', big, '--set', 'iterations=16384', '--json']
  for (const how of [[], ['--strategy', 'shared', '--cores', '2']]) {
    // A run fills the cache, so that the others begin at once; a second tells what that is on this machine now.
    const short = ['run', 'programs/busy-forwarder.ts', '--in', demoCapture, ...how]
    await hairpin(short)
    const start = performance.now()
    await hairpin(short)
    const interruptAfter = 1000 + 2 * (performance.now() - start)
    const { code, out, err } = await hairpin([...slow, ...how], { interruptAfter })
    assert.equal(code, 130, err)
    assert.match(err, /interrupted; the figures above cover what was processed until then/)
    const { interrupted, received, unaccounted } = JSON.parse(out) as Record<string, number | boolean>
    assert.equal(interrupted, true)
    assert.equal(unaccounted, 0)
    assert.ok(Number(received) > 0 && Number(received) < 1_000_000, String(received))
  }
})

test('a compiled program is kept, and compiled again when its source changes', async () => {
  const file = at('kept.ts')
  const cache = at('kept-cache')
  const env = { HAIRPIN_CACHE: cache }
  const text = readFileSync(join(root, knocking), 'utf8')
  const kept = (): number => readdirSync(cache).filter(f => f.includes('.artifact')).length
  const transmitted = async (source: string): Promise<number> => {
    writeFileSync(file, source)
    const { out } = await hairpin(['run', file, '--in', demoCapture, '--json'], { env })
    return (JSON.parse(out) as { verdicts: { transmit: number } }).verdicts.transmit
  }
  assert.equal(await transmitted(text), 44)
  assert.equal(kept(), 1)
  assert.equal(await transmitted(text), 44)
  assert.equal(await transmitted(text.replaceAll('7001', '9999')), 0)
  assert.equal(kept(), 2)
  const none = await hairpin(['run', file, '--in', demoCapture], { env: { HAIRPIN_CACHE: '' } })
  assert.equal(none.code, 0)
  assert.ok(!existsSync(join(root, 'undefined')))
})

test('verify proves port knocking at 1 to 16 workers, in one row for each strategy', async () => {
  const { code, out } = await hairpin(['verify', knocking, '--in', demoCapture, '--cores', '1..16'])
  assert.equal(code, 0)
  assert.match(out, /^portKnocking: every strategy fulfils its contract on 850 packets/)
  assert.match(out, /^ {2}replicated, history by value +1\.\.16 +exact$/m)
})

test('the demo: identical first, 80 columns, what to type next', async () => {
  const { code, out } = await hairpin(['demo'])
  assert.equal(code, 0)
  assert.match(out, /^verdicts and state identical to the serial run\n/)
  assert.match(out, /756 of a real capture and\s+94 merged into it/)
  assert.match(out, /A file in memory is not where replication pays/)
  assert.match(out, /hairpin run programs\/port-knocking\.ts --in YOUR\.pcap -s scr -c 2/)
  for (const line of out.split('\n')) assert.ok(line.length <= 80, line)
})

test('a trace for people', async () => {
  const { code, out } = await hairpin(['trace', knocking, '--in', demoCapture, '--packet', '30'])
  assert.equal(code, 0)
  assert.match(out, /^packet 30 of programs\/demo\/knocking\.pcap: 62 bytes/)
  assert.match(out, /^ {2}33 {4}if \(state === CLOSED_3 && knock === third\) return OPEN {2}→ yes$/m)
  assert.match(out, /^ {2}knocks {2}198\.51\.100\.7 {2}2 → 3$/m)
  assert.match(out, /^verdict: transmit$/m)
})

test('build writes an object for the kernel, with the settings it is given', async () => {
  const [plain, set] = ['plain.o', 'set.o'].map(file => join(folder, file))
  for (const args of [
    ['--out', plain],
    ['--out', set, '--set', 'second=9000'],
  ])
    assert.equal((await hairpin(['build', knocking, ...args])).code, 0)
  const [a, b] = [plain, set].map(path => readFileSync(path))
  assert.equal(a.subarray(1, 4).toString(), 'ELF')
  const differ = a.filter((byte, k) => byte !== b[k]).length
  assert.deepEqual([a.length, differ], [b.length, 2], 'two bytes, those of the port')
  const text = await hairpin(['build', knocking, '--emit', 'bpf'])
  assert.match(text.out, /; main: \d+ instructions\n/)
  assert.match(text.out, /; \d+: const before = knocks\.get\(ip\.source\)/)
  assert.match(text.out, /call knocks\.insert/)
})

test('build writes the same module every time, and text that says what it is', async () => {
  const [a, b] = [at('a.wasm'), at('b.wasm')]
  for (const out of [a, b]) assert.equal((await hairpin(['build', knocking, '--out', out])).code, 0)
  assert.deepEqual(readFileSync(a), readFileSync(b))
  assert.ok(WebAssembly.validate(readFileSync(a)))
  for (const [stage, begins] of [
    ['ast', /^ImportDeclaration/],
    ['ir', /^; as the front end makes it/],
    ['slice', /^; the item: \d+ bytes/],
    ['expanded', /^; main: /],
    ['wat', /^\(module \$portKnocking/],
  ] as const) {
    const { code, out } = await hairpin(['build', knocking, `--emit=${stage}`])
    assert.equal(code, 0)
    assert.match(out, begins)
  }
})

test('traffic: the same flags give the same bytes, and info finds what make promised', async () => {
  const flags = [
    '--law',
    'university-1',
    '--flows',
    '200',
    '--packets',
    '5k',
    '--knockers',
    '3',
    '--seed',
    '7',
  ]
  const made = await hairpin(['traffic', 'make', ...flags, '--out', at('one.pcap')])
  assert.match(made.out, /5,000 packets of 203 flows/)
  const again = await hairpin(['traffic', 'make', ...flags, '--out', '-'])
  assert.deepEqual(again.bytes, readFileSync(at('one.pcap')))
  const info = await hairpin(['traffic', 'info', '-'], { input: again.bytes })
  assert.match(info.out, /^-: 5,000 packets/)
  const laws = await hairpin(['traffic', 'make', '--law', 'list'])
  assert.match(laws.out, /^ {2}university-1 +EDU1/m)
})
