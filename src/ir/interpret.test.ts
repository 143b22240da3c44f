import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Host, ReceivedPacket } from './access.js'
import { hasMeaning, prepare } from './interpret.js'
import { InvariantError } from './invariant.js'
import { ModelState } from './model.js'
import { ops } from './ops.js'
import { parseFunctions } from './parse.js'
import type { Program, Setting } from './types.js'
import { verifyFunction } from './verify.js'

const program = (text: string, settings: readonly Setting[] = []): Program => {
  const functions = parseFunctions(text)
  for (const f of functions) assert.deepEqual(verifyFunction(f), [])
  return { name: 't', file: 't.ts', source: '', objects: [], settings, counters: [], functions }
}
const packet = (bytes: readonly number[]): ReceivedPacket => ({
  bytes: Uint8Array.from(bytes),
  originalLength: 1500,
  timestamp: 5_000_000_000n,
  sequence: 42n,
  device: 3,
})
const host = (more: Partial<Host> = {}): Host => ({ state: new ModelState(), ...more })
const main = (body: string, result = 'i32'): string => `func main() -> ${result} {\nb0:\n${body}\n}`
/** Result of a body on the bytes 1 2 3 … 9. */
const run = (body: string, result = 'i32', h = host()): unknown =>
  prepare(program(main(body, result)), 'main', h)({ packet: packet([1, 2, 3, 4, 5, 6, 7, 8, 9]) })

test('every operation has a meaning', () => {
  for (const op of Object.keys(ops)) assert.ok(hasMeaning(op), op)
})

const loadOf = (type: string, width: number, at: number): unknown =>
  run(
    `%m = packet.mem
       %a = const.i32 value=${at}
       %v = load.${type} %m, %a width=${width} offset=1 checked=true
       return %v`,
    type,
  )
test('loads are little-endian and zero-extended', () => {
  assert.equal(loadOf('i32', 1, 0), 0x02)
  assert.equal(loadOf('i32', 2, 0), 0x0302)
  assert.equal(loadOf('i32', 4, 3), 0x08070605)
  assert.equal(loadOf('i64', 8, 0), 0x0908070605040302n)
})

const checkedLoad = (at: number): unknown =>
  run(
    `%m = packet.mem
       %a = const.i32 value=${at}
       %v = load.i32 %m, %a width=4 offset=0 checked=true
       return %v`,
  )
test('a checked load of which a part lies beyond the length is 0, wherever the address points', () => {
  assert.equal(checkedLoad(5), 0x09080706)
  assert.equal(checkedLoad(6), 0)
  assert.equal(checkedLoad(9), 0)
  assert.equal(checkedLoad(0xffffffff), 0)
})

const guarded = (access: string): string =>
  `  %m = packet.mem
  %l = input.i32 name="length"
  %n = const.i32 value=8
  %k = leu.i1 %n, %l
  branch %k, b1, b2
b1:
  ${access}
  return %l
b2:
  return %n`

test('unchecked accesses beyond the length are invariant errors that name the instruction', () => {
  assert.throws(
    () => run(guarded('%v = load.i32 %m, %n width=2 offset=0 checked=false')),
    (e: unknown) => e instanceof InvariantError && /main: %4 = load.i32.*2 bytes at 8 of 9/.test(e.message),
  )
  assert.throws(() => run(guarded('%v = store.mem %m, %n, %l width=1 offset=1')), /1 bytes at 9 of 9/)
})

test('stores change the packet', () => {
  const p = packet([1, 2, 3, 4, 5, 6, 7, 8])
  prepare(
    program(main(guarded('%c = const.i32 value=305419896\n %v = store.mem %m, %n, %c width=2 offset=0'))),
    'main',
    host(),
  )
  const body = guarded(
    '%z = const.i32 value=2\n  %c = const.i32 value=305419896\n  %v = store.mem %m, %z, %c width=2 offset=1',
  )
  assert.equal(prepare(program(main(body)), 'main', host())({ packet: p }), 8)
  assert.deepEqual([...p.bytes], [1, 2, 3, 0x78, 0x56, 6, 7, 8])
})

test('inputs and settings', () => {
  assert.equal(run('%0 = input.i32 name="length"\n return %0'), 9)
  assert.equal(run('%0 = input.i32 name="originalLength"\n return %0'), 1500)
  assert.equal(run('%0 = input.i64 name="timestamp"\n return %0', 'i64'), 5_000_000_000n)
  assert.equal(run('%0 = input.i64 name="sequence"\n return %0', 'i64'), 42n)
  assert.equal(run('%0 = input.i64 name="seed"\n return %0', 'i64', host({ seed: -1n })), 0xffffffffffffffffn)
  const settings: Setting[] = [{ name: 'limit', type: 'i32', default: -2n }]
  const limit = program(main('%0 = setting.i32 name="limit"\n return %0'), settings)
  assert.equal(prepare(limit, 'main', host())({}), 0xfffffffe)
  assert.equal(prepare(limit, 'main', host({ settings: new Map([['limit', 7n]]) }))({}), 7)
  assert.throws(
    () => prepare(program(main('%0 = input.i32 name="length"\n return %0')), 'main', host())({}),
    /no packet/,
  )
})

