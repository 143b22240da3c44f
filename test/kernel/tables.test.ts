/** Rule tables that are ordinary maps of the kernel: looked up, changed while packets flow, redirected through. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Compiled } from '../../src/compile.js'
import { load } from '../../src/engine/kernel/load.js'
import { figuresOf } from '../../src/engine/kernel/figures.js'
import { up } from '../../src/lab/lab.js'
import { buildRules } from '../../src/state/rules.js'
import type { RuleRow, RuleRows } from '../../src/state/rules.js'
import { possibleCpus } from '../../src/sys/cpus.js'
import { testRun } from '../../src/sys/test-run.js'
import { agree } from './agree.js'
import { counterProgram, verdicts } from './counter.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'
import { address, compiled, packets, valuesOf } from './table-programs.js'

const skip = withoutPrograms
const seed = 1n

function withRules(subject: Compiled, rows: RuleRows) {
  const built = buildRules(subject.artifact.rulesLayout, rows)
  assert.ok(built.ok, built.ok ? '' : built.message)
  return { ...subject, rules: built.bytes, rows }
}

test('look-ups in hash and longest-prefix maps give what the interpreter gives', { skip }, () => {
  const subject = compiled(
    `const exact = rules({ key: { odd: u8, source: ipv4, port: port }, value: { a: u8, b: u64, c: bool, d: ipv6, e: bytes(5) }, capacity: 100, map: 'hash' })
     const wide = lpm({ key: { port: port, destination: ipv4 }, value: { hop: mac, n: u16 }, capacity: 100, map: 'lpm' })
     const six = lpm({ key: ipv6, value: u32, capacity: 100, map: 'lpm' })
     const plain = rules({ key: u32, value: u32, capacity: 10 })
     const seen = table({ key: ipv4, value: u64, capacity: 64 })`,
    `const ethernet = packet.ethernet
     if (!ethernet) return Verdict.Drop
     const ip6 = packet.ipv6
     if (ip6) {
       const found = six.lookup(ip6.destination)
       if (found === undefined) return Verdict.Drop
       ip6.flowLabel = found
       return Verdict.Transmit
     }
     const ip = packet.ipv4
     const udp = ip?.udp
     if (!udp) return Verdict.Pass
     const rule = exact.lookup({ odd: u8(ip.source & 1), source: ip.source, port: udp.sourcePort })
     const hop = wide.lookup({ port: udp.sourcePort, destination: ip.destination })
     if (rule) {
       udp.payload?.setU64(0, rule.b)
       udp.payload?.setU8(8, rule.a)
       udp.payload?.setBytes(9, rule.e)
       if (rule.c) seen.set(ip.source, rule.b)
       udp.payload?.setU8(20, u8(rule.d === ipv6('202:202:202:202:202:202:202:202') ? 1 : 2))
     }
     if (hop) { ethernet.destination = hop.hop; ip.identification = hop.n }
     if (!rule && !hop) return plain.lookup(ip.source) === undefined ? Verdict.Drop : Verdict.Pass
     return Verdict.Transmit`,
  )
  const exact: RuleRow[] = []
  for (let source = 0; source < 4; source++)
    for (const port of [1, 2])
      exact.push({
        key: [source & 1, address(10, 0, 1, source), port],
        value: [
          source,
          0x0102030405060708n + BigInt(port),
          port === 2,
          new Uint8Array(16).fill(source),
          new Uint8Array(5).fill(0xa0 + source),
        ],
      })
  const rows: RuleRows = {
    exact,
    wide: [
      { key: [1, address(10, 1, 0, 0)], prefix: 16, value: [0x020000000a01n, 7] },
      { key: [1, address(10, 1, 2, 0)], prefix: 24, value: [0xf20000000a02n, 0xabcd] },
      { key: [2, address(0, 0, 0, 0)], prefix: 0, value: [0x020000000a03n, 9] },
    ],
    six: [
      { key: [Uint8Array.of(0x20, 1, 0xd, 0xb8, ...new Uint8Array(12))], prefix: 32, value: [11] },
      { key: [Uint8Array.of(0x20, 1, 0xd, 0xb8, 1, ...new Uint8Array(11))], prefix: 40, value: [12] },
    ],
    plain: [{ key: [address(10, 0, 0, 1)], value: [1] }],
  }
  agree(withRules(subject, rows), packets(400), seed)
})

test(
  'packets are redirected through maps of devices, and what has no device gets the other verdict',
  { skip: without('liveFrames') },
  async () => {
    const subject = compiled(
      `const uplinks = devices({ capacity: 8, map: 'devices' })
     const xsks_map = sockets({ capacity: 4 })`,
      `const ip = packet.ipv4
     if (!ip) return xsks_map.redirect(packet.u8(11) ?? 0, Verdict.Transmit)
     if (ip.source === 0x0a0000ff) { const d = uplinks.lookup(2); return d === undefined ? Verdict.Drop : Verdict.Transmit }
     return uplinks.redirect(ip.source & 0xffffff, Verdict.Pass)`,
    )
    const lab = up({
      namespaces: { router: {}, sink: {} },
      pairs: [
        {
          ends: [
            { namespace: 'router', device: 'out' },
            { namespace: 'sink', device: 'in' },
          ],
        },
      ],
    })
    const device = lab.interface('router', 'out').index
    const loaded = lab.inNamespace('router', () =>
      load(subject, { settings: new Map(), seed, rows: { uplinks: [{ key: [2], value: [device] }] } }),
    )
    const sink = counterProgram(verdicts.drop)
    try {
      const frame = (last: number, third = 0): Uint8Array => {
        const { bytes } = packets(1).packet(0)
        bytes.set([10, third, 0, last], 26)
        return bytes
      }
      const verdict = (bytes: Uint8Array): number =>
        testRun(loaded.program, { data: Uint8Array.from(bytes) }).verdict
      assert.equal(verdict(frame(2)), 4)
      for (const [last, third] of [
        [1, 0],
        [7, 0],
        [8, 0],
        [2, 1],
      ] as const)
        assert.equal(verdict(frame(last, third)), verdicts.pass)
      assert.equal(verdict(frame(255)), verdicts.transmit)
      const other = packets(3).packet(2).bytes
      assert.equal(verdict(other), verdicts.transmit, 'there is no socket')
      const uplinks = loaded.maps.get('uplinks')!
      uplinks.delete(Uint8Array.of(2, 0, 0, 0))
      assert.equal(verdict(frame(255)), verdicts.drop)
      assert.equal(verdict(frame(2)), verdicts.pass)
      uplinks.update(Uint8Array.of(2, 0, 0, 0), new Uint8Array(Uint32Array.of(device).buffer))
      const found = figuresOf(valuesOf(loaded), [], possibleCpus()).verdicts
      assert.deepEqual([found.get('redirect'), found.get('pass'), found.get('transmit')], [1n, 5n, 2n])
      assert.equal(sink.count(), 0, 'test runs send nothing')
    } finally {
      loaded.close()
      sink.close()
      lab.down()
    }
  },
)
