// What plain `tsc --strict` says of programs: snippets that it must accept, and snippets that it must refuse with a
// given code. All are checked in one run of the compiler, against the declarations that users get.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as prelude from './prelude.js'
import { loadTypeScript } from './typescript.js'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
const values =
  'table, array, cell, pool, rules, lpm, devices, sockets, fib, parameter, counter, random, redirect, Verdict, EtherType, ' +
  'IpProtocol, Route, u8, u16, u32, i32, u64, i64, bool, ipv4, ipv6, port, mac, bytes, seconds, minutes, milliseconds, ' +
  'microseconds'
const types =
  'Packet, Ethernet, Vlan, Arp, Ipv4, Ipv6, Tcp, Udp, Payload, Ipv4Address, MacAddress, Port, Bytes'
const prologue =
  `import { ${values} } from 'hairpin'\nimport type { ${types} } from 'hairpin'\n` +
  `declare const packet: Packet, ip: Ipv4, ip6: Ipv6, tcp: Tcp, udp: Udp, eth: Ethernet\n` +
  `declare let a8: u8, a16: u16, a32: u32, s32: i32, a64: u64, s64: i64, n: number\n`

const accepted: { readonly [what: string]: string } = {
  'literals and arithmetic fit every width':
    'a8 = 3; a16 = n + 1; a32 = a8 * a16; s32 = -1; a64 = 3n; s64 = -3n',
  'integers widen': 'a16 = a8; a32 = a16; a32 = a8; s32 = a8; s32 = a16',
  'conversions narrow':
    'a8 = u8(a16); a16 = u16(a32); s32 = i32(a32); a32 = u32(s32); a64 = u64(a32); a32 = u32(a64)',
  'a port, an address, a protocol are integers': 'a16 = tcp.sourcePort; a32 = ip.source; a8 = ip.protocol',
  'literals compare with everything':
    'tcp.destinationPort === 80; ip.protocol === 6; ip.source === 0x0a000001; eth.type === 0x0800',
  'constants compare with their own kind':
    'ip.protocol === IpProtocol.Tcp; eth.type === EtherType.Ipv4; ip6.protocol !== IpProtocol.Udp',
  'a switch over a protocol':
    'switch (ip.protocol) { case IpProtocol.Tcp: break; case IpProtocol.Udp: break; case 200: break }',
  'narrowing of a view through an optional chain': 'const t = packet.ipv4?.tcp; if (t) a16 = t.sourcePort',
  'narrowing in place': 'if (packet.ipv4?.udp) a16 = packet.ipv4.udp.sourcePort',
  'routes of both families, and their outcomes':
    'const r4 = fib({ family: ipv4, capacity: 1 }), r6 = fib({ family: ipv6, capacity: 1 }); ' +
    'const hop = r4.lookup({ source: ip.source, destination: ip.destination, length: ip.totalLength, dscp: ip.dscp }); ' +
    'if (hop.outcome === Route.Found) { eth.destination = hop.nextHop; a32 = hop.device; a16 = hop.mtu } ' +
    'r6.lookup({ source: ip6.source, destination: ip6.destination, length: 40, dscp: 0 })',
  'assignment to fields':
    'ip.ttl = ip.ttl - 1; ip.source = ipv4("10.0.0.1"); tcp.destinationPort = 8080; tcp.syn = true; eth.source = mac("02:00:00:00:00:01")',
  'scalar keys and values':
    'const t = table({ key: u32, value: u8, capacity: 4 }); const v: u8 = t.get(ip.source) ?? 0; t.set(ip.source, 300); if (!t.has(1)) t.delete(2)',
  'struct keys and values': `const t = table({ key: { source: ipv4, port, protocol: u8 }, value: { bytes: u64, seen: u32 }, capacity: 4, evict: 'oldest', expire: { after: seconds(30) } })
     const e = t.upsert({ source: ip.source, port: tcp.sourcePort, protocol: ip.protocol })
     if (e) { e.bytes += u64(packet.length); e.seen = packet.time('ms', 32) }
     const s = t.get({ source: ip.source, port: 1, protocol: 6 }); if (s) a64 = s.bytes`,
  'an entry of a scalar is changed through value':
    'const t = table({ key: u32, value: u32, capacity: 4 }); const e = t.upsert(1); if (e) e.value += 1',
  'IPv6 addresses and byte strings as keys':
    'const t = table({ key: { a: ipv6, k: bytes(16) }, value: bool, capacity: 4 }); const k = udp.payload.bytes(0, 16); if (k) t.set({ a: ip6.source, k }, true); ip6.source === ip6.destination; ip6.source === ipv6("::1")',
  'arrays, cells and pools':
    'const r = array({ a: u32 }, 8); r.at(0).a += 1; a32 = r.get(1).a; r.set(2, { a: 3 }); const c = cell(u64); c.set(c.get() + 1n); const p = pool(1, 9); const q: u32 | undefined = p.take(); if (q !== undefined) p.give(q); const f = array(u16, 4); f.at(1).value = 5; a16 = f.get(1)',
  'released numbers':
    'const p = pool(1, 9); const t = table({ key: u32, value: { port: port, at: u32 }, capacity: 4, release: { pool: p, field: "port" } })',
  'rule tables':
    'const r = lpm({ key: ipv4, value: { device: u8 }, capacity: 9 }); const m = r.lookup(ip.destination); if (m) redirect(m.device); const d = devices({ capacity: 4 }).lookup(1); const x = rules({ key: mac, value: u32, capacity: 2 }).lookup(eth.source)',
  parameters:
    'const limit = parameter(u32, 1_000_000, "packets"); a32 = limit; const on: bool = parameter(bool, false); a64 = parameter(u64, 5n)',
  'counters and random numbers':
    'const c = counter("odd"); c.add(); c.add(2); a32 = random(); a32 = random(6)',
  'clocks have the type of their width':
    'a8 = packet.time("s", 8); a16 = packet.time("ms", 16); a32 = packet.time("us", 24)',
  'raw reads':
    'const b: u8 | undefined = tcp.u8(20); a32 = udp.payload.u32(4) ?? 0; a64 = packet.u64(0) ?? 0n',
  'helper functions over views': 'const f = (t: Tcp): u16 => t.sourcePort; f(tcp)',
  'the frame in VXLAN': 'const i = udp.vxlan?.inner.ipv4; if (i) { a32 = i.source; i.ttl = 3 }',
  verdicts: 'const v: Verdict = n > 1 ? Verdict.Drop : redirect(2); if (v === Verdict.Pass) n = 1',
  'optional words of GRE': 'const key: u32 = ip.gre?.key ?? 0',
}

