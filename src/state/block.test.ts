import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { StateBlock, clearBlock, clockAt } from './block.js'
import type { FieldDecl, ReplicatedObject } from './declaration.js'
import { leavesOf } from './declaration.js'
import { loadLeaf, packKey, storeLeaf } from './field.js'
import { noNumber } from './format.js'
import { layoutState } from './layout.js'
import { stateMemory } from './memory.js'

const port: FieldDecl = { name: 'port', type: 'u16', bytes: 2 }
const nat: ReplicatedObject[] = [
  {
    kind: 'table',
    name: 'flows',
    key: [{ name: 'key', type: 'u32', bytes: 4 }],
    value: [port],
    capacity: 100,
    evict: 'none',
    expire: { after: 5, unit: 's' },
    release: { pool: 'ports', field: 'port' },
    scalarKey: true,
    scalarValue: false,
  },
  { kind: 'pool', name: 'ports', first: 40_000, last: 40_003 },
  {
    kind: 'array',
    name: 'seen',
    value: [
      { name: 'where', type: 'ipv6', bytes: 16 },
      { name: 'delta', type: 'i64', bytes: 8 },
      { name: 'low', type: 'i32', bytes: 4 },
      { name: 'is', type: 'bool', bytes: 1 },
      { name: 'tag', type: 'bytes', bytes: 3 },
    ],
    length: 2,
    scalarValue: false,
  },
]

function fresh(base = 64): StateBlock {
  const result = layoutState(nat)
  assert.ok(result.ok)
  const memory = stateMemory(new ArrayBuffer(base + result.layout.size))
  clearBlock(memory, base, result.layout, 1n)
  return new StateBlock(memory, base, result.layout)
}

/** What a NAT does with the first packet of a flow: take a port, then make the entry. */
function open(block: StateBlock, flow: number, timestamp: bigint): number {
  const number = block.take('ports', timestamp)
  if (number === noNumber) return number
  const table = block.table('flows')
  const key = packKey(table.layout.key, table.layout.keyAreaBytes, [BigInt(flow)])
  const slot = table.insert(key, clockAt(timestamp, 's'))
  storeLeaf(
    block.memory,
    table.base + slot,
    table.layout.value[0],
    leavesOf(port)[0],
    'value',
    BigInt(number),
  )
  return number
}

test('numbers are taken in order and come back last', () => {
  const pool = fresh().pool('ports')
  assert.deepEqual([pool.take(), pool.take()], [40_000, 40_001])
  pool.give(40_000)
  assert.deepEqual(pool.free(), [40_002, 40_003, 40_000])
  assert.deepEqual(
    [pool.take(), pool.take(), pool.take(), pool.take()],
    [40_002, 40_003, 40_000, 4_294_967_295],
  )
})

test('bytes of a pool', () => {
  const { memory, base, layout } = fresh().pool('ports')
  const words = Array.from({ length: 32 }, (_, i) => memory.view.getUint32(base + 4 * i, true))
  assert.equal(layout.size, 128)
  assert.deepEqual(words, [
    ...[0, 4, 4, 40_000].concat(Array(12).fill(0)),
    ...[40_000, 40_001, 40_002, 40_003].concat(Array(12).fill(0)),
  ])
})

test('a pool ignores and counts what is not its own or too much', () => {
  const { memory, base, layout } = fresh().pool('ports')
  const pool = fresh().pool('ports')
  pool.give(40_000)
  pool.take()
  pool.give(39_999)
  pool.give(40_004)
  pool.give(noNumber)
  assert.equal(pool.memory.view.getUint32(pool.base + 20, true), 4)
  assert.deepEqual(pool.free(), [40_001, 40_002, 40_003])
  assert.equal(layout.count, 4)
  assert.equal(memory.view.getUint32(base + 20, true), 0)
})

test('a pool is a queue', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), list => {
      const pool = fresh().pool('ports')
      const free = [40_000, 40_001, 40_002, 40_003]
      const taken: number[] = []
      for (const take of list)
        if (take) {
          const number = pool.take()
          assert.equal(number, free.shift() ?? noNumber)
          if (number !== noNumber) taken.push(number)
        } else if (taken.length > 0) {
          const number = taken.pop()!
          free.push(number)
          pool.give(number)
        }
      assert.deepEqual(pool.free(), free)
    }),
    { numRuns: 100 },
  )
})

test('a dry pool gets back what expired, though nothing was inserted meanwhile', () => {
  const block = fresh()
  for (let flow = 0; flow < 4; flow++) assert.equal(open(block, flow, 0n), 40_000 + flow)
  assert.equal(open(block, 4, 4_999_999_999n), noNumber)
  const late = 5_000_000_000n
  const taken = Array.from({ length: 40 }, (_, i) => open(block, 100 + i, late)).filter(n => n !== noNumber)
  assert.deepEqual(taken.toSorted(), [40_000, 40_001, 40_002, 40_003])
  assert.equal(block.table('flows').header('expiries'), 4)
  assert.equal(block.pool('ports').available, 0)
})

test('array elements hold every type; beyond the end nothing is stored', () => {
  const seen = fresh().array('seen')
  const where = Uint8Array.from({ length: 16 }, (_, i) => i)
  const values = [where, -5n, -7, true, Uint8Array.of(1, 2, 3)]
  seen.set(1, values)
  assert.deepEqual(seen.get(1), values)
  assert.deepEqual(seen.get(0), [new Uint8Array(16), 0n, 0, false, new Uint8Array(3)])
  const before = seen.memory.bytes.slice()
  seen.set(2, values)
  seen.set(-1, values)
  assert.deepEqual(seen.memory.bytes, before)
  assert.equal(seen.get(2), undefined)
  assert.equal(seen.layout.stride, 32)
})

test('leaves of addresses and bytes are big-endian in keys and values, integers little-endian in values', () => {
  const seen = fresh().array('seen')
  const [where, delta, , , tag] = seen.layout.value
  seen.memory.bytes.set(
    Array.from({ length: 24 }, (_, i) => i + 1),
    seen.base,
  )
  const load = (field: typeof where, part: number) =>
    loadLeaf(seen.memory, seen.base, field, leavesOf(field)[part], 'value')
  assert.equal(load(where, 0), 0x0102030405060708n)
  assert.equal(load(where, 1), 0x090a0b0c0d0e0f10n)
  assert.equal(load(delta, 0), 0x1817161514131211n)
  storeLeaf(seen.memory, seen.base, tag, leavesOf(tag)[0], 'value', 0x1abcdn)
  assert.deepEqual([...seen.memory.bytes.subarray(seen.base + 29, seen.base + 32)], [0xab, 0xcd, 0])
})

test('keys are packed big-endian and padded', () => {
  const key = packKey([{ name: 'a', type: 'u32', bytes: 4 }, port, { name: 'p', type: 'u8', bytes: 1 }], 8, [
    0x0a000001n,
    80n,
    6n,
  ])
  assert.deepEqual([...key], [10, 0, 0, 1, 0, 80, 6, 0])
})

test('a clock is the timestamp in units, modulo 2^32', () => {
  assert.equal(clockAt(5_000_000_000n, 'ms'), 5000)
  assert.equal(clockAt(2n ** 32n + 5n, 'ns'), 5)
  assert.equal(clockAt(999n, 'us'), 0)
})
