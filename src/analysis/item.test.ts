import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FunctionBuilder } from '../ir/builder.js'
import { prepare } from '../ir/interpret.js'
import { ModelState } from '../ir/model.js'
import type { Func, Type } from '../ir/types.js'
import { verifyFunction } from '../ir/verify.js'
import { loadField, storeItem } from './item-code.js'
import { bitsUsed, placeFields } from './item.js'
import type { Placement } from './item.js'

const place = (...bits: number[]): Placement => placeFields(bits.map(b => ({ bits: b })))

test('large fields first, single bits at the end', () => {
  assert.deepEqual(place(1, 32, 1, 16, 1), {
    offsets: [48, 0, 49, 32, 50],
    sizes: [1, 32, 1, 16, 1],
    bytes: 7,
  })
})

test('a field is widened to whole bytes where that is free', () => {
  assert.deepEqual(place(12), { offsets: [0], sizes: [16], bytes: 2 })
  assert.deepEqual(place(12, 4), { offsets: [0, 12], sizes: [12, 4], bytes: 2 })
})

test('exclusive fields share bits, others do not', () => {
  const sizes = [{ bits: 32 }, { bits: 64 }, { bits: 16 }]
  const { offsets, bytes } = placeFields(sizes, (a, b) => a + b === 1)
  assert.deepEqual([offsets, bytes], [[0, 0, 64], 10])
})

const typeFor = (bits: number): Type => (bits === 1 ? 'i1' : bits <= 32 ? 'i32' : 'i64')
const machine = (functions: Func[]) => (name: string, item: Uint8Array, args: bigint[]) => {
  const program = { name: 't', file: '', source: '', objects: [], settings: [], counters: [], functions }
  for (const f of functions) assert.deepEqual(verifyFunction(f), [])
  return prepare(program, name, { state: new ModelState() })({
    item,
    args: args.map((v, k) => (functions[0].params[k].type === 'i64' ? v : Number(v))),
  })
}

const items = fc
  .array(
    fc.tuple(fc.integer({ min: 1, max: 64 }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.nat(2)),
    {
      minLength: 1,
      maxLength: 9,
    },
  )
  .map(list => list.map(([bits, value, group]) => ({ bits, value: BigInt.asUintN(bits, value), group })))

test('what was stored is loaded, whatever shares bits with it', () => {
  fc.assert(
    fc.property(items, fc.nat(2), (fields, present) => {
      // Fields of groups 0 and 1 are exclusive; those of group 2 are always there.
      const exclusive = (a: number, b: number): boolean => fields[a].group + fields[b].group === 1
      const placement = placeFields(fields, exclusive)
      assert.ok(bitsUsed(fields, placement.offsets) <= placement.bytes * 8)
      const types = fields.map(f => typeFor(f.bits))
      const store = new FunctionBuilder('store', types, 'void')
      storeItem(
        store,
        placement,
        store.func.params,
        fields.map(f => f.bits),
      )
      store.return()
      const loads = fields.map((_, k) => {
        const b = new FunctionBuilder(`load${k}`, [], types[k])
        b.return([loadField(b, placement.offsets[k], placement.sizes[k], types[k])])
        return b.finish()
      })
      const item = new Uint8Array(placement.bytes)
      const isPresent = (group: number): boolean => group === 2 || group === present % 2
      const values = fields.map(f => (isPresent(f.group) ? f.value : 0n))
      const run = machine([store.finish(), ...loads])
      run('store', item, values)
      fields.forEach((f, k) => {
        if (isPresent(f.group)) assert.equal(BigInt(run(`load${k}`, item, [])!), f.value)
      })
    }),
    { numRuns: 200 },
  )
})
