import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FieldDecl, TableDecl } from './declaration.js'
import { tableHeader } from './format.js'
import { brokenInvariant } from './invariants.js'
import { layoutState } from './layout.js'
import type { HashLayout } from './layout.js'
import { stateMemory } from './memory.js'
import { Table, clearTable } from './table.js'

const field = (name: string, type: FieldDecl['type'], bytes: number): FieldDecl => ({ name, type, bytes })
const keyTypes: Record<string, FieldDecl[]> = {
  u8: [field('a', 'u8', 1)],
  u16: [field('a', 'u16', 2)],
  u32: [field('a', 'u32', 4)],
  pair: [field('a', 'u32', 4), field('b', 'u32', 4)],
  flow: [
    field('a', 'u32', 4),
    field('b', 'u32', 4),
    field('c', 'u16', 2),
    field('d', 'u16', 2),
    field('e', 'u8', 1),
  ],
  ipv6: [field('a', 'ipv6', 16)],
  name: [field('a', 'bytes', 27)],
}

function makeTable(key: FieldDecl[], changes: Partial<TableDecl>, seed: bigint): Table {
  const declaration: TableDecl = {
    kind: 'table',
    name: 't',
    key,
    value: [field('v', 'u32', 4)],
    capacity: 1,
    evict: 'none',
    scalarKey: false,
    scalarValue: true,
    ...changes,
  }
  const result = layoutState([declaration])
  assert.ok(result.ok)
  const layout = result.layout.objects[0] as HashLayout
  const memory = stateMemory(new ArrayBuffer(layout.size))
  clearTable(memory, 0, layout, seed)
  return new Table(memory, 0, layout)
}

/** Key number n: its bytes spread over the places of the key in an order that `spread` picks. */
function keyOf({ keyBytes, keyAreaBytes }: HashLayout, n: number, spread: number): Uint8Array {
  const key = new Uint8Array(keyAreaBytes)
  for (let i = 0; i < Math.min(4, keyBytes); i++) key[(spread + i * 5) % keyBytes] ^= (n >>> (8 * i)) & 255
  return key
}

const valueOf = (table: Table, slot: number): number =>
  table.memory.view.getUint32(slot + table.layout.value[0].offset, true)
const setValue = (table: Table, slot: number, value: number): void =>
  table.memory.view.setUint32(slot + table.layout.value[0].offset, value, true)

const seeds = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

test('capacity entries fit, whatever the capacity, the key and the seed', () => {
  const small = fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 20, 24, 33, 64, 100)
  const types = fc.constantFrom(...Object.keys(keyTypes))
  fc.assert(
    fc.property(small, types, seeds, fc.nat(255), (capacity, type, seed, spread) => {
      const table = makeTable(keyTypes[type], { capacity }, seed)
      for (let n = 0; n < capacity; n++) {
        const slot = table.insert(keyOf(table.layout, n, spread))
        assert.notEqual(slot, 0, `entry ${n + 1} of ${capacity}`)
        setValue(table, slot, n)
      }
      assert.equal(table.insert(keyOf(table.layout, capacity, spread)), 0)
      assert.equal(table.header('failures'), 1)
      for (let n = 0; n < capacity; n++)
        assert.equal(valueOf(table, table.find(keyOf(table.layout, n, spread))), n)
      assert.equal(brokenInvariant(table), undefined)
    }),
    { numRuns: 400 },
  )
})

for (const [type, stepSize, capacity] of [
  ['u32', 1, 65_536],
  ['u32', 65_537, 1000],
  ['flow', 256, 4000],
] as const)
  test(`${capacity} entries of type ${type} fit, and no displacement loses one`, () => {
    const table = makeTable(keyTypes[type], { capacity }, 0x5eedn)
    const key = (n: number) => keyOf(table.layout, Math.imul(n, stepSize) >>> 0, 0)
    for (let n = 0; n < capacity; n++) {
      const slot = table.insert(key(n))
      assert.ok(slot)
      setValue(table, slot, n)
    }
    for (let n = 0; n < capacity; n++) assert.equal(valueOf(table, table.find(key(n))), n)
    assert.ok(table.header('displacements') >= table.header('version') / 2)
    assert.ok(table.header('displacements') > capacity / 100)
    assert.equal(brokenInvariant(table), undefined)
  })

test('a table at capacity stays usable while keys come and go', () => {
  const capacity = 500
  const table = makeTable(keyTypes.u32, { capacity }, 7n)
  for (let n = 0; n < 20_000; n++) {
    if (n >= capacity) table.remove(table.find(keyOf(table.layout, n - capacity, 0)))
    assert.notEqual(table.insert(keyOf(table.layout, n, 0)), 0)
  }
  assert.equal(table.count, capacity)
  assert.equal(brokenInvariant(table), undefined)
})

/** One step of the model: keys are few, so that they meet; time and sequence move on. */
const steps = fc.array(
  fc.record({ op: fc.constantFrom('set', 'set', 'delete', 'get'), key: fc.nat(24), wait: fc.nat(12) }),
  { maxLength: 120 },
)
const starts = fc.constantFrom(0, 0xffffff80, 0x7fffffc0)