test('phis take their values at once: a loop that swaps two variables', () => {
  const text = `func main(%n: i32) -> i32 {
b0:
  %0 = const.i32 value=0
  %1 = const.i32 value=1
  jump b1
b1:
  %i = phi.i32 b0: %0, b1: %j
  %a = phi.i32 b0: %0, b1: %b
  %b = phi.i32 b0: %1, b1: %a
  %j = add.i32 %i, %1
  %c = ltu.i1 %j, %n
  branch %c, b1, b2
b2:
  return %b
}`
  const f = prepare(program(text), 'main', host())
  assert.equal(f({ args: [3] }), 1)
  assert.equal(f({ args: [4] }), 0)
})

test('an endless loop is an invariant error', () => {
  const text = 'func main() -> i32 {\nb0:\n jump b1\nb1:\n jump b1\n}'
  assert.throws(() => prepare(program(text), 'main', host({ stepLimit: 1000 }))({}), /step limit/)
})

test('both edges of a branch to one block keep their own phi operands', () => {
  const text = `func main(%c: i1) -> i32 {
b0:
  %0 = const.i32 value=10
  %1 = const.i32 value=20
  branch %c, b1, b1
b1:
  %2 = phi.i32 b0: %0, b0: %1
  return %2
}`
  const f = prepare(program(text), 'main', host())
  assert.equal(f({ args: [1] }), 10)
  assert.equal(f({ args: [0] }), 20)
})

test('calls, items and counters', () => {
  const text = `func main() -> i32 {
b0:
  %0 = const.i32 value=20
  %1 = item.load.i64 width=8 offset=0
  count %1 counter="seen"
  %2 = call.i32 %0, %0 callee="sum"
  item.store %2 width=2 offset=6
  return %2
}
func sum(%a: i32, %b: i32) -> i32 {
b0:
  %0 = add.i32 %a, %b
  return %0
}`
  const counted: [string, bigint][] = []
  const item = Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0])
  const f = prepare(program(text), 'main', host({ count: (name, amount) => counted.push([name, amount]) }))
  assert.equal(f({ item }), 40)
  assert.deepEqual(counted, [['seen', 1n]])
  assert.deepEqual([...item], [1, 0, 0, 0, 0, 0, 40, 0])
  assert.throws(() => f({ item: new Uint8Array(4) }), /8 bytes at 0 of 4/)
})

const shape = {
  tables: [
    { name: 't', key: ['i32'], fields: [{ name: 'n', part: 0, width: 1 }], capacity: 2, evict: 'none' },
  ],
  arrays: [{ name: 'a', fields: [{ name: 'x', part: 0, width: 8 }], length: 4 }],
  pools: [{ name: 'p', first: 5, last: 6 }],
  rules: [{ name: 'r', key: ['i32'], fields: [{ name: 'v', part: 0, width: 4 }] }],
} as const

test('state operations reach the state', () => {
  const text = `func main(%key: i32) -> i32 {
b0:
  %z = const.i32 value=0
  %w = const.i64 value=7
  %s = table.find.i32 %key object="t"
  %c = eq.i1 %s, %z
  branch %c, b1, b2
b1:
  %i = table.insert.i32 %key object="t"
  %d = eq.i1 %i, %z
  branch %d, b3, b2
b2:
  %e = phi.i32 b0: %s, b1: %i
  %n = table.load.i32 %e object="t" field="n" part=0
  %k = const.i32 value=200
  %m = add.i32 %n, %k
  table.store %e, %m object="t" field="n" part=0
  array.store %key, %w object="a" field="x" part=0
  %p = pool.take.i32 object="p"
  %r = rules.lookup.i32 %key object="r"
  %v = rules.load.i32 %r object="r" field="v" part=0
  state.store %key, %v object="raw" width=4 offset=8
  %q = state.load.i32 %key object="raw" width=2 offset=8
  %o = add.i32 %n, %p
  return %o
b3:
  return %z
}`
  const state = new ModelState(shape)
  const f = prepare(program(text), 'main', host({ state }))
  assert.equal(f({ args: [1] }), 5)
  assert.equal(f({ args: [1] }), 206, 'field n holds 8 bits')
  assert.equal(f({ args: [2] }), 0xffffffff, 'the pool is empty')
  assert.equal(f({ args: [3] }), 0, 'the table is full')
  assert.match(state.dump(), /^t\n1 @0 n#0,144\n2 @0 n#0,200\n\na\n\nx#0,7\nx#0,7\n\n\np\n/)
})

test('the tracer sees values, phis and branches in order', () => {
  const text = `func main(%c: i1) -> i32 {
b0:
  %0 = const.i32 value=10
  branch %c, b1, b2
b1:
  jump b2
b2:
  %2 = phi.i32 b0: %0, b1: %0
  array.store %2, %2 object="a" field="x" part=0
  return %2
}`
  const seen: string[] = []
  const tracer = {
    instr: (i: { op: string }, v: unknown) => void seen.push(`${i.op} ${v}`),
    branch: (_: unknown, taken: boolean) => void seen.push(`branch ${taken}`),
  }
  prepare(program(text), 'main', host({ state: new ModelState(shape), tracer }))({ args: [1] })
  assert.deepEqual(seen, ['const 10', 'branch true', 'phi 10', 'array.store undefined'])
})
