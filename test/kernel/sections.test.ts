/**
 * One state for all CPUs by atomic additions and by a lock per key: verified, equal to the interpreter, and linearizable
 * with two CPUs contending, by the checker that user space is checked with (engine/commit-order.ts).
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { mayRepeat } from '../../src/backend/ebpf/section.js'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { openCapture } from '../../src/device/capture.js'
import { Evidence, commitOrder } from '../../src/engine/commit-order.js'
import { figuresOf } from '../../src/engine/kernel/figures.js'
import { newest } from '../../src/engine/kernel/form.js'
import { load } from '../../src/engine/kernel/load.js'
import { isSection, kernelSharing, kernelSharings, whyNotShared } from '../../src/engine/kernel/sharing.js'
import type { KernelSharing } from '../../src/engine/kernel/sharing.js'
import { loadPackets } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import type { Func } from '../../src/ir/types.js'
import { onlineCpus, possibleCpus } from '../../src/sys/cpus.js'
import { root } from '../../tools/sources.js'
import { main, run } from '../cli/hairpin.js'
import { bundledProgram, trialNames } from '../programs.js'
import { agree } from './agree.js'
import { contend, numbered } from './contend.js'
import { KernelMachine, withoutPrograms } from './machine.js'

const skip = withoutPrograms
const seed = 1n
const knocking = join(root, 'programs/demo/knocking.pcap')
const store = loadPackets((memory, workspace) => openCapture(knocking, { memory, workspace }))

const least: Readonly<Record<string, KernelSharing>> = {
  'busy-forwarder': 'program-lock',
  'connection-tracker': 'key-lock',
  'ddos-mitigator': 'atomics',
  'dns-flood': 'key-lock',
  forwarder: 'none',
  'heavy-hitter': 'atomics',
  'key-value-cache': 'key-lock',
  'port-knocking': 'key-lock',
  'prefix-forwarder': 'none',
  'source-nat': 'program-lock',
  'token-bucket': 'key-lock',
}

/** What the verifier walks at most, of a million. */
const ceiling = 600_000

for (const name of trialNames) {
  const subject = bundledProgram(name)
  test(`${name}: the kernel's form is the least that is safe`, () => {
    assert.equal(kernelSharing(subject, newest), least[name])
  })
  for (const form of kernelSharings.filter(isSection))
    if (whyNotShared(subject, form, newest) === undefined)
      test(`${name} by ${form}: verified, and equal to the interpreter`, { skip }, () => {
        const { verified } = agree(subject, store, seed, { section: { form } })
        assert.ok(verified <= ceiling, `the verifier walks ${verified} instructions`)
      })
}

const frames = numbered(store, 48)

/** What differs from the serial run in the order that the evidence tells. */
function differences(
  subject: Compiled,
  form: 'atomics' | 'key-lock',
  machine: KernelMachine,
  packets: number,
): string[] {
  const { program, artifact } = subject
  const { stateLayout, rulesLayout, sharing } = artifact
  const found: string[] = []
  const records = machine.evidence()
  if (records.length !== packets) found.push(`${records.length} of ${packets} packets`)
  const evidence = new Evidence(records.length, form === 'atomics' ? sharing.bits : 64)
  records.forEach((r, n) => {
    evidence.begin[n] = r.begin
    evidence.end[n] = r.end
    evidence.place[n] = r.place
    evidence.before[n] = r.before
    evidence.amount[n] = r.amount
  })
  const { order, problem } = commitOrder(evidence)
  if (problem) found.push(`packet ${problem.packet}: ${problem.what}`)
  const serial = new Serial(program, { stateLayout, rulesLayout, seed })
  for (const n of order) {
    const { packet, verdict, sequence } = records[n]
    const bytes = frames[packet].slice()
    const received = { bytes, originalLength: 0, timestamp: 0n, sequence, device: 0 }
    if (verdict !== serial.process(received)) found.push(`verdict of record ${n}`)
  }
  if (Buffer.compare(machine.state(), serial.memory.bytes) !== 0) found.push('state')
  return found
}

for (const [name, form] of [
  ['ddos-mitigator', 'atomics'],
  ['heavy-hitter', 'atomics'],
  ['ddos-mitigator', 'key-lock'],
  ['port-knocking', 'key-lock'],
  ['token-bucket', 'key-lock'],
  ['connection-tracker', 'key-lock'],
] as const)
  test(`${name} by ${form}: CPUs contending are linearizable`, { skip }, async () => {
    const machine = new KernelMachine(bundledProgram(name), { seed, section: { form } })
    try {
      const packets = await contend(machine.program.fd, frames)
      assert.deepEqual(differences(bundledProgram(name), form, machine, packets).slice(0, 5), [])
    } finally {
      machine.close()
    }
  })

test(
  'entries that come and go all the time, in a table that is nearly full, are linearizable',
  { skip },
  async () => {
    // Every packet inserts its key or removes it, in two buckets: who inserts is alone, who removes has the key's lock.
    const text = `import { type Packet, Verdict, table, u32 } from 'hairpin'
    const there = table({ key: u32, value: u32, capacity: 8 })
    export default function toggle(packet: Packet): Verdict {
      const key = packet.u32(0) ?? 0
      if (there.has(key)) { there.delete(key); return Verdict.Drop }
      return there.set(key, key) ? Verdict.Pass : Verdict.Transmit
    }`
    const { compiled, diagnostics } = compile('toggle.ts', text)
    assert.ok(compiled, JSON.stringify(diagnostics))
    const machine = new KernelMachine(compiled, { seed, section: { form: 'key-lock' } })
    try {
      const packets = await contend(machine.program.fd, frames.slice(0, 13), 1501)
      assert.deepEqual(differences(compiled, 'key-lock', machine, packets).slice(0, 5), [])
      const verdicts = new Set(machine.evidence().map(r => r.verdict))
      assert.ok(verdicts.has(1) && verdicts.has(2), 'entries come and go')
    } finally {
      machine.close()
    }
  },
)