test('a table is a Map with a capacity and expiry', () => {
  const after = 40
  const capacities = fc.constantFrom(1, 2, 3, 7, 9, 16)
  fc.assert(
    fc.property(steps, capacities, starts, seeds, (list, capacity, start, seed) => {
      const table = makeTable(keyTypes.u16, { capacity, expire: { after, unit: 'ms' } }, seed)
      const model = new Map<number, { value: number; touched: number }>()
      let ticks = 0
      list.forEach(({ op, key, wait }, i) => {
        ticks += wait
        const now = (start + ticks) >>> 0
        const bytes = keyOf(table.layout, key, 0)
        const known = model.get(key)
        const alive = known !== undefined && ticks - known.touched < after
        let slot = table.find(bytes, now)
        assert.equal(slot !== 0, alive)
        if (alive) assert.equal(valueOf(table, slot), known.value)
        if (op === 'delete' && slot) {
          table.remove(slot)
          model.delete(key)
        }
        if (op !== 'set') return
        if (slot) table.touch(slot, now)
        else slot = table.insert(bytes, now)
        if (slot) {
          setValue(table, slot, i)
          model.set(key, { value: i, touched: ticks })
        } else assert.equal(table.count, capacity, 'refused below capacity')
        const living = [...model.values()].filter(entry => ticks - entry.touched < after)
        assert.ok(living.length <= table.count)
      })
      assert.equal(brokenInvariant(table), undefined)
    }),
    { numRuns: 300 },
  )
})

test('with at most 8 entries, evicting the oldest is exactly least recently set', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 8 }), starts, seeds, (list, capacity, start, seed) => {
      const table = makeTable(keyTypes.u32, { capacity, evict: 'oldest' }, seed)
      const model = new Map<number, number>()
      list.forEach(({ op, key }, i) => {
        const seq = (start + i) >>> 0
        const bytes = keyOf(table.layout, key, 0)
        let slot = table.find(bytes)
        assert.equal(slot !== 0, model.has(key))
        if (slot) assert.equal(valueOf(table, slot), model.get(key))
        if (op === 'delete' && slot) {
          table.remove(slot)
          model.delete(key)
        }
        if (op !== 'set') return
        if (slot) table.touch(slot, 0, seq)
        else slot = table.insert(bytes, 0, seq)
        assert.notEqual(slot, 0)
        setValue(table, slot, i)
        const [oldest] = model.keys()
        if (!model.has(key) && model.size === capacity) model.delete(oldest)
        model.delete(key)
        model.set(key, i)
      })
      assert.equal(table.count, model.size)
      assert.equal(brokenInvariant(table), undefined)
    }),
    { numRuns: 300 },
  )
})

test('a larger evicting table never refuses, never exceeds its capacity, and loses what it counts', () => {
  const capacities = fc.constantFrom(9, 10, 15, 40)
  fc.assert(
    fc.property(capacities, seeds, fc.integer({ min: 50, max: 300 }), (capacity, seed, inserts) => {
      const table = makeTable(keyTypes.pair, { capacity, evict: 'oldest' }, seed)
      for (let n = 0; n < inserts; n++) assert.notEqual(table.insert(keyOf(table.layout, n, 0), 0, n), 0)
      assert.ok(table.count <= capacity)
      const present = Array.from({ length: inserts }, (_, n) => n).filter(
        n => table.find(keyOf(table.layout, n, 0)) !== 0,
      )
      assert.equal(present.length, table.count)
      assert.equal(inserts - present.length, table.header('evictions'))
      assert.equal(present.at(-1), inserts - 1)
      assert.equal(brokenInvariant(table), undefined)
    }),
    { numRuns: 100 },
  )
})

function bytesAfter(fill: number): Uint8Array {
  const table = makeTable(keyTypes.flow, { capacity: 50 }, 3n)
  table.memory.bytes.fill(fill)
  clearTable(table.memory, 0, table.layout, 3n)
  for (let n = 0; n < 60; n++) table.insert(keyOf(table.layout, n, 2))
  for (let n = 0; n < 60; n += 3) {
    const slot = table.find(keyOf(table.layout, n, 2))
    if (slot) table.remove(slot)
  }
  return table.memory.bytes
}

test('the same operations leave the same bytes, whatever stood in memory before', () => {
  assert.deepEqual(bytesAfter(0), bytesAfter(0xa5))
})

test('a table works at the top of a 4 GiB memory', t => {
  let buffer: ArrayBuffer
  try {
    buffer = new ArrayBuffer(2 ** 32)
  } catch {
    t.skip('this machine gives no 4 GiB of address space')
    return
  }
  const low = makeTable(keyTypes.u32, { capacity: 200, evict: 'oldest' }, 9n)
  const base = 2 ** 32 - low.layout.size
  const view = stateMemory(buffer)
  clearTable(view, base, low.layout, 9n)
  const high = new Table(view, base, low.layout)
  for (let n = 0; n < 300; n++) {
    const key = keyOf(low.layout, n, 0)
    assert.equal(high.insert(key, 0, n), low.insert(key, 0, n))
  }
  assert.deepEqual(view.bytes.slice(base), low.memory.bytes)
  assert.equal(low.memory.view.getUint32(tableHeader.count, true), 200)
})
