import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileSource } from '../lang/source.js'
import { analyseSharding, checkFields } from './sharding.js'
import type { Sharding } from './sharding.js'
import { shapesOf } from './shapes.js'

/** Analyses the function body `body` over a packet's `ip` (IPv4), with these declarations. */
function sharding(declarations: string, body: string): Sharding & { at: string } {
  const text = `import { type Packet, Verdict, table, array, cell, pool, ipv4, ipv6, port, u8, u32, u64 } from 'hairpin'
${declarations}
export default function main(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Drop
  ${body}
  return Verdict.Pass
}`
  const { program, diagnostics } = compileSource('t.ts', text)
  assert.ok(program, JSON.stringify(diagnostics))
  const result = analyseSharding(program.functions[0], shapesOf(program.objects))
  return { ...result, at: result.span ? text.slice(result.span.start, result.span.end) : '' }
}

const bySource = 'const t = table({ key: ipv4, value: u32, capacity: 9 })'
const byPair = 'const t = table({ key: { a: ipv4, b: ipv4 }, value: u32, capacity: 9 })'

test('state by source is steered by source, and by nothing that a source varies', () => {
  const s = sharding(bySource, 't.set(ip.source, 1)')
  assert.deepEqual([s.possible, s.fields, s.symmetric], [true, ['source'], false])
  assert.equal(checkFields(s, ['source']), undefined)
  assert.match(checkFields(s, ['source', 'sourcePort'])!.reason, /^sourcePort is no function of the key of t/)
  assert.match(checkFields(s, [])!.reason, /at least one/)
})

test('a program without state may be steered by anything', () => {
  assert.equal(sharding('', '').fields.length, 4)
  assert.equal(sharding(bySource, 'if (t.has(ip.source)) return Verdict.Drop').fields.length, 4)
})

test('keys without a common field cannot be sharded', () => {
  const s = sharding(
    `${bySource}\nconst u = table({ key: ipv4, value: u32, capacity: 9 })`,
    't.set(ip.source, 1); u.set(ip.destination, 1)',
  )
  assert.equal(s.possible, false)
  assert.match(s.reason!, /no field is in every key: source is no function of the key of u/)
  assert.equal(s.at, 'u.set(ip.destination, 1)')
})

test('both directions by two look-ups need a symmetric hash', () => {
  const s = sharding(
    byPair,
    'if (!t.has({ a: ip.destination, b: ip.source })) t.set({ a: ip.source, b: ip.destination }, 1)',
  )
  assert.deepEqual([s.fields, s.symmetric], [['source', 'destination'], true])
  assert.match(checkFields(s, ['source'])!.reason, /source needs destination beside it/)
  assert.equal(checkFields(s, ['destination', 'source']), undefined)
})

test('both directions by ordered ends need a symmetric hash', () => {
  const s = sharding(
    'const t = table({ key: { a: ipv4, b: ipv4, c: port, d: port }, value: u32, capacity: 9 })',
    `const tcp = ip.tcp
  if (!tcp) return Verdict.Drop
  const first = ip.source < ip.destination
  t.set({
    a: first ? ip.source : ip.destination,
    b: first ? ip.destination : ip.source,
    c: first ? tcp.sourcePort : tcp.destinationPort,
    d: first ? tcp.destinationPort : tcp.sourcePort,
  }, 1)`,
  )
  assert.deepEqual([s.fields.length, s.symmetric], [4, true])
})

test('ends ordered one by one are no function of the directions', () => {
  const s = sharding(
    'const t = table({ key: { a: ipv4, b: port }, value: u32, capacity: 9 })',
    `const tcp = ip.tcp
  if (!tcp) return Verdict.Drop
  t.set({ a: ip.source < ip.destination ? ip.source : ip.destination, b: tcp.sourcePort }, 1)`,
  )
  assert.deepEqual(s.fields, ['sourcePort'])
})

const withPorts = 'const t = table({ key: { a: ipv4, p: port }, value: u32, capacity: 9 })'

test('no ports count as zeros where the packet has none', () => {
  const s = sharding(
    withPorts,
    `const { tcp, udp, sctp } = ip
  const p = tcp ? tcp.sourcePort : udp ? udp.sourcePort : sctp ? sctp.sourcePort : 0
  t.set({ a: ip.source, p }, 1)`,
  )
  assert.deepEqual(s.fields, ['source', 'sourcePort'])
})

test('ports that the program passes over steer its packets apart', () => {
  const s = sharding(withPorts, 't.set({ a: ip.source, p: ip.tcp ? ip.tcp.sourcePort : 0 }, 1)')
  assert.deepEqual(s.fields, ['source'])
  assert.match(checkFields(s, ['sourcePort'])!.reason, /no function of the key of t/)
})

test('IPv6 addresses are whole only with both halves', () => {
  const six = (key: string, value: string): Sharding =>
    sharding(
      `const t = table({ key: ${key}, value: u32, capacity: 9 })`,
      `const six = packet.ipv6\n  if (six) t.set(${value}, 1)`,
    )
  assert.deepEqual(six('ipv6', 'six.destination').fields, ['destination'])
  assert.deepEqual(six('u8', 'six.hopLimit').fields, [])
})

test('part of an address does not steer', () => {
  const s = sharding(
    'const t = table({ key: u32, value: u32, capacity: 9 })',
    't.set(u32(ip.source) & 0xffff00, 1)',
  )
  assert.equal(s.possible, false)
  assert.match(s.reason!, /can be read back from the key of t; it is made of/)
})

test('a cell, a pool, and an array by anything else cannot be sharded', () => {
  const cellOnly = sharding('const c = cell(u64)', 'c.set(c.get() + 1n)')
  assert.match(cellOnly.reason!, /^c is the same for all packets$/)
  const pooled = sharding('const p = pool(1, 9)', 'p.take()')
  assert.match(pooled.reason!, /^the pool p gives its numbers to all packets alike$/)
  const indexed = sharding('const a = array(u32, 256)', 'a.set(ip.protocol, 1)')
  assert.match(indexed.reason!, /from the key of a; it is made of ipv4.protocol/)
})

test('an address that the program wrote is no field of the packet', () => {
  const s = sharding(bySource, 'ip.source = ip.destination\n  t.set(ip.source, 1)')
  assert.equal(s.possible, false)
})
