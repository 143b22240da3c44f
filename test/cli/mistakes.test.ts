// What the command line answers to mistakes: the exit code, and words that help.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../tools/sources.js'
import { demoCapture, folder, hairpin, main, run } from './hairpin.js'

const knocking = 'programs/port-knocking.ts'
const at = (name: string): string => join(folder, name)

/** A call that must end with this code and say this, with nothing on standard output. */
async function refuses(args: readonly string[], code: number, says: RegExp): Promise<void> {
  const ended = await hairpin(args)
  assert.match(ended.err, says)
  assert.equal(ended.code, code, ended.err)
  assert.equal(ended.out, '')
  assert.doesNotMatch(ended.err, /^ {4}at /m, 'a stack is no answer')
}

test('mistyped commands and flags', async () => {
  await refuses(['ruin'], 2, /there is no command ruin\. Did you mean run\?\n.*--help/)
  await refuses(['frobnicate'], 2, /there is no command frobnicate\.\n/)
  await refuses(
    ['run', knocking, '--in', demoCapture, '--cors', '2'],
    2,
    /no flag --cors\. Did you mean --cores\?/,
  )
  await refuses(['run', knocking, '--in', demoCapture, '--cores'], 2, /--cores needs a value/)
  await refuses(['run', knocking, '--in', demoCapture, '--json=1'], 2, /--json takes no value/)
  await refuses(['build', knocking, '--emit', 'irr'], 2, /--emit takes ast, .* Did you mean ir\?/)
  await refuses(['build', knocking, '--emit', 'wat', '--pin'], 2, /--pin is for objects: --emit object/)
})

test('missing and surplus arguments', async () => {
  await refuses(['run'], 2, /PROGRAM is missing\nType hairpin run --help/)
  await refuses(['run', knocking], 2, /--in FILE is missing/)
  await refuses(['check', knocking, knocking], 2, /one PROGRAM is expected, not 2/)
  await refuses(['traffic'], 2, /make or info is missing/)
  await refuses(['traffic', 'inof', demoCapture], 2, /Did you mean info\?/)
  await refuses(['demo', 'x'], 2, /takes no arguments/)
})

test('values out of range', async () => {
  const call = ['run', knocking, '--in', demoCapture]
  await refuses([...call, '--cores', '17'], 2, /--cores takes a whole number from 1 to 16, not 17/)
  await refuses([...call, '--cores', 'two'], 2, /--cores takes a whole number/)
  await refuses([...call, '--strategy', 'magic'], 2, /--strategy takes single, .* not magic/)
  await refuses([...call, '--strategy', 'single', '--cores', '2'], 3, /strategy single has one worker/)
  await refuses([...call, '--out', 'maybe=x.pcap'], 2, /VERDICT=FILE .* not maybe=x\.pcap/)
  await refuses([...call, '--history', 'air'], 2, /--history takes reference or value, not air/)
  await refuses([...call, '-s', 'rss', '--fields', 'sorce'], 2, /Did you mean source\?/)
  await refuses(['verify', knocking, '--in', demoCapture, '--cores', '3..1'], 2, /like 1,2,7 or 1\.\.16/)
  await refuses(
    ['trace', knocking, '--in', demoCapture, '-p', '850'],
    2,
    /has 850 packets, so --packet takes 0 to 849/,
  )
})