test(
  'without the locks of keys something is lost',
  { skip: skip || (onlineCpus().length < 2 && 'one CPU') },
  async () => {
    let lost = false
    // CPUs need not meet on a busy machine: they get several chances.
    for (let attempt = 0; attempt < 20 && !lost; attempt++) {
      const subject = bundledProgram('ddos-mitigator')
      const machine = new KernelMachine(subject, {
        seed,
        section: { form: 'key-lock', broken: true },
      })
      try {
        const packets = await contend(machine.program.fd, frames)
        lost = differences(subject, 'key-lock', machine, packets).length > 0
      } finally {
        machine.close()
      }
    }
    assert.ok(lost)
  },
)

test(
  'token-bucket by a lock per key, on the kernel’s clock: time does not step back under a key',
  { skip },
  async () => {
    // A step back would look like a pause of an hour, and fill the bucket.
    const [rate, burst] = [1n, 10n]
    const subject = bundledProgram('token-bucket')
    const loaded = load(subject, {
      settings: new Map([
        ['rate', rate],
        ['burst', burst],
      ]),
      seed,
      sharing: 'key-lock',
    })
    try {
      const flow = frames.filter(f => f[23] === 6).slice(0, 1)
      const start = process.hrtime.bigint()
      const packets = await contend(loaded.program.fd, flow, 20_000)
      const elapsed = process.hrtime.bigint() - start
      const key = new Uint8Array(new ArrayBuffer(4))
      const { verdicts } = figuresOf(map => loaded.maps.get(map)?.lookup(key), [], possibleCpus())
      const passed = Number(verdicts.get('transmit'))
      assert.equal(passed + Number(verdicts.get('drop')), packets)
      const most = Number(burst) + (Number(rate) * Number(elapsed)) / 1e9 + 1
      assert.ok(passed >= Number(burst) && passed <= most, `${passed} of at most ${most}`)
    } finally {
      loaded.close()
    }
  },
)

test('a program that is seen before it comes to its key does not begin again', () => {
  const made = (body: string): Func => {
    const text = `import { type Packet, Verdict, table, counter, ipv4, u64 } from 'hairpin'
      const last = table({ key: ipv4, value: u64, capacity: 16 })
      const seen = counter()
      export default function p(packet: Packet): Verdict {
        const ip = packet.ipv4
        if (!ip) { seen.add(); return Verdict.Drop }
        ${body}
        return Verdict.Pass
      }`
    const { compiled, diagnostics } = compile('p.ts', text)
    assert.ok(compiled, JSON.stringify(diagnostics))
    return compiled.kernel.shared!.get('key-lock')!
  }
  const touch = 'const t = last.get(ip.source) ?? 0n; last.set(ip.source, packet.timestamp + t)'
  assert.equal(mayRepeat(made(`${touch}; seen.add()`)), true)
  assert.equal(mayRepeat(made(`seen.add(); ${touch}`)), false)
  assert.equal(mayRepeat(made(`ip.ttl -= 1; ${touch}`)), false)
})

test('what a kernel lacks leaves the next form, with the reason', () => {
  const counting = bundledProgram('ddos-mitigator')
  for (const old of [{ loops: 'bounded', cpu: 'v3' } as const, { loops: 'may_goto', cpu: 'v2' } as const]) {
    assert.equal(kernelSharing(counting, old), 'program-lock')
    assert.match(whyNotShared(counting, 'atomics', old)!, /needs Linux 6\.9/)
  }
  assert.match(whyNotShared(bundledProgram('forwarder'), 'atomics', newest)!, /is not safe so/)
})

test(
  'attach --sharing: what is safe is taken, and what is not is refused with what is',
  { skip },
  async () => {
    const attach = (...args: string[]) =>
      run(process.execPath, [main, 'attach', ...args, '--dry-run', '--strategy', 'shared'])
    const knocking = 'programs/port-knocking.ts'
    const refused = await attach(knocking, '--sharing', 'atomics')
    assert.equal(refused.code, 3)
    assert.match(
      refused.err,
      /cannot be shared with atomics: .*\nIt is safe with --sharing key-lock or program-lock\./,
    )
    const forced = await attach('programs/ddos-mitigator.ts', '--sharing', 'key-lock')
    assert.equal(forced.code, 0, forced.err)
    const unknown = await attach(knocking, '--sharing', 'hope')
    assert.equal(unknown.code, 2)
    assert.match(unknown.err, /--sharing takes none, atomics, key-lock, program-lock, not hope/)
    const single = await run(process.execPath, [
      main,
      'attach',
      knocking,
      '--dry-run',
      '--sharing',
      'atomics',
    ])
    assert.equal(single.code, 2)
    assert.match(single.err, /--sharing is of strategy shared; strategy single shares nothing/)
  },
)
