// What constructs become: whole programs that must compile to verified IR, the IR of a few small ones, and hints.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderDiagnostics } from '../diagnostics/render.js'
import { printFunction } from '../ir/print.js'
import { verifyProgram } from '../ir/verify.js'
import { compileSource } from './source.js'

const imports =
  "import { type Ipv4, type Packet, type Tcp, type Udp, EtherType, Verdict, array, bool, bytes, cell, counter, devices, i32, i64, ipv4, ipv6, lpm, mac, minutes, parameter, pool, port, random, redirect, rules, seconds, sockets, table, u16, u32, u64, u8 } from 'hairpin'"

/** Compiles declarations and a body to verified IR and gives it as text. */
function ir(declarations: string, body: string): string {
  const text = `${imports}\n${declarations}\nexport default function f(packet: Packet): Verdict {\n${body}\n}\n`
  const { program, diagnostics } = compileSource('f.ts', text)
  assert.ok(program, renderDiagnostics(diagnostics, text))
  assert.deepEqual(verifyProgram(program), [])
  return printFunction(program.functions[0])
}

/** Operations in order, those of the prologue left out. */
const operations = (text: string): string[] =>
  [...text.matchAll(/^ {2}(?:%\d+ = )?([a-z]+(?:\.[a-z]+)?)(?:\.(?:i1|i32|i64|mem))?\b/gm)]
    .map(m => m[1])
    .filter(op => !['const', 'packet', 'input'].includes(op))

test('a table look-up with a default reads the entry only where it is', () => {
  const text = ir(
    'const t = table({ key: u32, value: u8, capacity: 8 })',
    'return (t.get(packet.device) ?? 3) === 3 ? Verdict.Pass : Verdict.Drop',
  )
  assert.match(text, /table\.find\.i32 %\d+ object="t"/)
  assert.equal(text.match(/table\.load/g)?.length, 1)
})

test('set finds, inserts if absent, stores where it is not refused; refreshing tables are touched', () => {
  const plain = operations(
    ir('const t = table({ key: u32, value: u8, capacity: 8 })', 't.set(1, 2)\nreturn Verdict.Pass'),
  )
  assert.deepEqual(
    plain.filter(o => o.startsWith('table')),
    ['table.find', 'table.insert', 'table.store'],
  )
  const fresh = ir(
    "const t = table({ key: u32, value: u8, capacity: 8, evict: 'oldest', expire: { after: seconds(3) } })",
    't.set(1, 2)\nreturn Verdict.Pass',
  )
  assert.deepEqual(
    operations(fresh).filter(o => o.startsWith('table')),
    ['table.find', 'table.touch', 'table.insert', 'table.store'],
  )
  const operands = (op: string): number =>
    new RegExp(`${op}(?:\\.i32)? (.*?) object`).exec(fresh)![1].split(',').length
  assert.deepEqual(['table\\.find', 'table\\.touch', 'table\\.insert'].map(operands), [2, 3, 3])
})

test('what a short circuit skips is not executed', () => {
  const text = ir(
    'const c = cell(u32)',
    'if (packet.length > 60 && c.get() === 1) return Verdict.Drop\nreturn Verdict.Pass',
  )
  assert.match(text, /branch %\d+, b\d+, b\d+\nb\d+:\n(?:.*\n)*?.*array\.load/)
})

test('constants fold without instructions', () => {
  const folded = ir(
    'const A = 3 * 4 + 1\nconst B = [A, A * 2]',
    'return B[1] === 26 ? Verdict.Drop : Verdict.Pass',
  )
  const plain = ir('', 'return Verdict.Drop')
  const counted = (text: string): string[] =>
    operations(text)
      .filter(op => op !== 'jump')
      .toSorted()
  assert.deepEqual(counted(folded), counted(plain))
  assert.match(folded, /const\.i32 value=1\n {2}return/)
})

test('a variable in a loop is one phi', () => {
  const text = ir(
    '',
    'let n = 0\nfor (let i = 0; i < 4; i++) n += packet.device\nreturn n > 9 ? Verdict.Drop : Verdict.Pass',
  )
  assert.equal(text.match(/phi\.i32 .*; n$/gm)?.length, 1)
  assert.equal(text.match(/phi\.i32 .*; i$/gm)?.length, 1)
})

test('names and spans of the source stand on instructions', () => {
  const text = ir(
    '',
    'const ip = packet.ipv4\nif (!ip) return Verdict.Drop\nconst hops = ip.ttl\nreturn hops > 3 ? Verdict.Pass : Verdict.Drop',
  )
  assert.match(text, /; ipv4\.ttl/)
})

