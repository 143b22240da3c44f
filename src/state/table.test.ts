import { test } from 'node:test'
import assert from 'node:assert/strict'
import { packKey } from './field.js'
import { brokenInvariant } from './invariants.js'
import { layoutState, objectIn } from './layout.js'
import type { HashLayout } from './layout.js'
import type { TableDecl } from './declaration.js'
import { stateMemory } from './memory.js'
import { Table, clearTable } from './table.js'

const declaration: TableDecl = {
  kind: 'table',
  name: 'flows',
  key: [{ name: 'key', type: 'u32', bytes: 4 }],
  value: [{ name: 'value', type: 'u32', bytes: 4 }],
  capacity: 8,
  evict: 'none',
  scalarKey: true,
  scalarValue: true,
}

interface Made {
  table: Table
  key: (n: number) => Uint8Array
  value: (slot: number) => number
  put: (n: number, now?: number, seq?: number) => number
}

/** A fresh table of u32 to u32 at an odd place in memory; `put` inserts n with the value n + 1. */
function make(changes: Partial<TableDecl>, seed = 0n, released?: number[]): Made {
  const laidOut = layoutState([
    { ...declaration, ...changes },
    { kind: 'pool', name: 'pool', first: 0, last: 4 },
  ])
  assert.ok(laidOut.ok)
  const layout = objectIn(laidOut.layout, 'flows') as HashLayout
  const base = 192
  const memory = stateMemory(new ArrayBuffer(base + layout.size))
  clearTable(memory, base, layout, seed)
  const table = new Table(memory, base, layout, n => released?.push(n))
  const key = (n: number) => packKey(layout.key, layout.keyAreaBytes, [BigInt(n)])
  const at = (slot: number) => base + slot + layout.value[0].offset
  const value = (slot: number) => memory.view.getUint32(at(slot), true)
  const put = (n: number, now = 0, seq = 0) => {
    const slot = table.insert(key(n), now, seq)
    if (slot) memory.view.setUint32(at(slot), n + 1, true)
    return slot
  }
  return { table, key, value, put }
}

/** The first `count` numbers from `start` on whose buckets are these two, in either order. */
function keysIn({ table, key }: Made, a: number, b: number, count: number): number[] {
  const found: number[] = []
  for (let n = 0; found.length < count; n++) {
    const { first, second } = table.candidates(key(n))
    if ((first === a && second === b) || (first === b && second === a)) found.push(n)
  }
  return found
}

/** The same, with `first` the first of the two. */
const keysFrom = (made: Made, first: number, second: number, count: number): number[] =>
  keysIn(made, first, second, 8 * count + 40)
    .filter(n => made.table.candidates(made.key(n)).first === first)
    .slice(0, count)

