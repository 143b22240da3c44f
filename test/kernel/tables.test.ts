/** Rule tables that are ordinary maps of the kernel: looked up, changed while packets flow, redirected through. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { PacketStore } from '../../src/engine/packets.js'
import { load } from '../../src/engine/kernel/load.js'
import type { LoadedProgram } from '../../src/engine/kernel/load.js'
import { figuresOf } from '../../src/engine/kernel/figures.js'
import { up } from '../../src/lab/lab.js'
import { buildRules } from '../../src/state/rules.js'
import type { RuleRow, RuleRows } from '../../src/state/rules.js'
import { entryOf, kernelMapOf } from '../../src/state/kernel-map.js'
import { possibleCpus } from '../../src/sys/cpus.js'
import { mountBpfFilesystem, openPinnedMap, pin, unpin } from '../../src/sys/pin.js'
import { testRun } from '../../src/sys/test-run.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { Random } from '../../src/traffic/random.js'
import { agree } from './agree.js'
import { counterProgram, verdicts } from './counter.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'

const skip = withoutPrograms
const seed = 1n

function compiled(declarations: string, body: string): Compiled {
  const names = [
    'bool',
    'bytes',
    'counter',
    'devices',
    'ipv4',
    'ipv6',
    'lpm',
    'mac',
    'port',
    'rules',
    'sockets',
  ]
  const used = [...names, 'table', 'u8', 'u16', 'u32', 'u64', 'i64'].filter(n =>
    new RegExp(`\\b${n}\\b`).test(declarations + body.replaceAll(/\.\w+/g, '')),
  )
  const text = `import { type Packet, Verdict, ${used.join(', ')} } from 'hairpin'
${declarations}
export default function tables(packet: Packet): Verdict {
${body}
}`
  const result = compile('tables.ts', text)
  assert.ok(result.compiled, result.diagnostics.map(d => `${d.code}: ${d.message}`).join('\n'))
  return result.compiled
}

const valuesOf =
  ({ maps }: LoadedProgram) =>
  (map: string): Uint8Array | undefined =>
    maps.get(map)?.lookup(new Uint8Array(4))

/** An Ethernet frame with an IPv4 or IPv6 header and 40 bytes behind it; addresses and ports are small. */
function packets(count: number): PacketStore {
  const store = new PacketStore('made')
  const random = new Random(7)
  for (let k = 0; k < count; k++) {
    const bytes = new Uint8Array(100)
    const six = k % 3 === 2
    bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 + (k % 4)], 0)
    bytes.set(six ? [0x86, 0xdd, 0x60] : [8, 0, 0x45], 12)
    const ip = 14
    if (six) {
      bytes.set([0, 60, 17, 64], ip + 4)
      bytes.set([0x20, 1, 0xd, 0xb8 + random.below(2)], ip + 24)
      bytes[ip + 39] = random.below(4)
      bytes[ip + 28] = random.below(3)
    } else {
      bytes.set([0, 86], ip + 2)
      bytes.set([64, 17], ip + 8)
      bytes.set([10, 0, random.below(3), random.below(4)], ip + 12)
      bytes.set([10, random.below(3), random.below(3), 9], ip + 16)
    }
    const udp = ip + (six ? 40 : 20)
    bytes.set([0, 1 + random.below(3), 0, 80, 0, 46], udp)
    store.add(bytes, bytes.length, BigInt(k), 0)
  }
  return store
}

function withRules(subject: Compiled, rows: RuleRows) {
  const built = buildRules(subject.artifact.rulesLayout, rows)
  assert.ok(built.ok, built.ok ? '' : built.message)
  return { ...subject, rules: built.bytes, rows }
}

