// The promise of the split on random programs, states and packets: late after early does what advance does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isSlice, sliceState } from '../analysis/slice.js'
import type { Slice } from '../analysis/slice.js'
import type { Host } from '../ir/access.js'
import { generatePacket, generateProgram, randomOf, sampleShape } from '../ir/generate.js'
import { prepare } from '../ir/interpret.js'
import { ModelState } from '../ir/model.js'
import { parseFunction } from '../ir/parse.js'
import { verifyFunction } from '../ir/verify.js'
import { optimise } from './optimise.js'
import { splitAdvance } from './split-advance.js'

/** More runs: HAIRPIN_RUNS=10. */
const scale = Number(process.env['HAIRPIN_RUNS'] ?? 1)
const nothing = { name: 'p', file: 'p.ts', source: '', objects: [], settings: [], counters: [{ name: 'c' }] }
const hostOf = (state: ModelState): Host => ({ state, settings: new Map([['limit', 3n]]), seed: 7n })

/** Runs the items of packets through advance and through its parts; notes of several items are made ahead. */
function compare(slice: Slice, seed: number, packets: number): number {
  const split = splitAdvance(slice.advance, slice.item.bytes, () => false)
  for (const f of [split.early, split.late]) assert.deepEqual(verifyFunction(f), [], f.name)
  const functions = [slice.extract, slice.advance, split.early, split.late]
  const [whole, parts] = [new ModelState(sampleShape), new ModelState(sampleShape)]
  const run = (name: string, state: ModelState) => prepare({ ...nothing, functions }, name, hostOf(state))
  const extract = run('extract', new ModelState(sampleShape))
  const [advance, early, late] = [run('advance', whole), run('early', parts), run('late', parts)]
  const random = randomOf(seed)
  const items = Array.from({ length: packets }, (_, n) => {
    const packet = generatePacket(random, n)
    const item = new Uint8Array(split.noteAt + split.noteBytes).fill(0xa5)
    const effect = extract({ packet, item: item.subarray(0, slice.item.bytes) }) === 1
    const seen = { ...packet, bytes: new Uint8Array(0), originalLength: 0, timestamp: 0n, device: 0 }
    return { packet: seen, item, effect }
  })
  for (const { item, packet } of items) early({ packet, item })
  for (const { item, packet, effect } of items) {
    if (!effect) continue
    advance({ packet, item: item.slice(0, slice.item.bytes) })
    // Only the note is read.
    item.fill(0, 0, split.noteAt)
    late({ packet, item })
    assert.equal(parts.dump(), whole.dump())
  }
  return items.filter(i => i.effect).length
}

test('late after early is advance, for random programs', () => {
  let effects = 0
  fc.assert(
    fc.property(fc.integer({ min: 1 }), seed => {
      const options = { size: 16, shape: sampleShape, settings: ['limit'], counters: ['c'] }
      const [main] = generateProgram(randomOf(seed), options).functions
      optimise(main)
      const slice = sliceState(main)
      if (isSlice(slice)) effects += compare(slice, seed, 12)
    }),
    { numRuns: 100 * scale, seed: 11 },
  )
  assert.ok(effects > 100, `only ${effects} items had an effect`)
})

test('a hash is computed early, once; what only a second look needs is not', () => {
  const advance = parseFunction(`func advance() -> void {
b0:
  %key = item.load.i32 width=4 offset=0
  %zero = const.i32 value=0
  %seed = state.load.i32 %zero object="t" width=4 offset=32
  %odd = const.i32 value=2654435761
  %mixed = xor.i32 %key, %seed
  %hash = mul.i32 %mixed, %odd
  %shift = const.i32 value=20
  %high = shru.i32 %hash, %shift
  %six = const.i32 value=6
  %first = shl.i32 %high, %six
  %found = state.load.i32 %first object="t" width=4 offset=64
  %hit = eq.i1 %found, %key
  branch %hit, b1, b2
b1:
  state.store %first, %key object="t" width=4 offset=68
  return
b2:
  %low = and.i32 %hash, %odd
  %mix = mul.i32 %low, %odd
  %other = shru.i32 %mix, %shift
  %second = shl.i32 %other, %six
  state.store %second, %hash object="t" width=4 offset=64
  return
}
`)
  const { early, late, touches, noteAt, noteBytes } = splitAdvance(advance, 4, (_, at) => at === 32)
  const [setup, each] = early.blocks
  const ops = each.instrs.map(i => i.op)
  assert.deepEqual(ops, 'item.load item.store xor mul shru shl item.store state.load'.split(' '))
  assert.ok(setup.instrs.some(i => i.op === 'state.load'))
  assert.deepEqual([...touches], [each.instrs[7]])
  // The line's place and the key: the hash is made of the key again where it is needed.
  assert.deepEqual([noteAt, noteBytes], [8, 8])
  assert.equal(late.blocks[0].instrs.filter(i => i.op === 'mul').length, 0)
  assert.equal(late.blocks[2].instrs.filter(i => i.op === 'mul').length, 2)
})
