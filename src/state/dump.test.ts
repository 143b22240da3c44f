import { test } from 'node:test'
import assert from 'node:assert/strict'
import { StateBlock, clearBlock } from './block.js'
import type { FieldDecl, ReplicatedObject } from './declaration.js'
import { describeDifference, diffDumps, diffStates } from './diff.js'
import { describe, dumpState, dumpTable, dumpToJson, mergeDumps } from './dump.js'
import { packKey, writeField } from './field.js'
import type { FieldValue } from './field.js'
import { layoutState } from './layout.js'
import { stateMemory } from './memory.js'

const ipv4: FieldDecl = { name: 'source', type: 'u32', bytes: 4, display: 'ipv4' }
const port: FieldDecl = { name: 'port', type: 'u16', bytes: 2, display: 'port' }
const objects: ReplicatedObject[] = [
  {
    kind: 'table',
    name: 'flows',
    key: [ipv4, port],
    value: [{ name: 'bytes', type: 'u64', bytes: 8 }],
    capacity: 1000,
    evict: 'oldest',
    expire: { after: 30, unit: 's' },
    scalarKey: false,
    scalarValue: true,
  },
  {
    kind: 'table',
    name: 'seen',
    key: [{ ...ipv4, name: 'key' }],
    value: [],
    capacity: 8,
    evict: 'none',
    scalarKey: true,
    scalarValue: true,
  },
  { kind: 'pool', name: 'ports', first: 1, last: 3 },
  {
    kind: 'array',
    name: 'rates',
    value: [{ name: 'value', type: 'i32', bytes: 4 }],
    length: 4,
    scalarValue: true,
  },
  {
    kind: 'array',
    name: 'total',
    value: [
      { name: 'in', type: 'u32', bytes: 4 },
      { name: 'on', type: 'bool', bytes: 1 },
    ],
    length: 1,
    scalarValue: false,
    cell: true,
  },
]
const layout = (() => {
  const result = layoutState(objects)
  assert.ok(result.ok)
  return result.layout
})()

/** A fresh block, in shared memory as workers have it. */
function fresh(base = 64): StateBlock {
  const memory = stateMemory(new SharedArrayBuffer(base + layout.size))
  clearBlock(memory, base, layout, 1n)
  return new StateBlock(memory, base, layout)
}

function put(block: StateBlock, name: string, key: bigint[], value: FieldValue[], now = 0, seq = 0): void {
  const table = block.table(name)
  const packed = packKey(table.layout.key, table.layout.keyAreaBytes, key)
  const slot = table.find(packed, now) || table.insert(packed, now, seq)
  value.forEach((v, i) => writeField(block.memory, table.base + slot, table.layout.value[i], 'value', v))
}

function filled(base?: number): StateBlock {
  const block = fresh(base)
  put(block, 'flows', [0x0a000002n, 80n], [2n ** 60n], 5, 1)
  put(block, 'flows', [0x0a000001n, 443n], [7n], 40, 2)
  put(block, 'flows', [0x0a000001n, 80n], [9n], 50, 3)
  put(block, 'seen', [0xc0000201n], [])
  block.pool('ports').take()
  block.array('rates').set(2, [-3])
  block.array('total').set(0, [12, true])
  return block
}

const dumpOf = (block: StateBlock, timestamp?: bigint) =>
  dumpState(block.memory, block.base, layout, timestamp)

test('a dump as JSON: sorted, named, spelled as people do', () => {
  assert.deepEqual(dumpOf(filled()).map(dumpToJson), [
    {
      name: 'flows',
      kind: 'table',
      capacity: 1000,
      count: 3,
      failures: 0,
      evictions: 0,
      expiries: 0,
      displacements: 0,
      entries: [
        { key: { source: '10.0.0.1', port: 80 }, value: '9' },
        { key: { source: '10.0.0.1', port: 443 }, value: '7' },
        { key: { source: '10.0.0.2', port: 80 }, value: '1152921504606846976' },
      ],
    },
    {
      name: 'seen',
      kind: 'table',
      capacity: 8,
      count: 1,
      failures: 0,
      evictions: 0,
      expiries: 0,
      displacements: 0,
      entries: [{ key: '192.0.2.1' }],
    },
    { name: 'ports', kind: 'pool', first: 1, last: 3, available: 2, exhausted: 0, rejected: 0, free: [2, 3] },
    { name: 'rates', kind: 'array', length: 4, elements: [{ index: 2, value: -3 }] },
    { name: 'total', kind: 'cell', value: { in: 12, on: true } },
  ])
})

test('with a timestamp, only entries alive then', () => {
  const [flows] = dumpOf(filled(), 69_999_999_999n)
  assert.ok(flows.kind === 'table')
  assert.deepEqual(
    flows.entries.map(entry => [entry.touchedTime, entry.touchedSeq]),
    [
      [50, 3],
      [40, 2],
    ],
  )
  const [later] = dumpOf(filled(), 70_000_000_000n)
  assert.ok(later.kind === 'table' && later.entries.length === 1 && later.count === 3)
})