const accepted: Readonly<Record<string, readonly [declarations: string, body: string]>> = {
  'every field type in keys and values': [
    "const t = table({ key: { a: ipv4, b: ipv6, c: mac, d: bytes(6), e: bool, f: i64 }, value: { n: u64, s: i32, m: mac, v: ipv6, b: bytes(11), k: bool, p: port }, capacity: 100, evict: 'oldest', expire: { after: seconds(3) } })",
    `const ip6 = packet.ipv6, eth = packet.ethernet, six = packet.bytes(0, 6), eleven = packet.bytes(3, 11)
     if (!ip6 || !eth || !six || eleven === undefined) return Verdict.Drop
     const key = { a: ipv4('1.2.3.4'), b: ip6.source, c: eth.source, d: six, e: true, f: -5n }
     const e = t.upsert(key, { n: 1n, s: -1, m: eth.destination, v: ipv6('2001:db8::1'), b: eleven, k: true, p: 80 })
     if (!e) return Verdict.Drop
     e.n += 1n; e.s -= 3; e.k = !e.k; e.p++; e.m = eth.source; e.v = ip6.source; e.b = eleven
     if (e.v === ip6.source && e.b !== eleven) return Verdict.Drop
     const { n, s, k } = e
     return k && n > 3n && s < -2 ? Verdict.Pass : redirect(u32(e.s))`,
  ],
  'pools, rules, devices, arrays, cells, counters': [
    `const ports = pool(20_000, 60_000)
     const m = table({ key: ipv4, value: { p: u16 }, capacity: 10, expire: { after: minutes(5) }, release: { pool: ports, field: 'p' } })
     const hits = counter('hits')
     const routes = lpm({ key: ipv4, value: { device: u8, next: ipv4 }, capacity: 1000 })
     const acl = rules({ key: { a: ipv4, p: port }, value: bool, capacity: 10 })
     const devs = devices({ capacity: 16 })
     const ring = array({ a: u32, b: u8 }, 256)
     const pair = cell({ x: u16, y: u16 })`,
    `const ip = packet.ipv4
     if (!ip) return Verdict.Drop
     hits.add(); hits.add(3); hits.add(packet.length); hits.add(u64(packet.length))
     const taken = ports.take()
     if (taken === undefined || !m.set(ip.source, { p: u16(taken) })) return Verdict.Drop
     if (acl.lookup({ a: ip.source, p: 53 })) return Verdict.Drop
     const e = ring.at(packet.length & 255)
     e.a += 1
     ring.set(4, ring.get(3))
     pair.set({ x: pair.get().x + 1, y: 3 })
     ports.give(taken)
     const out = devs.lookup(routes.lookup(ip.destination)?.device ?? 0)
     return out === undefined ? Verdict.Pass : redirect(out)`,
  ],
  'rule tables that are maps of the kernel': [
    `const acl = rules({ key: ipv4, value: bool, capacity: 10, map: 'hash' })
     const nets = lpm({ key: ipv4, value: u8, capacity: 10, map: 'lpm' })
     const uplinks = devices({ capacity: 16, map: 'devices' })
     const xsks_map = sockets({ capacity: 4 })`,
    `const source = packet.ipv4?.source ?? 0
     if (acl.lookup(source)) return xsks_map.redirect(0, Verdict.Pass)
     return uplinks.redirect(nets.lookup(source) ?? 0, Verdict.Drop)`,
  ],
  'optional values through variables, loops, patterns and helpers': [
    `const seen = table({ key: u32, value: { n: u32, at: u32 }, capacity: 64 })
     function find(k: u32): { n: u32; at: u32 } | undefined { const e = seen.get(k); return e && e.n > 3 ? e : undefined }
     function sum(x?: u32, y: u32 = 5): u32 { return (x ?? 1) + y }`,
    `let last: u32 | undefined
     for (let i = 0; i < 4; i++) { const b = packet.u8(i); if (b === undefined) break; last = b }
     const { n, at = 5 } = find(last ?? 0) ?? { n: 1, at: 2 }
     const [x, y] = [1, 2]
     let e = seen.get(1)
     e = seen.get(n)
     return sum() + sum(n) + sum(undefined, at) > x + y && e?.n !== last ? Verdict.Pass : Verdict.Drop`,
  ],
  'views through variables and loops': [
    '',
    `let udp: Udp | undefined
     let outer: Ipv4 | undefined = packet.ipv4
     for (let i = 0; i < 3; i++) { if (!outer) break; udp = outer.udp; outer = udp?.vxlan?.inner.ipv4 }
     return udp ? Verdict.Pass : Verdict.Drop`,
  ],
  'an exhaustive switch needs no return behind it': [
    'function level(n: 0 | 1 | 2): u8 { switch (n) { case 0: return 7; case 1: return 8; case 2: return 9 } }',
    'return level(packet.length > 99 ? 2 : 0) === 9 ? Verdict.Drop : Verdict.Pass',
  ],
  'loops that count down, step and leave; unrolled loops': [
    'const PORTS = [22, 80, 443]',
    `let n = 0
     for (let k = 10; k >= 0; k -= 2) { if (k === 4) break; n += k }
     for (let i = 0, at = 20; i < 8 && at < packet.length; i++, at += 2) n += packet.u8(at) ?? 0
     for (const p of PORTS) { if (p === 80) continue; n += p }
     return n > PORTS[n % 3] ? Verdict.Pass : Verdict.Drop`,
  ],
}