const address = (a: number, b: number, c: number, d: number): number =>
  ((a << 24) | (b << 16) | (c << 8) | d) >>> 0

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
  'what another process writes into a pinned map decides while packets flow',
  { skip: without('liveFrames') },
  async () => {
    const subject = compiled(
      `const blocked = rules({ key: ipv4, value: { verdict: u8, weight: u64 }, capacity: 100, map: 'hash' })
     const nets = lpm({ key: ipv4, value: u8, capacity: 100, map: 'lpm' })
     const unruled = counter('packets without a rule')`,
      `const ip = packet.ipv4
     if (!ip) return Verdict.Pass
     const rule = blocked.lookup(ip.source)
     const net = nets.lookup(ip.source)
     if (rule?.verdict === 1) return Verdict.Drop
     if (net === 3) return Verdict.Transmit
     if (!rule && !net) unruled.add()
     return Verdict.Pass`,
    )
    const lab = up({
      namespaces: { left: {}, right: {} },
      pairs: [
        {
          ends: [
            { namespace: 'left', device: 'a' },
            { namespace: 'right', device: 'b' },
          ],
        },
      ],
    })
    const folder = mkdtempSync(join(tmpdir(), 'hairpin-tables-'))
    const loaded = load(subject, { settings: new Map(), seed })
    const open: { close(): void }[] = [loaded]
    try {
      mountBpfFilesystem(folder)
      for (const name of ['blocked', 'nets']) pin(loaded.maps.get(name)!, join(folder, name))
      const attachment = lab.inNamespace('right', () => attachXdp(loaded.program, 'b', 'native'))
      // A veth only gives what it is sent back to a device that takes such frames.
      const receiver = counterProgram(verdicts.drop)
      open.push(receiver)
      lab.inNamespace('left', () => attachXdp(receiver.program, 'a', 'native'))
      const made = packets(3)
      const sender = lab.inNamespace('left', () =>
        openLiveSender({ packets: [made.packet(0).bytes], device: 'a', rate: 20_000 }),
      )
      open.push(sender)
      const source = new DataView(made.packet(0).bytes.buffer).getUint32(26)
      const figures = () => figuresOf(valuesOf(loaded), ['unruled'], possibleCpus())
      /** Counts verdicts while `change` is made, and afterwards alone. */
      const after = async (change: () => void): Promise<Record<string, number>> => {
        const during = sender.send(400)
        change()
        await during
        const before = figures()
        await sender.send(100)
        const now = figures()
        const counts = Object.entries(Object.fromEntries(now.verdicts))
          .map(([name, n]) => [name, Number(n - before.verdicts.get(name)!)] as const)
          .filter(([, n]) => n > 0)
        return {
          ...Object.fromEntries(counts),
          unruled: Number(now.counters.get('unruled')! - before.counters.get('unruled')!),
        }
      }
      const [blocked, nets] = subject.artifact.rules.map(r => kernelMapOf(r)!)
      const pinnedBlocked = openPinnedMap(join(folder, 'blocked'))
      const pinnedNets = openPinnedMap(join(folder, 'nets'))
      open.push(pinnedBlocked, pinnedNets)
      const rule = entryOf(blocked, { key: [source], value: [1, 0n] })
      const net = entryOf(nets, { key: [address(10, 0, 0, 0)], prefix: 8, value: [3] })

      assert.deepEqual(await after(() => {}), { pass: 100, unruled: 100 })
      assert.deepEqual(await after(() => void pinnedBlocked.update(rule.key, rule.value)), {
        drop: 100,
        unruled: 0,
      })
      assert.deepEqual(await after(() => void pinnedBlocked.delete(rule.key)), { pass: 100, unruled: 100 })
      assert.deepEqual(await after(() => void pinnedNets.update(net.key, net.value)), {
        transmit: 100,
        unruled: 0,
      })
      assert.deepEqual(await after(() => void pinnedNets.delete(net.key)), { pass: 100, unruled: 100 })
      if (spawnSync('bpftool', ['version']).status === 0) {
        const bpftool = (...args: string[]) => {
          const { status, stdout, stderr } = spawnSync('bpftool', ['map', ...args], { encoding: 'utf8' })
          assert.equal(status, 0, stderr)
          return stdout
        }
        const path = join(folder, 'blocked')
        const hex = [...rule.key].map(b => b.toString(16).padStart(2, '0'))
        const value = ['01', ...Array<string>(15).fill('00')]
        assert.deepEqual(
          await after(
            () => void bpftool('update', 'pinned', path, 'key', 'hex', ...hex, 'value', 'hex', ...value),
          ),
          { drop: 100, unruled: 0 },
        )
        const [entry] = JSON.parse(bpftool('-j', 'dump', 'pinned', path)) as { formatted: unknown }[]
        const swapped = Buffer.from(rule.key).readUInt32LE()
        assert.deepEqual(entry.formatted, { key: { key: swapped }, value: { verdict: 1, weight: 0 } })
        assert.deepEqual(await after(() => void bpftool('delete', 'pinned', path, 'key', 'hex', ...hex)), {
          pass: 100,
          unruled: 100,
        })
      }
      attachment.detach()
    } finally {
      for (const thing of open.toReversed()) thing.close()
      lab.down()
      for (const name of ['blocked', 'nets']) unpin(join(folder, name))
      spawnSync('umount', [folder])
      rmdirSync(folder)
    }
  },
)

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
