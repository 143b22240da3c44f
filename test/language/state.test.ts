// What state operations mean to a program, on every backend: snapshots, entries in place, refusals, order, truth.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compiled, runners } from './runners.js'

/** Declarations, body, and what the first elements of `results` hold after one packet. */
const cases: Readonly<
  Record<string, readonly [declarations: string, body: string, expected: readonly bigint[]]>
> = {
  'a snapshot keeps what it read; an entry is the place itself': [
    'const t = table({ key: u32, value: { n: u32 }, capacity: 8 })',
    `t.set(1, { n: 5 })
     const before = t.get(1)
     const entry = t.upsert(1)
     if (!before || !entry) return Verdict.Drop
     entry.n += 1
     put(0, before.n); put(1, entry.n); put(2, t.get(1)?.n ?? 99)`,
    [5n, 6n, 6n],
  ],
  'upsert starts from zeros or from the initial value, and only if the entry is new': [
    'const t = table({ key: u32, value: { n: u32, m: u8 }, capacity: 8 })',
    `const a = t.upsert(1); if (a) { put(0, a.n); a.n = 7 }
     const b = t.upsert(2, { n: 3, m: 4 }); if (b) { put(1, b.n); put(2, b.m) }
     const c = t.upsert(1, { n: 3, m: 4 }); if (c) { put(3, c.n); put(4, c.m) }`,
    [0n, 3n, 4n, 7n, 0n],
  ],
  'set, has, get and delete tell the truth; a full table refuses': [
    'const t = table({ key: u32, value: u8, capacity: 1 })',
    `put(0, u32(t.has(1))); put(1, u32(t.set(1, 255))); put(2, u32(t.has(1))); put(3, t.get(1) ?? 99)
     put(4, u32(t.set(2, 1))); put(5, t.get(2) ?? 99); put(6, u32(t.upsert(2) === undefined))
     put(7, u32(t.delete(1))); put(8, u32(t.delete(1))); put(9, t.get(1) ?? 99)`,
    [0n, 1n, 1n, 255n, 0n, 99n, 1n, 1n, 0n, 99n],
  ],
  'fields are cut to their widths, and what an assignment gives is cut as well': [
    'const t = table({ key: u32, value: { a: u8, b: u16, c: i32, d: bool, e: u64 }, capacity: 8 })',
    `const e = t.upsert(1)
     if (!e) return Verdict.Drop
     put(0, e.a = 300 - packet.device); e.b = 65537 + packet.device; e.c = -1; e.d = packet.length > 3; e.e = u64(packet.device) - 1n
     put(1, e.b); put(2, u32(e.c)); put(3, u32(e.d)); put(4, u32(e.e >> 32n)); put(5, e.a++); put(6, ++e.a); put(7, u32(e.c < 0))`,
    [44n, 1n, 0xffffffffn, 1n, 0xffffffffn, 44n, 46n, 1n],
  ],
  'arrays beyond their end read zeros and ignore writes; cells': [
    'const r = array({ a: u32, b: u8 }, 4)\nconst c = cell({ x: u16, y: u64 })',
    `r.set(3, { a: 5, b: 6 }); r.set(4, { a: 7, b: 8 }); r.at(9).a = 3
     put(0, r.get(3).a); put(1, r.get(4).a); put(2, r.get(9).b); r.at(0).b += 255; r.at(0).b += 3; put(3, r.get(0).b)
     c.set({ x: 65535, y: 1n }); put(4, c.get().x); put(5, u32(c.get().y))`,
    [5n, 0n, 0n, 2n, 65535n, 1n],
  ],
  'a pool hands out in turn, gives back last, and runs dry': [
    'const p = pool(10, 12)',
    `put(0, p.take() ?? 0); put(1, p.take() ?? 0); p.give(10); put(2, p.take() ?? 0); put(3, p.take() ?? 0); put(4, p.take() ?? 99)`,
    [10n, 11n, 12n, 10n, 99n],
  ],
  'conditions evaluate what they need, in order': [
    'const c = cell(u32)\nfunction count(n: u32): u32 { c.set(c.get() + 1); return n }',
    `if (count(0) && count(1)) put(0, 9); put(1, c.get())
     if (count(1) || count(1)) put(2, 1); put(3, c.get())
     const n: u32 | undefined = packet.length > 3 ? 5 : undefined
     put(4, n ?? count(7)); put(5, c.get()); put(6, packet.length > 3 ? count(2) : count(3)); put(7, c.get())`,
    [0n, 1n, 1n, 2n, 5n, 2n, 2n, 3n],
  ],
  'optional values compare as in TypeScript': [
    'const t = table({ key: u32, value: u8, capacity: 8 })',
    `t.set(1, 0); t.set(2, 0)
     put(0, u32(t.get(1) === 0)); put(1, u32(t.get(9) === 0)); put(2, u32(t.get(1) === t.get(2))); put(3, u32(t.get(8) === t.get(9)))
     put(4, u32(t.get(1) === t.get(9))); put(5, u32(t.get(1) !== undefined)); put(6, t.get(1) ? 1 : 2); put(7, u32(t.get(9) !== t.get(1)))`,
    [1n, 0n, 1n, 1n, 0n, 1n, 2n, 1n],
  ],
}

for (const [name, [declarations, body, expected]] of Object.entries(cases))
  test(name, async () => {
    const text = `import { type Packet, Verdict, array, bool, cell, i32, pool, table, u16, u32, u64, u8 } from 'hairpin'
const results = array(u64, 16)
${declarations}
function put(index: u32, value: u32): void {
  results.set(index, u64(value))
}
export default function f(packet: Packet): Verdict {
${body}
  return Verdict.Pass
}
`
    const program = compiled(text)
    for (const runner of runners)
      assert.deepEqual(
        await runner.run(program, [new Uint8Array(60)], expected.length),
        expected,
        `${runner.name}: ${text}`,
      )
  })
