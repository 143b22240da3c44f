import { test } from 'node:test'
import assert from 'node:assert/strict'
import { leavesOf } from './declaration.js'
import type { FieldDecl, TableDecl } from './declaration.js'
import { layoutRules, layoutState, objectIn } from './layout.js'
import type { StateLayout } from './layout.js'

const u8 = (name: string): FieldDecl => ({ name, type: 'u8', bytes: 1 })
const u16 = (name: string): FieldDecl => ({ name, type: 'u16', bytes: 2 })
const u32 = (name: string): FieldDecl => ({ name, type: 'u32', bytes: 4 })
const u64 = (name: string): FieldDecl => ({ name, type: 'u64', bytes: 8 })
const knocks: TableDecl = {
  kind: 'table',
  name: 'knocks',
  key: [u32('key')],
  value: [u8('value')],
  capacity: 65_536,
  evict: 'none',
  scalarKey: true,
  scalarValue: true,
}

function laidOut(...objects: Parameters<typeof layoutState>[0]): StateLayout {
  const result = layoutState(objects)
  assert.ok(result.ok, result.ok ? '' : result.error.message)
  return result.layout
}

function says(...objects: Parameters<typeof layoutState>[0]): string {
  const result = layoutState(objects)
  return result.ok ? '' : result.error.message
}

const shape = (bytes: number): string[] =>
  leavesOf({ name: 'x', type: 'bytes', bytes }).map(l => `${l.part}:${l.offset}+${l.width}`)

test('a table of u32 to u8 has entries of 16 bytes: tag, key, value', () => {
  const [table] = laidOut(knocks).objects
  assert.deepEqual(table, {
    kind: 'table',
    name: 'knocks',
    offset: 0,
    size: 320 + 20_488 * 64,
    capacity: 65_536,
    bucketCount: 20_488,
    bucketsOffset: 320,
    stride: 16,
    touchedTimeOffset: -1,
    touchedSeqOffset: -1,
    keyOffset: 4,
    keyBytes: 4,
    keyAreaBytes: 4,
    key: [{ ...u32('key'), offset: 4 }],
    value: [{ ...u8('value'), offset: 8 }],
    evict: 'none',
    scalarKey: true,
    scalarValue: true,
  })
})

test('a 5-tuple key is packed to 13 bytes in an area of 16; values are aligned in declared order', () => {
  const key = [u32('source'), u32('destination'), u16('sourcePort'), u16('destinationPort'), u8('protocol')]
  const value = [u8('state'), u64('bytes'), u16('port')]
  const expire = { after: 30_000, unit: 'ms' } as const
  const flows: TableDecl = { ...knocks, name: 'flows', key, value, evict: 'oldest', expire, scalarKey: false }
  const flow = objectIn(laidOut(knocks, flows), 'flows')
  assert.ok(flow.kind === 'table')
  assert.equal(flow.offset, 320 + 20_488 * 64)
  assert.deepEqual([flow.touchedTimeOffset, flow.touchedSeqOffset, flow.keyOffset], [4, 8, 12])
  assert.deepEqual([flow.keyBytes, flow.keyAreaBytes], [13, 16])
  assert.deepEqual(
    flow.key.map(f => f.offset),
    [12, 16, 20, 22, 24],
  )
  assert.deepEqual(
    flow.value.map(f => f.offset),
    [28, 32, 40],
  )
  assert.equal(flow.stride, 48)
})

test('arrays have no header, pools have a ring, cells are arrays of one', () => {
  const layout = laidOut(
    { kind: 'array', name: 'rates', value: [u8('a'), u32('b'), u16('c')], length: 3, scalarValue: false },
    { kind: 'pool', name: 'ports', first: 1024, last: 1033 },
    { ...knocks, name: 'nat', value: [u16('port')], release: { pool: 'ports', field: 'port' } },
    { kind: 'array', name: 'total', value: [u64('value')], length: 1, scalarValue: true, cell: true },
  )
  const [rates, ports, nat, total] = layout.objects
  assert.ok(rates.kind === 'array' && ports.kind === 'pool' && nat.kind === 'table' && total.kind === 'array')
  assert.deepEqual(
    rates.value.map(f => f.offset),
    [0, 4, 8],
  )
  assert.deepEqual([rates.stride, rates.size, rates.offset], [12, 64, 0])
  assert.deepEqual([ports.count, ports.ringOffset, ports.size, ports.offset], [10, 64, 128, 64])
  assert.deepEqual(ports.releasedBy, [])
  assert.deepEqual(nat.release, { pool: 'ports', field: { ...u16('port'), offset: 8 } })
  assert.deepEqual([total.stride, total.size, total.cell], [8, 64, true])
  assert.equal(layout.size, total.offset + 64)
})

