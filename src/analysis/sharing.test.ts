import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileSource } from '../lang/source.js'
import { factsOf } from '../transform/expand/facts.js'
import { optimise } from '../transform/optimise.js'
import { analyseSharing } from './sharing.js'
import { shapesOf } from './shapes.js'

/** `kind: why not less` of a function body over a packet's `ip` (IPv4). */
function sharing(declarations: string, body: string): string {
  const text = `import { type Packet, Verdict, table, array, cell, pool, ipv4, u8, u32, u64 } from 'hairpin'
${declarations}
export default function main(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Drop
  ${body}
  return Verdict.Pass
}`
  const { program, diagnostics } = compileSource('t.ts', text)
  assert.ok(program, JSON.stringify(diagnostics))
  const [main] = program.functions
  optimise(main, { facts: factsOf(program.objects) })
  const { kind, reason } = analyseSharing(main, shapesOf(program.objects))
  return reason === undefined ? kind : `${kind}: ${reason}`
}

const counts = 'const t = table({ key: ipv4, value: { n: u32, m: u32 }, capacity: 9 })'
const entry = 'const e = t.upsert(ip.source)\n  if (!e) return Verdict.Drop\n'

test('no state, or none that is written, needs nothing', () => {
  assert.equal(sharing('', ''), 'none')
  assert.equal(sharing(counts, 'if (t.has(ip.source)) return Verdict.Drop'), 'none')
})

test('an addition whose sum decides only the verdict is atomic', () => {
  assert.equal(sharing(counts, `${entry}  e.n += 1`), 'atomics')
  assert.equal(
    sharing(counts, `${entry}  e.n += ip.totalLength\n  if (e.n > 9) return Verdict.Drop`),
    'atomics',
  )
  assert.equal(sharing('const a = array(u64, 256)', 'a.set(ip.protocol, a.get(ip.protocol) + 1n)'), 'atomics')
})

test('what is more than an addition takes the lock of its key', () => {
  const cases = {
    'e.n = ip.totalLength': 'the new value of t.n is not its old value plus something',
    'e.n += 1; e.m += 1': 'a packet changes more than one number',
    'e.n += e.m': 'what is added to t.n depends on state',
    'if (e.n < 9) e.n += 1': 'whether the number is added to depends on state',
    'e.n += 1; if (e.m > 3) return Verdict.Drop': 'state other than the number added to is read',
  }
  for (const [body, reason] of Object.entries(cases))
    assert.equal(sharing(counts, `${entry}  ${body}`), `key-lock: ${reason}`, body)
})

test('entries that leave by themselves cannot be added to without a lock', () => {
  const evicting = "const t = table({ key: ipv4, value: { n: u32 }, capacity: 9, evict: 'oldest' })"
  assert.equal(
    sharing(evicting, `${entry}  e.n += 1`),
    'key-lock: entries of t can leave while another worker uses them',
  )
})

test('several keys, state-dependent keys, cells and pools take the one lock', () => {
  assert.equal(
    sharing(counts, `${entry}  e.n = 1\n  t.delete(ip.destination)`),
    'program-lock: a packet may touch t and t under different keys',
  )
  assert.match(
    sharing(`${counts}\nconst u = table({ key: u32, value: u8, capacity: 9 })`, `${entry}  u.set(e.n, 1)`),
    /^program-lock: what is looked up in u depends on state/,
  )
  assert.equal(
    sharing('const c = cell(u64)', 'c.set(c.get() * 3n)'),
    'program-lock: c is the same for all packets',
  )
  assert.equal(sharing('const p = pool(1, 9)', 'p.take()'), 'program-lock: all packets share the pool p')
})

test('two looks can find what no one moment held', () => {
  const set = 'const s = table({ key: ipv4, value: u8, capacity: 9 })'
  assert.match(
    sharing(set, 's.set(ip.source, 0)\n  if (s.has(ip.destination)) return Verdict.Drop'),
    /^program-lock: a packet may touch s and s under different keys/,
  )
  assert.equal(
    sharing(`${set}\n${counts}`, `${entry}  e.n += 1\n  if (!s.upsert(ip.source)) return Verdict.Drop`),
    'key-lock: a packet looks into t and s',
  )
})

test('what is removed and inserted again takes the one lock', () => {
  assert.equal(
    sharing(counts, 't.delete(ip.source)\n  const e = t.upsert(ip.source)\n  if (e) e.n = 2'),
    'program-lock: a packet may remove an entry of t and then insert one',
  )
})
