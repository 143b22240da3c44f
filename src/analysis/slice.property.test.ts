// The promise of the slice on random programs, states and packets: advance after extract changes state as the program
// does, a packet without effect changes nothing, and packets with equal items do the same to the state.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Host, ReceivedPacket } from '../ir/access.js'
import { generatePacket, generateProgram, randomOf, sampleShape } from '../ir/generate.js'
import { prepare } from '../ir/interpret.js'
import { ModelState } from '../ir/model.js'
import { opInfo } from '../ir/ops.js'
import { printFunction } from '../ir/print.js'
import type { Func } from '../ir/types.js'
import { verifyFunction } from '../ir/verify.js'
import { optimise } from '../transform/optimise.js'
import { isSlice, sliceState } from './slice.js'
import type { Slice } from './slice.js'

/** More runs: HAIRPIN_RUNS=10. */
const scale = Number(process.env['HAIRPIN_RUNS'] ?? 1)

const effectsOf = (func: Func): Set<string> =>
  new Set(func.blocks.flatMap(b => b.instrs.map(i => opInfo(i.op).effect)))

const hostOf = (state: ModelState): Host => ({ state, settings: new Map([['limit', 3n]]), seed: 7n })

/** Runs packets through the program and through the slice; the states must stay equal. Counts effects. */
function compare(slice: Slice, seed: number, packets: number): number {
  const [serial, replica] = [new ModelState(sampleShape), new ModelState(sampleShape)]
  const program = {
    name: 'p',
    file: 'p.ts',
    source: '',
    objects: [],
    settings: [],
    counters: [{ name: 'c' }],
    functions: [slice.process, slice.extract, slice.advance],
  }
  const process = prepare(program, slice.process.name, hostOf(serial))
  const extract = prepare(program, 'extract', hostOf(new ModelState(sampleShape)))
  const advance = prepare(program, 'advance', hostOf(replica))
  const random = randomOf(seed)
  let effects = 0
  for (let n = 0; n < packets; n++) {
    const packet = generatePacket(random, n)
    const item = new Uint8Array(slice.item.bytes).fill(0xa5)
    const effect = extract({ packet, item })
    if (effect) {
      effects++
      // A replica sees the item and the sequence number, nothing else.
      advance({
        packet: { ...packet, bytes: new Uint8Array(0), originalLength: 0, timestamp: 0n, device: 0 },
        item,
      })
    } else
      assert.ok(
        item.every(b => b === 0xa5),
        'an item without effect is not touched',
      )
    process({ packet })
    assert.equal(replica.dump(), serial.dump(), `packet ${n}, effect ${effect}`)
  }
  return effects
}

/** What the program makes of a packet in fresh state. */
function transition(main: Func, packet: ReceivedPacket): string {
  const state = new ModelState(sampleShape)
  const program = {
    name: 'p',
    file: 'p.ts',
    source: '',
    objects: [],
    settings: [],
    counters: [{ name: 'c' }],
  }
  prepare(
    { ...program, functions: [main] },
    main.name,
    hostOf(state),
  )({ packet: { ...packet, bytes: packet.bytes.slice() } })
  return state.dump()
}

/**
 * Looks for packets with one item among many, all with one sequence number; the program must do the same with them.
 * Counts such pairs.
 */
function equalItems(slice: Slice, seed: number, packets: number): number {
  const program = { name: 'p', file: 'p.ts', source: '', objects: [], settings: [], counters: [] }
  const extract = prepare(
    { ...program, functions: [slice.extract] },
    'extract',
    hostOf(new ModelState(sampleShape)),
  )
  const random = randomOf(seed)
  const transitions = new Map<string, string>()
  let pairs = 0
  for (let n = 0; n < packets; n++) {
    const packet = { ...generatePacket(random, n), sequence: 0n }
    const item = new Uint8Array(slice.item.bytes)
    const key = `${extract({ packet, item })} ${item.join()}`
    const now = transition(slice.process, packet)
    const before = transitions.get(key)
    if (before !== undefined) pairs++
    assert.equal(before ?? now, now, key)
    transitions.set(key, now)
  }
  return pairs
}

const cases = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  size: fc.integer({ min: 3, max: 32 }),
  stores: fc.boolean(),
  optimised: fc.boolean(),
})

test('advance after extract changes state as the program does', () => {
  const tally = { sliced: 0, refused: 0, effects: 0, pairs: 0 }
  fc.assert(
    fc.property(cases, ({ seed, size, stores, optimised }) => {
      const options = { size, shape: sampleShape, settings: ['limit'], counters: ['c'], stores }
      const [main] = generateProgram(randomOf(seed), options).functions
      if (optimised) optimise(main)
      const before = printFunction(main)
      const slice = sliceState(main)
      assert.equal(printFunction(main), before, 'the program is left as it was')
      if (!isSlice(slice)) {
        tally.refused++
        return
      }
      tally.sliced++
      assert.deepEqual([...verifyFunction(slice.extract), ...verifyFunction(slice.advance)], [])
      const [inExtract, inAdvance] = [effectsOf(slice.extract), effectsOf(slice.advance)]
      for (const e of ['state.read', 'state.write', 'packet.write', 'counter'])
        assert.ok(!inExtract.has(e as never), `${e} in extract`)
      for (const e of ['packet.read', 'packet.write', 'rules.read', 'counter', 'item.write'])
        assert.ok(!inAdvance.has(e as never), `${e} in advance`)
      const effects = compare(slice, seed, 20)
      tally.effects += effects ? 1 : 0
      if (effects) tally.pairs += equalItems(slice, seed + 1, 20)
    }),
    { numRuns: 400 * scale },
  )
  // The test would prove nothing if most programs were refused or had no effect.
  assert.ok(tally.sliced > tally.refused, JSON.stringify(tally))
  assert.ok(tally.effects > tally.sliced / 4 && tally.pairs > tally.effects, JSON.stringify(tally))
})