/** The error's code, then the snippet. */
const refused: { readonly [what: string]: readonly [code: number, snippet: string] } = {
  'xdp-tools bug 1: an IP protocol compared with an EtherType': [
    2367,
    'if (ip.protocol === EtherType.Ipv4) n = 1',
  ],
  'and the other way round': [2367, 'if (eth.type === IpProtocol.Tcp) n = 1'],
  'and in a switch': [2678, 'switch (ip.protocol) { case EtherType.Ipv6: n = 1 }'],
  'xdp-tools bug 2: a TCP field read on the UDP path': [
    2339,
    'const u = packet.ipv4?.udp; if (u) a8 = u.flags',
  ],
  'a view given as another one': [2345, 'const f = (t: Tcp): u16 => t.window; f(udp)'],
  'a field of a view that may be absent': [18048, 'const t = packet.ipv4?.tcp; a16 = t.sourcePort'],
  'a view of a view that may be absent': [18048, 'a32 = packet.ipv4.source'],
  'a raw read that may be absent': [2322, 'a8 = packet.u8(0)'],
  'u16 into u8': [2322, 'a8 = a16'],
  'u32 into u16': [2322, 'a16 = a32'],
  'i32 into u32': [2322, 'a32 = s32'],
  'u32 into i32': [2322, 's32 = a32'],
  'i64 into u64': [2322, 'a64 = s64'],
  'number and bigint': [2322, 'a64 = a32'],
  'bigint into number': [2322, 'a32 = a64'],
  'arithmetic that mixes number and bigint': [2365, 'a64 = a64 + a32'],
  'a port as an address': [2322, 'const a: Ipv4Address = tcp.sourcePort'],
  'a port into a key of type u8': [2345, 'table({ key: u8, value: u8, capacity: 1 }).get(tcp.sourcePort)'],
  'an EtherType as a port': [2322, 'const p: Port = eth.type'],
  'an IPv6 address as a number': [2322, 'a64 = ip6.source'],
  'byte strings of different lengths': [2322, 'const b: Bytes<8> | undefined = tcp.bytes(0, 16)'],
  'a field that is not writable': [2540, 'ip.headerLength = 6'],
  'a snapshot changed': [
    2540,
    'const s = table({ key: u32, value: { a: u32 }, capacity: 1 }).get(1); if (s) s.a = 2',
  ],
  'a missing key field': [2345, 'table({ key: { a: u32, b: u32 }, value: u8, capacity: 1 }).get({ a: 1 })'],
  'an unknown field in a value': [2353, 'cell({ a: u32 }).set({ a: 1, b: 2 })'],
  'a duration without a unit': [2322, 'table({ key: u32, value: u8, capacity: 1, expire: { after: 30 } })'],
  'a release field that does not exist': [
    2322,
    'table({ key: u32, value: { port }, capacity: 1, release: { pool: pool(1, 2), field: "prt" } })',
  ],
  'a number as verdict': [2322, 'const v: Verdict = 2'],
  'an unknown unit': [2769, 'packet.time("h", 32)'],
  'a clock too wide for its variable': [2322, 'a8 = packet.time("s", 9)'],
  'a parameter with a default of another type': [2345, 'parameter(u64, 5)'],
  'an eviction policy that does not exist': [
    2322,
    'table({ key: u32, value: u8, capacity: 1, evict: "lru" })',
  ],
}