test('a pool knows the expiring tables that refill it', () => {
  const release = { pool: 'ports', field: 'value' }
  const expire = { after: 60, unit: 's' } as const
  const layout = laidOut(
    { ...knocks, name: 'a', value: [u16('value')], release, expire },
    { ...knocks, name: 'b', value: [u16('value')], release },
    { kind: 'pool', name: 'ports', first: 0, last: 0 },
  )
  const ports = objectIn(layout, 'ports')
  assert.deepEqual(ports.kind === 'pool' && ports.releasedBy, ['a'])
})

test('rule tables: entries stand before the trie, entry 0 of a longest-prefix table is unused', () => {
  const destination: FieldDecl = { name: 'destination', type: 'ipv6', bytes: 16, display: 'ipv6' }
  const common = { kind: 'rules', value: [u16('port')], scalarKey: false, scalarValue: false } as const
  const result = layoutRules([
    { ...common, name: 'routes', rules: 'lpm', key: [destination], capacity: 31 },
    { ...common, name: 'links', rules: 'devices', key: [u32('key')], capacity: 8 },
    { ...common, name: 'drops', rules: 'hash', key: [u32('key')], capacity: 8 },
  ])
  assert.ok(result.ok)
  const [routes, links, drops] = result.layout.objects
  assert.ok(routes.kind === 'rules-lpm' && links.kind === 'rules-devices' && drops.kind === 'rules-hash')
  assert.deepEqual([routes.entriesOffset, routes.stride, routes.keyBytes, routes.size], [64, 4, 16, 192])
  assert.deepEqual([links.offset, links.stride, links.value[0].offset, links.size], [192, 8, 4, 128])
  assert.deepEqual([drops.offset, drops.bucketCount, drops.stride], [320, 2, 16])
})

test('what does not fit is refused with the sum', () => {
  const huge = { ...knocks, name: 'huge', capacity: 2 ** 28 }
  const result = layoutState([knocks, huge])
  assert.ok(!result.ok)
  assert.equal(result.error.reason, 'too-large')
  assert.equal(
    result.error.message,
    'state needs knocks 1311552 + huge 5368709952 = 5370021504 bytes; the limit is 4294967296',
  )
  assert.equal(result.error.bytes, 5_370_021_504)
  const small = layoutState([knocks], 1000)
  assert.ok(!small.ok && small.error.limit === 1000)
})

test('16 Mi entries fit one address space', () => {
  const layout = laidOut({ ...knocks, capacity: 2 ** 24 })
  assert.equal(layout.size, 320 + (5_242_880 + 8) * 64)
})

test('unsound declarations are error values', () => {
  assert.match(says(knocks, knocks), /two state objects/)
  assert.match(says({ ...knocks, capacity: 0 }), /capacity/)
  assert.match(says({ ...knocks, capacity: 1.5 }), /capacity/)
  assert.match(says({ ...knocks, key: [] }), /key needs/)
  assert.match(says({ ...knocks, key: [{ name: 'x', type: 'u32', bytes: 3 }] }), /3 is no size of u32/)
  assert.match(says({ ...knocks, expire: { after: 2 ** 32, unit: 'ms' } }), /expire.after/)
  assert.match(says({ ...knocks, release: { pool: 'ports', field: 'value' } }), /no pool: ports/)
  assert.match(says({ kind: 'pool', name: 'p', first: 5, last: 4 }), /first <= last/)
  assert.match(says({ kind: 'array', name: 'a', value: [u8('v')], length: -1, scalarValue: true }), /length/)
})

test('fields split into leaves of register size, largest first', () => {
  assert.deepEqual(shape(16), ['0:0+8', '1:8+8'])
  assert.deepEqual(shape(15), ['0:0+8', '1:8+4', '2:12+2', '3:14+1'])
  assert.deepEqual(shape(3), ['0:0+2', '1:2+1'])
  assert.deepEqual(leavesOf(u16('port')), [{ part: 0, offset: 0, width: 2 }])
})