test('parameters and rule tables', async () => {
  const call = ['run', knocking, '--in', demoCapture]
  await refuses([...call, '--set', 'first=99999'], 2, /--set first takes a port, 0 to 65535, not 99999/)
  await refuses(
    [...call, '--set', 'frist=7'],
    2,
    /no parameter frist; it has first, second, third\. Did you mean first\?/,
  )
  await refuses([...call, '--set', 'first'], 2, /--set takes name=value/)
  await refuses(
    ['run', 'programs/source-nat.ts', '--in', demoCapture, '--set', 'network=10.0.0'],
    2,
    /IPv4 address/,
  )
  await refuses([...call, '--table', 'routes=x.csv'], 2, /no rule table routes; it has none/)
  const rules = at('routes.csv')
  writeFileSync(rules, 'key,device\n10.0.0.0/99,1\n')
  const routes = ['run', 'programs/prefix-forwarder.ts', '--in', demoCapture]
  await refuses([...routes, '--table', `routes4=${rules}`], 2, /routes\.csv:\d+/)
  // Where the kernel answers for routes, a file has no say.
  const router = 'programs/router.ts'
  const told = /fib4 asks the kernel's own routes, which are read and changed with ip -4 route/
  await refuses(['attach', router, '--dry-run', '--table', `fib4=${rules}`], 2, told)
  await refuses(['build', router, '--emit', 'object', '--table', `fib4=${rules}`], 2, told)
  const test = ['test', router, '--in', demoCapture, '--expect', demoCapture, '--backend', 'ebpf']
  await refuses(test, 2, /this machine's would answer: test it with --backend wasm/)
})

test('files that are not there, or not what they should be', async () => {
  await refuses(
    ['run', 'heavy-hitter', '--in', demoCapture],
    2,
    /comes with hairpin is .*programs\/heavy-hitter\.ts\.$/m,
  )
  await refuses(['run', knocking, '--in', at('none.pcap')], 4, /none\.pcap: there is no such file/)
  await refuses(
    ['run', knocking, '--in', `${demoCapture}x`],
    4,
    /Did you mean programs\/demo\/knocking\.pcap\?/,
  )
  await refuses(['run', knocking, '--in', 'programs'], 4, /programs: it is a directory/)
  await refuses(
    ['run', 'programs/port-knokcing.ts', '--in', demoCapture],
    2,
    /Did you mean programs\/port-knocking\.ts\?/,
  )
  await refuses(['check', 'programs'], 2, /it is a directory/)
  await refuses(['traffic', 'info', at('none.pcap')], 4, /there is no such file/)
  // No tables of noughts above the reason, and no proof over no packets.
  for (const command of ['run', 'verify'])
    await refuses([command, knocking, '--in', knocking], 4, /byte 0: it is no capture/)
  await refuses(['traffic', 'info', knocking], 4, /byte 0: it is no capture/)
})

test('a capture that is cut off is processed up to the damage', async () => {
  const cut = at('cut.pcap')
  writeFileSync(cut, readFileSync(join(root, demoCapture)).subarray(0, 5000))
  const { code, out, err } = await hairpin(['run', knocking, '--in', cut])
  assert.equal(code, 4)
  assert.match(out, /^portKnocking: 15 packets/)
  assert.match(err, /cut\.pcap: byte 3916: the file ends inside a record/)
})

test('a program with errors: all of them, with place and advice, and nothing runs', async () => {
  const file = at('bad.ts')
  writeFileSync(
    file,
    `import { type Packet, type u8, Verdict } from 'hairpin'
export default function bad(packet: Packet): Verdict {
  const small: u8 = 300
  while (packet.length > 3) {}
  return packet.ipv4
}
`,
  )
  const { code, out, err } = await hairpin(['check', file])
  assert.equal(code, 3)
  assert.equal(out, '')
  for (const line of [3, 4, 5]) assert.match(err, new RegExp(`bad\\.ts:${line}:\\d+: error`))
  assert.match(err, /^ {2}try: /m)
  assert.match(err, /bad\.ts does not compile\n$/)
})

test('state that fits nowhere is an error of the program, with the sum', async () => {
  const file = at('huge.ts')
  const text = readFileSync(join(root, knocking), 'utf8').replace('65_536', '400_000_000')
  writeFileSync(file, text)
  await refuses(['check', file], 3, /huge\.ts:\d+:\d+: error HP\d+: state needs knocks \d+/)
})

test('a program that cannot run that way: the reason with its line', async () => {
  const nat = ['run', 'programs/source-nat.ts', '--in', demoCapture, '-s', 'rss', '-c', '2']
  await refuses(nat, 3, /sourceNat cannot be sharded: .*programs\/source-nat\.ts:\d+:\d+/)
  const fields = ['run', knocking, '--in', demoCapture, '-s', 'rss', '-c', '2', '--fields', 'destination']
  await refuses(fields, 3, /cannot be sharded by destination: .*port-knocking\.ts:\d+/)
  // What a NIC that hashes addresses and ports would do to programs that count by source.
  for (const name of ['ddos-mitigator', 'port-knocking']) {
    const four = ['--fields', 'source,destination,sourcePort,destinationPort']
    const nic = ['verify', `programs/${name}.ts`, '--in', demoCapture, '-s', 'rss', '-c', '2', ...four]
    await refuses(nic, 3, new RegExp(`cannot be sharded by source, destination, .*${name}\\.ts:\\d+`))
  }
  const sharing = ['run', knocking, '--in', demoCapture, '-s', 'shared', '-c', '2', '--sharing', 'atomics']
  await refuses(sharing, 3, /cannot be shared with atomics: .*port-knocking\.ts:\d+.*\n.*key-lock/)
})

test('output that cannot be written', async () => {
  const { code, err } = await hairpin(['run', knocking, '--in', demoCapture, '--out', '/nonexistent/x.pcap'])
  assert.equal(code, 4)
  assert.match(err, /\/nonexistent\/x\.pcap: cannot be created/)
  await refuses(['build', knocking, '--out', '/nonexistent/x.wasm'], 4, /cannot be written/)
})

test('a specification of traffic lists all that is wrong with it', async () => {
  const call = ['traffic', 'make', '--law', 'moon', '--rate', '0', '--out', at('x.pcap')]
  await refuses(call, 2, /--law: 'moon' is none of .*\n.*--rate: 0 is no number.*\n.*--flows or --packets/)
})

test('a reader that goes away is no fault', async () => {
  const script = `"${process.execPath}" "${main}" check programs/connection-tracker.ts | head -n 1; echo "\${PIPESTATUS[0]}"`
  const { out, err } = await run('bash', ['-c', script])
  assert.equal(out, 'connectionTracker (programs/connection-tracker.ts)\n0\n')
  assert.equal(err, '')
})
