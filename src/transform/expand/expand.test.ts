// The expanded table algorithms, run as WebAssembly, against the reference tables, byte for byte.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FunctionBuilder } from '../../ir/builder.js'
import type { Func } from '../../ir/types.js'
import { batchModule } from '../../backend/wasm/batch.js'
import { context, descriptorBytes } from '../../backend/wasm/memory.js'
import type { TableDecl } from '../../state/declaration.js'
import { StateBlock, clearBlock } from '../../state/block.js'
import { layoutState } from '../../state/layout.js'
import type { StateLayout } from '../../state/layout.js'
import { stateMemory } from '../../state/memory.js'
import { expand } from './expand.js'

/** A program on packets of {u32 operation, u32 key}: 0 finds or inserts and counts, 1 removes. Returns the count. */
function counting(table: TableDecl): Func {
  const b = new FunctionBuilder('main', [], 'i32')
  const mem = b.emit('packet', [], {}, 'mem')
  const zero = b.const('i32', 0)
  const load = (offset: number) => b.emit('load', [mem, zero], { width: 4, offset, checked: false }, 'i32')
  const operation = load(0)
  const key = load(4)
  const now = table.expire ? [b.emit('trunc', [b.emit('input', [], { name: 'timestamp' }, 'i64')])] : []
  const seq =
    table.evict === 'oldest' ? [b.emit('trunc', [b.emit('input', [], { name: 'sequence' }, 'i64')])] : []
  const object = { object: table.name }
  const slot = b.variable('i32')
  b.write(slot, b.emit('table.find', [key, ...now], object, 'i32'))
  const [remove, use, insert, have, out] = [b.block(), b.block(), b.block(), b.block(), b.block()]
  b.branch(b.emit('eq', [operation, b.const('i32', 1)], {}, 'i1'), remove, use)
  b.seal(remove)
  b.seal(use)
  b.at(remove)
  const gone = b.block()
  b.branch(b.emit('ne', [b.read(slot), zero], {}, 'i1'), gone, out)
  b.seal(gone)
  b.at(gone)
  b.emit('table.remove', [b.read(slot)], object)
  b.jump(out)
  b.at(use)
  b.branch(b.emit('eq', [b.read(slot), zero], {}, 'i1'), insert, have)
  b.seal(insert)
  b.at(insert)
  b.write(slot, b.emit('table.insert', [key, ...now, ...seq], object, 'i32'))
  b.branch(b.emit('eq', [b.read(slot), zero], {}, 'i1'), out, have)
  b.seal(have)
  b.at(have)
  const field = { ...object, field: 'count', part: 0 }
  const more = b.emit('add', [b.emit('table.load', [b.read(slot)], field, 'i32'), b.const('i32', 1)])
  b.emit('table.store', [b.read(slot), more], field)
  b.emit('table.touch', [b.read(slot), ...now, ...seq], object)
  b.return([more])
  b.seal(out)
  b.at(out)
  b.return([zero])
  return b.finish()
}

/** The same in TypeScript, on the reference table. */
function countingReference(
  block: StateBlock,
  name: string,
  op: number,
  key: number,
  now: number,
  seq: number,
): number {
  const table = block.table(name)
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, key)
  let slot = table.find(bytes, now)
  if (op === 1) {
    if (slot !== 0) table.remove(slot)
    return 0
  }
  if (slot === 0) slot = table.insert(bytes, now, seq)
  if (slot === 0) return 0
  const at = table.base + slot + table.layout.value[0].offset
  const count = (block.memory.view.getUint32(at, true) + 1) >>> 0
  block.memory.view.setUint32(at, count, true)
  table.touch(slot, now, seq)
  return count
}

function compare(decl: TableDecl, packets: number, keys: number, removals: number): StateLayout {
  const laid = layoutState([decl])
  assert.ok(laid.ok)
  const { layout } = laid
  const functions = expand([counting(decl)], layout.objects)
  const main = functions.pop()!
  const objects = new Map(layout.objects.map(o => [o.name, { offset: o.offset, rules: false }]))
  const bytes = batchModule({
    name: 'test',
    placement: { objects, settings: [], counters: [] },
    callees: functions,
    main,
  })
  const state = 65_536
  const desc = state + layout.size
  const data = desc + packets * descriptorBytes
  const pages = Math.ceil((data + packets * 8) / 65_536) + 1
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
  const ours = stateMemory(memory.buffer)
  clearBlock(ours, state, layout, 12_345n)
  ours.view.setUint32(1024 + context.state, state, true)
  const reference = stateMemory(new ArrayBuffer(layout.size))
  clearBlock(reference, 0, layout, 12_345n)
  const block = new StateBlock(reference, 0, layout)
  let random = 1
  const draw = (n: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
    return (random >>> 8) % n
  }
  const expected: number[] = []
  for (let i = 0; i < packets; i++) {
    const operation = draw(100) < removals ? 1 : 0
    const key = draw(keys)
    const time = 3 * i
    const at = desc + i * descriptorBytes
    ours.view.setUint32(at, data + 8 * i, true)
    ours.view.setUint32(at + 4, 8, true)
    ours.view.setBigUint64(at + 16, BigInt(time), true)
    ours.view.setUint32(data + 8 * i, operation, true)
    ours.view.setUint32(data + 8 * i + 4, key, true)
    expected.push(countingReference(block, decl.name, operation, key, time, i + 1))
  }
  const run = instance.exports.single as (ctx: number, desc: number, count: number, seq: bigint) => void
  run(1024, desc, packets, 1n)
  const verdicts = expected.map((_, i) => ours.view.getUint32(desc + i * descriptorBytes + 24, true))
  const first = verdicts.findIndex((v, i) => v !== expected[i])
  assert.equal(first, -1, `packet ${first}: ${verdicts[first]} instead of ${expected[first]}`)
  const byte = reference.bytes.findIndex((b, i) => ours.bytes[state + i] !== b)
  assert.equal(
    byte,
    -1,
    `state byte ${byte}: ${ours.bytes[state + byte]} instead of ${reference.bytes[byte]}`,
  )
  return layout
}

const table = (more: Partial<TableDecl>): TableDecl => ({
  kind: 'table',
  name: 't',
  key: [{ name: 'key', type: 'u32', bytes: 4 }],
  value: [{ name: 'count', type: 'u32', bytes: 4 }],
  capacity: 1000,
  evict: 'none',
  scalarKey: true,
  scalarValue: true,
  ...more,
})

test('a table that fills, displaces and refuses', () => {
  compare(table({}), 20_000, 1200, 10)
})
test('a small table that is full most of the time', () => {
  compare(table({ capacity: 37 }), 20_000, 60, 20)
})
test('eviction of the oldest', () => {
  compare(table({ capacity: 50, evict: 'oldest' }), 20_000, 90, 5)
})
test('expiry and sweeping', () => {
  compare(table({ capacity: 300, expire: { after: 1000, unit: 'ns' } }), 20_000, 400, 5)
})
test('expiry with eviction', () => {
  compare(table({ capacity: 64, evict: 'oldest', expire: { after: 200, unit: 'ns' } }), 20_000, 200, 5)
})