/** The example of the design document; `u8` is imported as a value, because it is used as one. */
const portKnocking = `
import { type Packet, u8, type u16, Verdict, table, u32 } from 'hairpin'

const CLOSED_1 = 0, CLOSED_2 = 1, CLOSED_3 = 2, OPEN = 3

/** Knocking state of each source address. */
const knocks = table({ key: u32, value: u8, capacity: 65_536 })

function next(state: u8, port: u16): u8 {
  if (state === CLOSED_1 && port === 7001) return CLOSED_2
  if (state === CLOSED_2 && port === 7002) return CLOSED_3
  if (state === CLOSED_3 && port === 7003) return OPEN
  return state === OPEN ? OPEN : CLOSED_1
}

export default function portKnocking(packet: Packet): Verdict {
  const ip = packet.ipv4
  const tcp = ip?.tcp
  if (!tcp) return Verdict.Drop
  const state = next(knocks.get(ip.source) ?? CLOSED_1, tcp.destinationPort)
  knocks.set(ip.source, state)
  return state === OPEN ? Verdict.Transmit : Verdict.Drop
}
`

const errors = new Map<string, readonly { readonly code: number; readonly message: string }[]>()
const programs = readdirSync(resolve(root, 'programs')).filter(f => f.endsWith('.ts'))

before(() => {
  const ts = loadTypeScript()
  const files = new Map<string, string>()
  const add = (name: string, text: string): void => void files.set(resolve(root, `snippet ${name}.ts`), text)
  for (const [what, snippet] of Object.entries(accepted)) add(what, `${prologue}{ ${snippet} }\n`)
  for (const [what, [, snippet]] of Object.entries(refused)) add(what, `${prologue}{ ${snippet} }\n`)
  add('port knocking', portKnocking)
  for (const file of programs) add(file, readFileSync(resolve(root, 'programs', file), 'utf8'))
  const options = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noEmit: true,
    types: [],
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = name => files.has(name) || fileExists.call(host, name)
  host.readFile = name => files.get(name) ?? readFile.call(host, name)
  host.getSourceFile = (name, language) => {
    const text = files.get(name)
    return text === undefined
      ? getSourceFile.call(host, name, language)
      : ts.createSourceFile(name, text, language)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  for (const name of files.keys()) {
    const source = program.getSourceFile(name)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    const what = name.slice(resolve(root, 'snippet ').length, -'.ts'.length)
    errors.set(
      what,
      found.map(d => ({ code: d.code, message: ts.flattenDiagnosticMessageText(d.messageText, '\n') })),
    )
  }
})

for (const what of [...Object.keys(accepted), 'port knocking', ...programs])
  test(`accepted: ${what}`, () => assert.deepEqual(errors.get(what), []))

for (const [what, [code]] of Object.entries(refused))
  test(`refused: ${what}`, () =>
    assert.deepEqual(
      errors.get(what)?.map(e => e.code),
      [code],
      errors
        .get(what)
        ?.map(e => e.message)
        .join('\n'),
    ))

test('in plain JavaScript, calls say what to do instead, and constants are what they seem', () => {
  assert.throws(() => prelude.u8(300), /hairpin run/)
  assert.throws(
    () => prelude.table({ key: prelude.u32, value: prelude.u8, capacity: 1 }),
    prelude.NotCompiledError,
  )
  assert.throws(() => prelude.EtherType(3), prelude.NotCompiledError)
  assert.equal(prelude.EtherType.Ipv6, 0x86dd)
  assert.equal(prelude.IpProtocol.Sctp, 132)
  assert.equal(prelude.Verdict.Transmit, 3)
})