for (const [name, [declarations, body]] of Object.entries(accepted))
  test(`accepted: ${name}`, () => void ir(declarations, body))

test('TypeScript errors come with what to write instead, and without our own marks', () => {
  const text = `${imports}\nexport default function f(packet: Packet): Verdict {\n  const a: u8 = packet.length\n  return packet.ipv4.ttl > a ? Verdict.Pass : 1\n}\n`
  const { diagnostics } = compileSource('f.ts', text)
  assert.deepEqual(
    diagnostics.map(d => d.code),
    ['TS2322', 'TS18048', 'TS2322'],
  )
  assert.match(diagnostics[0].suggestion!, /u8\(x\)/)
  assert.match(diagnostics[1].suggestion!, /Test it first/)
  assert.match(diagnostics[2].suggestion!, /Verdict\.Drop/)
  assert.doesNotMatch(renderDiagnostics(diagnostics, text), /\[fits\]|\[kind\]/)
})

test('names of JavaScript, methods not called and entries that are read only come with what to write', () => {
  const hints = (body: string, names = ''): string =>
    compileSource(
      'f.ts',
      `${imports}\n${names}\nconst t = table({ key: u32, value: { n: u32 }, capacity: 8 })\nexport default function f(packet: Packet): Verdict {\n${body}\n  return Verdict.Pass\n}\n`,
    )
      .diagnostics.map(d => `${d.code} ${d.suggestion}`)
      .join('\n')
  assert.match(hints('  const n = Number(packet.timestamp)'), /TS2693 u32\(x\)/)
  assert.match(hints('', "import { now } from 'hairpin'"), /TS2305 .*packet\.timestamp/)
  assert.match(hints('  const n = Math.min(1, 2)'), /random\(\)/)
  assert.match(hints('', "import { whatever } from 'hairpin'"), /TS2305 .*docs\/language\.md/)
  for (const name of ['whatever', 'constructor'])
    assert.match(hints(`  const n = ${name}`), /TS2304 undefined/)
  assert.match(hints('  const n = packet.time / 1_000_000_000'), /TS2362 .*called: time\(/)
  assert.match(hints('  const n = a[0]', 'const a = array(u32, 4)'), /TS7052 .*at\(i\)/)
  const unknown = 'const x = table({ key: u32, value: u32, capacity: 4, timeout: 5 })'
  assert.match(hints('', unknown), /TS2353 .*expire/)
  assert.match(hints('  const e = t.get(1)\n  if (e) e.n = 1'), /TS2540 .*upsert\(key\)/)
})

test('a map of sockets has the name that libraries look for; what is missing gets a constant verdict', () => {
  const codes = (declarations: string, result: string): string[] =>
    compileSource(
      'f.ts',
      `${imports}\n${declarations}\nexport default function f(packet: Packet): Verdict { return ${result} }\n`,
    ).diagnostics.map(d => d.code)
  assert.deepEqual(codes('const other = sockets({ capacity: 4 })', 'other.redirect(0, Verdict.Pass)'), [
    'HP1204',
  ])
  const uplinks = "const uplinks = devices({ capacity: 4, map: 'devices' })"
  const chosen = 'uplinks.redirect(0, packet.length > 99 ? Verdict.Pass : redirect(1))'
  assert.deepEqual(codes(uplinks, chosen), ['HP1203'])
  assert.deepEqual(codes("const big = devices({ capacity: 65_536, map: 'devices' })", 'Verdict.Pass'), [
    'HP1204',
  ])
  assert.match(
    codes("const acl = rules({ key: u32, value: u8, capacity: 4, map: 'lpm' })", 'Verdict.Pass')[0],
    /^TS/,
  )
})

test('functions that nothing calls are checked as well', () => {
  const text = `${imports}\nfunction f(p: Packet): u32 { const d: i32 = -1; return d < p.length ? 1 : 2 }\nexport default function g(packet: Packet): Verdict {\n  return Verdict.Pass\n}\n`
  assert.deepEqual(
    compileSource('f.ts', text).diagnostics.map(d => d.code),
    ['HP1103'],
  )
})

test('damaged text never throws and always has a diagnostic or a program', () => {
  const source = `${imports}\nconst t = table({ key: { a: u32 }, value: { n: u32 }, capacity: 8 })\nexport default function f(packet: Packet): Verdict {\n  const e = t.upsert({ a: packet.ipv4?.source ?? 0 })\n  if (!e) return Verdict.Drop\n  for (let i = 0; i < 4; i++) e.n += i\n  return e.n > 9 ? Verdict.Drop : Verdict.Pass\n}\n`
  const start = imports.length
  for (let at = start; at < source.length; at += 3)
    for (const damaged of [
      source.slice(0, at) + source.slice(at + 1),
      source.slice(0, at) + source.slice(at + 9),
    ]) {
      const { program, diagnostics } = compileSource('f.ts', damaged)
      if (program) assert.deepEqual(verifyProgram(program), [])
      else assert.ok(diagnostics.length > 0)
    }
})
