// Shared state under contention, on real threads: every form that is safe is exact, and without one verify says so.
// Programs are shaken: they nap before writes, so that workers meet in the middle of packets even on one CPU.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileSource } from '../lang/source.js'
import { assemble } from '../compile.js'
import { sharedForms, sharingForms } from '../strategy/shared.js'
import { PacketStore } from './packets.js'
import { verify } from './verify.js'
import type { Case } from './verify.js'

const header = `import { type Packet, Verdict, array, ipv4, microseconds, table, u32, u64, u8 } from 'hairpin'
`
const main = (body: string): string => `
export default function main(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Drop
  ${body}
}`

/** Refuses sources when it is full; the verdict tells the sum, so that no order but the right one fits. */
const counting = `${header}const t = table({ key: ipv4, value: { n: u64 }, capacity: 40 })
${main(`const e = t.upsert(ip.source)
  if (!e) return Verdict.Transmit
  e.n += u64(ip.ttl)
  return (e.n & 4n) === 0n ? Verdict.Pass : Verdict.Drop`)}`

/** Wraps every few packets. */
const wrapping = `${header}const a = array(u32, 4)
${main(`const sum: u32 = a.get(ip.ttl) + 0x30000001
  a.set(ip.ttl, sum)
  return sum < 0x20000000 ? Verdict.Pass : Verdict.Drop`)}`

/** Entries come, are refreshed, expire, are thrown out and deleted all the time. */
const churning = `${header}const t = table({
  key: ipv4, value: { n: u32, ttl: u8 }, capacity: 24, evict: 'oldest', expire: { after: microseconds(20) },
})
${main(`if (ip.ttl === 7) return t.delete(ip.source) ? Verdict.Transmit : Verdict.Pass
  const e = t.upsert(ip.source)
  if (!e) return Verdict.Drop
  e.n = e.n * 3 + ip.ttl
  e.ttl = ip.ttl
  return (e.n & 2) === 0 ? Verdict.Pass : Verdict.Drop`)}`

/** Two tables and an array under one key: what is absent in one must be known before the others are touched. */
const several = `${header}const s = table({ key: u32, value: { n: u32 }, capacity: 16, evict: 'oldest' })
const t = table({ key: u32, value: { n: u32 }, capacity: 60, expire: { after: microseconds(30) } })
const a = array(u32, 64)
${main(`const key: u32 = ip.source & 63
  a.set(key, a.get(key) * 5 + ip.ttl)
  const x = s.upsert(key)
  if (!x) return Verdict.Drop
  x.n = x.n * 3 + a.get(key)
  const y = t.upsert(key)
  if (!y) return Verdict.Transmit
  y.n = y.n * 7 + x.n
  return (y.n & 4) === 0 ? Verdict.Pass : Verdict.Drop`)}`

const programOf = (text: string) => {
  const { program, diagnostics } = compileSource('t.ts', text)
  assert.ok(program, JSON.stringify(diagnostics))
  return program
}

/** Frames of a few busy sources and many idle ones, a microsecond apart. */
function traffic(count: number, sources: number): PacketStore {
  const store = new PacketStore('made')
  let random = 1
  const draw = (below: number): number => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((random / 2 ** 32) * below)
  }
  for (let n = 0; n < count; n++) {
    const bytes = new Uint8Array(60)
    bytes[12] = 8
    bytes.set([0x45, 0, 0, 46, 0, 0, 0, 0, draw(8), 17], 14)
    bytes.set([10, 0, 0, draw(2) === 0 ? draw(2) : draw(sources)], 26)
    store.add(bytes, 60, BigInt(n) * 1000n, 0)
  }
  return store
}

const forms = sharingForms.map(f => sharedForms[f])
const summary = (cases: readonly Case[]): string[] =>
  cases.map(c => `${c.sharing} ${c.cores}: ${c.divergent}${c.first ? ` ${c.first.what}` : ''}`)

for (const [name, text, kinds] of [
  ['counting', counting, ['atomics', 'key-lock', 'program-lock']],
  ['wrapping', wrapping, ['atomics', 'key-lock', 'program-lock']],
  ['churning', churning, ['key-lock', 'program-lock']],
  ['several', several, ['key-lock', 'program-lock']],
] as const)
  test(`${name}: every safe form is linearizable on threads`, async () => {
    const program = programOf(text)
    const { artifact } = assemble(program, { shaken: true })
    assert.deepEqual(artifact.sharing.forms, kinds)
    const options = { strategies: forms, cores: [3], threads: true, slabPackets: 1024 }
    const { exact, cases } = await verify({ program, artifact }, traffic(2500, 60), options)
    assert.equal(cases.length, kinds.length)
    assert.ok(exact, summary(cases).join('\n'))
  })

test('without any lock verify finds what went wrong', async () => {
  for (const [text, lost] of [
    [counting, /lost|verdict|state/],
    [churning, /verdict|state/],
  ] as const) {
    const program = programOf(text)
    const { artifact } = assemble(program, { unlocked: true, shaken: true })
    assert.equal(artifact.sharing.forms[0], 'none')
    const options = { strategies: [sharedForms.none], cores: [3], threads: true }
    const { cases } = await verify({ program, artifact }, traffic(2500, 60), options)
    assert.ok(cases[0].divergent > 0)
    assert.match(cases[0].first!.what, lost)
  }
})
