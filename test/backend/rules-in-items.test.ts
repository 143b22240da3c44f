/** What a look-up in a map that others may change gives to state travels in the item: replicas never look it up again. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSlice } from '../../src/analysis/slice.js'
import { compile } from '../../src/compile.js'
import type { Func } from '../../src/ir/types.js'

const source = `import { type Packet, Verdict, ipv4, lpm, rules, table, u8, u32, u64 } from 'hairpin'
const weights = rules({ key: ipv4, value: { weight: u32, note: u64 }, capacity: 16, map: 'hash' })
const nets = lpm({ key: ipv4, value: u8, capacity: 16, map: 'lpm' })
const sums = table({ key: ipv4, value: u32, capacity: 64 })
export default function weighed(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Pass
  const weight = weights.lookup(ip.source)?.weight ?? 1
  const entry = sums.upsert(ip.destination)
  if (entry) entry.value += weight
  return nets.lookup(ip.source) === 1 ? Verdict.Drop : Verdict.Pass
}
`

const lookups = (func: Func): string[] =>
  func.blocks.flatMap(b => b.instrs.filter(i => i.op === 'rules.lookup').map(i => String(i.attrs.object)))

test('the item has the result of the look-up, and advance looks nothing up', () => {
  const { compiled } = compile('weighed.ts', source)
  assert.ok(compiled)
  const { slice } = compiled
  assert.ok(isSlice(slice))
  assert.deepEqual(slice.rules, ['weights'])
  assert.deepEqual(lookups(slice.extract), ['weights'])
  assert.deepEqual(lookups(slice.advance), [])
  // The destination and the weight; not what only the verdict needs, nor the note.
  assert.equal(slice.item.bytes, 8)
  const inKernel = compiled.kernel.slice
  assert.ok(inKernel)
  assert.deepEqual(lookups(inKernel.advance), [])
  assert.deepEqual(lookups(inKernel.extract), ['weights'], 'the kernel form looks up in the map')
  assert.deepEqual(lookups(compiled.batch.slice!.extract), [], 'WebAssembly looks up in memory')
})