test('bytes of a table with one entry', () => {
  const { table, key, put } = make(
    { evict: 'oldest', expire: { after: 10, unit: 'ms' }, capacity: 2 },
    0x1122334455667788n,
  )
  const slot = put(0x0a000001, 0x01020304, 0x05060708)
  const { bytes } = table.memory
  assert.deepEqual(
    [...bytes.subarray(192, 192 + 64)],
    [
      [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
      [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 2, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ].flat(),
  )
  const { tag, first } = table.candidates(key(0x0a000001))
  assert.equal(slot, 320 + first * 4 * 24)
  assert.equal(table.layout.stride, 24)
  assert.deepEqual(
    [...bytes.subarray(192 + slot, 192 + slot + 24)],
    [
      [tag & 255, (tag >> 8) & 255, (tag >> 16) & 255, tag >>> 24],
      [4, 3, 2, 1],
      [8, 7, 6, 5],
      [10, 0, 0, 1],
      [2, 0, 0, 10],
      [0, 0, 0, 0],
    ].flat(),
  )
  table.remove(slot)
  assert.ok(bytes.subarray(192 + 320).every(byte => byte === 0))
  assert.equal(table.count, 0)
})

test('find does not see other keys, removed keys or other tables', () => {
  const { table, key, value, put } = make({ capacity: 100 })
  for (let n = 0; n < 100; n++) assert.notEqual(put(n), 0)
  for (let n = 0; n < 100; n++) assert.equal(value(table.find(key(n))), n + 1)
  assert.equal(table.find(key(100)), 0)
  table.remove(table.find(key(50)))
  assert.equal(table.find(key(50)), 0)
  assert.equal(brokenInvariant(table), undefined)
})

test('an entry takes the first free slot of its first bucket, then of its second', () => {
  const made = make({ capacity: 64 })
  const { table, put } = made
  const slots = keysFrom(made, 3, 9, 8).map(n => put(n))
  assert.deepEqual(slots, [...table.slotsOf(3), ...table.slotsOf(9)])
})

test('at capacity a table without eviction refuses and counts', () => {
  const { table, put } = make({ capacity: 3 })
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(n => put(n) !== 0),
    [true, true, true, false, false],
  )
  assert.deepEqual([table.count, table.header('failures')], [3, 2])
})

test('displacement moves entries along the shortest path and counts them', () => {
  const made = make({ capacity: 64 })
  const { table, key, value, put } = made
  const path = [keysFrom(made, 1, 2, 1)[0], keysFrom(made, 2, 3, 1)[0]]
  const start = path.map(n => put(n))
  assert.deepEqual(start, [table.slotsOf(1)[0], table.slotsOf(2)[0]])
  const filler = [...keysFrom(made, 2, 4, 3), ...keysFrom(made, 0, 1, 4), ...keysFrom(made, 1, 0, 3)]
  for (const n of [...filler, ...keysFrom(made, 4, 5, 4)]) put(n)
  assert.equal(table.header('version'), 0)
  const [newcomer] = keysFrom(made, 0, 1, 5).slice(4)
  assert.equal(put(newcomer), start[0], 'the newcomer takes the place that became free')
  assert.deepEqual(
    path.map(n => table.find(key(n))),
    [start[1], table.slotsOf(3)[0]],
  )
  assert.deepEqual([table.header('version'), table.header('displacements')], [2, 2])
  for (const n of [...path, ...filler, newcomer]) assert.equal(value(table.find(key(n))), n + 1)
  assert.equal(brokenInvariant(table), undefined)
})

test('nine keys of one pair of buckets: the ninth is refused below capacity, or evicts the oldest', () => {
  const refusing = make({ capacity: 64 })
  const nine = keysIn(refusing, 4, 7, 9)
  assert.deepEqual(
    nine.map(n => refusing.put(n) !== 0),
    [...Array<boolean>(8).fill(true), false],
  )
  assert.deepEqual([refusing.table.count, refusing.table.header('failures')], [8, 1])
  assert.equal(refusing.table.header('version'), 0)

  const evicting = make({ capacity: 64, evict: 'oldest' })
  const { table, key, put } = evicting
  for (const [i, n] of nine.slice(0, 8).entries()) put(n, 0, 100 + i)
  table.touch(table.find(key(nine[0])), 0, 200)
  const oldest = table.find(key(nine[1]))
  assert.equal(put(nine[8], 0, 201), oldest)
  assert.equal(table.find(key(nine[1])), 0)
  assert.deepEqual([table.count, table.header('evictions'), table.header('failures')], [8, 1, 0])
})

test('the sequence number may wrap: 2^32 - 1 is older than 0', () => {
  const { table, key, put } = make({ capacity: 2, evict: 'oldest' })
  put(1, 0, 0xffffffff)
  put(2, 0, 0)
  put(3, 0, 1)
  assert.equal(table.find(key(1)), 0)
  assert.notEqual(table.find(key(2)), 0)
})

test('of equally old entries the first one in slot order goes', () => {
  const made = make({ capacity: 4, evict: 'oldest' })
  const { table, key, put } = made
  const keys = [1, 2, 3, 4]
  for (const n of keys) put(n, 0, 7)
  const { first, second } = table.candidates(key(5))
  const order = [...table.slotsOf(first), ...table.slotsOf(second)]
  const victim = order.find(slot => table.tagAt(slot) !== 0)
  const gone = keys.find(n => table.find(key(n)) === victim)!
  put(5, 0, 9)
  assert.equal(table.find(key(gone)), 0)
  assert.equal(table.count, 4)
})

test('with its own buckets empty, a key evicts from the next bucket that is not', () => {
  const made = make({ capacity: 9, evict: 'oldest' })
  const { table, key, put } = made
  const crowd = [...keysIn(made, 0, 1, 6), ...keysIn(made, 0, 2, 3)]
  for (const [i, n] of crowd.entries()) put(n, 0, 50 - i)
  const [outsider] = keysIn(made, 8, 9, 1)
  const occupied = new Set(table.occupied())
  const reached = [10, 0].flatMap(b => table.slotsOf(b)).filter(slot => occupied.has(slot))
  const victim = crowd.filter(n => reached.includes(table.find(key(n)))).at(-1)!
  const slot = put(outsider, 0, 60)
  assert.equal(slot, table.slotsOf(table.candidates(key(outsider)).first)[0])
  assert.equal(table.find(key(victim)), 0)
  assert.deepEqual([table.count, table.header('evictions')], [9, 1])
  assert.equal(brokenInvariant(table), undefined)
})

test('an entry expires `after` ticks after its last touch, across the wrap of the clock', () => {
  for (const start of [0, 1000, 0xfffffff0, 0xffffffff]) {
    const at = (ticks: number) => (start + ticks) >>> 0
    const { table, key, put } = make({ expire: { after: 10, unit: 'ms' } })
    const slot = put(1, start)
    assert.equal(table.find(key(1), at(9)), slot)
    assert.equal(table.find(key(1), at(10)), 0)
    table.touch(slot, at(5))
    assert.equal(table.find(key(1), at(14)), slot)
    assert.equal(table.find(key(1), at(15)), 0)
    assert.equal(table.find(key(1), at(5 - 0x10000000)), slot, 'time that steps back expires nothing')
    assert.equal(table.count, 1)
  }
})

test('inserting an expired key again replaces it', () => {
  const { table, key, value, put } = make({ expire: { after: 10, unit: 'ms' } })
  put(1, 0)
  assert.equal(table.find(key(1), 10), 0)
  const slot = table.insert(key(1), 10)
  assert.equal(value(slot), 0)
  assert.deepEqual([table.count, table.header('expiries')], [1, 1])
  assert.equal(brokenInvariant(table), undefined)
})

test('each insert sweeps two buckets, so a full table of dead entries comes back', () => {
  const { table, put } = make({ capacity: 100, expire: { after: 10, unit: 'ms' } })
  for (let n = 0; n < 100; n++) put(n, 0)
  const cursor = table.header('sweep')
  assert.notEqual(put(1000, 50), 0)
  assert.equal(table.header('sweep'), (cursor + 2) % table.layout.bucketCount)
  for (let n = 1001; n < 1000 + table.layout.bucketCount / 2; n++) put(n, 50)
  assert.equal(table.header('expiries'), 100)
  assert.equal(brokenInvariant(table), undefined)
})

test('an entry that leaves in any way gives its number back', () => {
  const released: number[] = []
  const { table, key, put } = make(
    {
      capacity: 2,
      evict: 'oldest',
      expire: { after: 10, unit: 'ms' },
      release: { pool: 'pool', field: 'value' },
    },
    0n,
    released,
  )
  put(1, 0, 1)
  put(2, 0, 2)
  put(3, 0, 3)
  assert.deepEqual(released, [2])
  table.remove(table.find(key(3)))
  assert.deepEqual(released, [2, 4])
  put(4, 10, 4)
  assert.deepEqual(released, [2, 4, 3])
})