test('one line about each object', () => {
  const block = filled()
  for (let i = 0; i < 9; i++) put(block, 'seen', [BigInt(i)], [])
  block.pool('ports').give(7)
  assert.deepEqual(dumpOf(block).map(describe), [
    'flows: 3 of 1,000 entries (0.3 %)',
    'seen: 8 of 8 entries (100.0 %), 2 failures',
    'ports: 2 of 3 numbers free, 1 rejected',
    'rates: 1 of 4 elements are not zero',
    'total: {"in":12,"on":true}',
  ])
})

test('equal blocks at different places are equal', () => {
  assert.deepEqual(diffStates(filled(0), filled(640), layout), { equal: true, total: 0, differences: [] })
})

test('a diff names objects, entries and fields, in natural spelling', () => {
  const [left, right] = [filled(), filled(128)]
  put(right, 'flows', [0x0a000001n, 443n], [8n], 40)
  put(right, 'seen', [0xc0000202n], [])
  right.pool('ports').take()
  right.array('rates').set(3, [1])
  right.array('total').set(0, [12, false])
  const diff = diffStates(left, right, layout)
  assert.deepEqual(
    diff.differences.map(difference => describeDifference(difference, 'serial', 'worker 2')),
    [
      'flows {"source":"10.0.0.1","port":443} bytes: serial has 7, worker 2 has 8',
      'seen 192.0.2.2: serial has none, worker 2 has the entry',
      'ports free number 1: serial has 2, worker 2 has 3',
      'ports free number 2: serial has 3, worker 2 has none',
      'rates [3] value: serial has 0, worker 2 has 1',
      'total cell on: serial has true, worker 2 has false',
    ],
  )
  assert.equal(diff.total, 6)
  assert.equal(diff.equal, false)
  const short = diffStates(left, right, layout, 2)
  assert.deepEqual([short.total, short.differences.length], [6, 2])
})

test('counters, times and places count for bytes, not for contents', () => {
  const [left, right] = [filled(), filled()]
  right
    .table('flows')
    .touch(right.table('flows').find(packKey([ipv4, port], 8, [0x0a000001n, 80n]), 50), 51, 3)
  for (const n of [1n, 2n, 3n, 4n]) put(left, 'seen', [n], [])
  for (const n of [4n, 3n, 2n, 1n]) put(right, 'seen', [n], [])
  right.pool('ports').give(9)
  assert.deepEqual(diffDumps(dumpOf(left), dumpOf(right)).differences, [])
  const lines = diffStates(left, right, layout).differences.map(difference => describeDifference(difference))
  assert.equal(lines[0], 'flows {"source":"10.0.0.1","port":80} touchedTime: left has 50, right has 51')
  assert.match(lines[1], /^seen byte \d+ \(the contents are equal\): left has \d+, right has \d+$/)
  assert.equal(lines[2], 'ports counter rejected: left has 0, right has 1')
  assert.equal(lines.length, 3)
})

test('shards put together equal the whole', () => {
  const [whole, one, two] = [fresh(), fresh(), fresh()]
  for (let i = 0; i < 50; i++) {
    put(whole, 'flows', [BigInt(i * 7919), 80n], [BigInt(i)])
    put(i % 3 === 0 ? one : two, 'flows', [BigInt(i * 7919), 80n], [BigInt(i)])
  }
  whole.array('rates').set(1, [5])
  two.array('rates').set(1, [5])
  const merged = mergeDumps([dumpOf(one), dumpOf(two)])
  assert.deepEqual(diffDumps(dumpOf(whole), merged).differences, [])
  assert.ok(merged[0].kind === 'table' && merged[0].count === 50)
})

test('a bounded dump has the entries with the smallest keys, and counts the others', () => {
  const memory = stateMemory(new ArrayBuffer(layout.size))
  clearBlock(memory, 0, layout, 1n)
  const table = new StateBlock(memory, 0, layout).table('flows')
  const { key, keyAreaBytes } = table.layout
  for (let n = 0; n < 900; n++) table.insert(packKey(key, keyAreaBytes, [BigInt((n * 7919) % 900), 1n]))
  const whole = dumpTable(table)
  assert.equal(whole.entries.length, 900)
  assert.equal(whole.omitted, 0)
  for (const most of [0, 1, 10, 899, 900, 5000]) {
    const some = dumpTable(table, undefined, undefined, most)
    assert.deepEqual(some.entries, whole.entries.slice(0, most))
    assert.equal(some.omitted, 900 - some.entries.length)
  }
  const json = dumpToJson(dumpTable(table, undefined, undefined, 10)) as { count: number; omitted: number }
  assert.deepEqual([json.count, json.omitted], [900, 890])
  assert.ok(!('omitted' in dumpToJson(whole)))
})
