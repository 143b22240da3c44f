import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as asm from './asm.js'
import {
  block,
  br,
  br_if,
  br_table,
  call,
  data,
  global,
  i32,
  i64,
  if_,
  label,
  local,
  loop,
  memory,
  v128,
} from './asm.js'
import { encode } from './encode.js'
import { Module } from './module.js'
import { opcodes } from './opcodes.js'
import { Writer } from './writer.js'

/** The bytes of one function body made of the given code, without size, locals and end. */
function bodyOf(...code: asm.Code[]): string {
  const bytes = encode(withBody(...code))
  const at = Buffer.from(bytes).lastIndexOf(Buffer.from([0x0f, 0x0f, 0x0f]))
  return Buffer.from(bytes.subarray(at + 3, bytes.length - 1)).toString('hex')
}

/** Hexadecimal digits without the spaces that make them readable. */
function packed(hex: string): string {
  return hex.replaceAll(' ', '')
}

function withBody(...code: asm.Code[]): Module {
  const m = new Module()
  const f = m.func('', {}, [])
  f.emit(asm.return_, asm.return_, asm.return_, ...code)
  return m
}

test('an instruction without immediate is its code', () => {
  assert.equal(bodyOf(i32.add), '6a')
  assert.equal(bodyOf(i64.rotr, i64.extend32_s, i32.wrap_i64), '8ac4a7')
  assert.equal(bodyOf(asm.drop, asm.select, asm.nop, asm.unreachable), '1a1b0100')
  assert.equal(bodyOf(v128.xor), 'fd51')
})

test('bulk memory and fences carry reserved zero bytes', () => {
  assert.equal(bodyOf(memory.copy), 'fc0a0000')
  assert.equal(bodyOf(memory.fill), 'fc0b00')
  assert.equal(bodyOf(memory.size, memory.grow), '3f004000')
  assert.equal(bodyOf(asm.atomic.fence), 'fe0300')
})

test('memory arguments are log2 alignment and offset', () => {
  assert.equal(bodyOf(i32.load()), '280200')
  assert.equal(bodyOf(i64.load(8, 1)), '290008')
  assert.equal(bodyOf(i32.load8_u(0xffff_ffff)), '2d00ffffffff0f')
  assert.equal(bodyOf(i64.store32(0x8000_0000, 2)), '3e018080808008')
  assert.equal(bodyOf(v128.load(16, 1)), 'fd000010')
  assert.equal(bodyOf(i64.atomic.rmw.cmpxchg(128)), 'fe49038001')
  assert.equal(bodyOf(i32.atomic.rmw8.add_u(1)), 'fe200001')
  assert.equal(bodyOf(memory.atomic.wait32(4), memory.atomic.notify(4)), 'fe010204fe000204')
})

test('impossible immediates are refused where they are written', () => {
  assert.throws(() => i32.load(-1), /offset -1/)
  assert.throws(() => i32.load(2 ** 32), /offset/)
  assert.throws(() => i32.load(0, 8), /alignment 8 for 4/)
  assert.throws(() => i32.load(0, 3), /alignment 3/)
  assert.throws(() => i32.atomic.load(0, 1), /alignment 1/)
  assert.throws(() => i32.const(2 ** 32), /i32.const/)
  assert.throws(() => i32.const(1.5), /i32.const/)
  assert.throws(() => i64.const(2 ** 60), /i64.const/)
  assert.throws(() => i64.const(1n << 64n), /i64.const/)
})

test('constants are signed LEB128 of the shortest length', () => {
  assert.equal(bodyOf(i32.const(0)), '4100')
  assert.equal(bodyOf(i32.const(63), i32.const(64), i32.const(-64), i32.const(-65)), '413f41c000414041bf7f')
  assert.equal(bodyOf(i32.const(0xffff_ffff)), '417f')
  assert.equal(bodyOf(i32.const(-0x8000_0000)), '418080808078')
  assert.equal(bodyOf(i32.const(0x7fff_ffff)), '41ffffffff07')
  assert.equal(bodyOf(i64.const(-1)), '427f')
  assert.equal(bodyOf(i64.const((1n << 64n) - 1n)), '427f')
  assert.equal(bodyOf(i64.const(0x8000_0000n)), '428080808008')
  assert.equal(bodyOf(i64.const(-0x8000_0001n)), '42ffffffff77')
  assert.equal(bodyOf(i64.const(-(1n << 63n))), '428080808080808080807f')
  assert.equal(bodyOf(i64.const((1n << 63n) - 1n)), '42ffffffffffffffffff00')
})

/** Signed LEB128 by its definition. */
function definition(value: bigint): number[] {
  const bytes: number[] = []
  for (let rest = value; ;) {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    if ((rest === 0n && low < 64) || (rest === -1n && low >= 64)) return [...bytes, low]
    bytes.push(low | 0x80)
  }
}

test('signed LEB128 agrees with its definition on all lengths', () => {
  for (let bit = 0n; bit < 63n; bit++) {
    for (const near of [-2n, -1n, 0n, 1n, 0x5a5a5an]) {
      for (const sign of [1n, -1n]) {
        const value = BigInt.asIntN(64, sign * ((1n << bit) + near))
        const writer = new Writer(1)
        writer.s64(value)
        assert.deepEqual([...writer.finish()], definition(value), `${value}`)
      }
    }
  }
})

test('labels become depths', () => {
  const outer = label('outer')
  const inner = label('inner')
  assert.equal(
    bodyOf(block(outer, loop(inner, [br(outer), br_if(inner), br_table([inner, outer], outer)]))),
    packed('02400340 0c01 0d00 0e02000101 0b0b'),
  )
  assert.equal(bodyOf(if_('i32', [i32.const(1)], [i32.const(2)])), '047f41010541020b')
  assert.equal(bodyOf(if_([asm.nop])), '0440010b')
  const two = { params: ['i32'], results: ['i32', 'i32'] } as const
  assert.equal(bodyOf(block(two, [i32.const(1)])), '020141010b')
  assert.throws(() => encode(withBody(br(outer))), /label 'outer'/)
})

test('calls, globals, data and locals are numbered with imports first', () => {
  const m = new Module()
  const own = m.func('own', { a: 'i32' }, [])
  const mine = m.global('mine', 'i64', -1)
  const host = m.importFunc('env', 'host', {}, [])
  const base = m.importGlobal('env', 'base', 'i32')
  const segment = m.passiveData('bytes', new Uint8Array([7]))
  const x = own.local('x', 'i32')
  own.emit(call(own), call(host), global.get(base), local.set(x), i64.const(1), global.set(mine))
  own.emit(i32.const(0), i32.const(0), i32.const(1), memory.init(segment), data.drop(segment))
  const hex = Buffer.from(encode(m)).toString('hex')
  assert.ok(hex.includes(packed('017f 1001 1000 2300 2101 4201 2401 410041004101 fc080000 fc0900 0b')))
  assert.throws(() => encode(withBody(call(own))), /'own' does not belong/)
})

test('a whole module, byte for byte', () => {
  const m = new Module('m')
  m.importMemory('env', 'memory', { initial: 1, maximum: 2, shared: true })
  const f = m.func('f', { a: 'i32' }, ['i32'])
  f.local('t', 'i64')
  f.emit(local.get(f.params.a))
  m.export('f', f)
  m.data('d', 0x8000_0000, new Uint8Array([0xaa]))
  m.custom('note', new Uint8Array([1, 2]))
  const expected = [
    '0061736d01000000',
    '01 06 01 60 01 7f 01 7f',
    '02 10 01 03 656e76 06 6d656d6f7279 02 03 01 02',
    '03 02 01 00',
    '07 05 01 01 66 00 00',
    '0c 01 01',
    '0a 08 01 06 01 01 7e 20 00 0b',
    '0b 0b 01 00 41 8080808078 0b 01 aa',
    '00 1a 04 6e616d65 00 02 01 6d 01 04 01 00 01 66 02 09 01 00 02 00 01 61 01 01 74',
    '00 07 04 6e6f7465 01 02',
  ]
  assert.equal(Buffer.from(encode(m)).toString('hex'), packed(expected.join('')))
})

test('names reach the stack traces of the engine', () => {
  const m = new Module('m')
  const inner = m.func('explode', {}, []).emit(asm.unreachable)
  const outer = m.func('outer', {}, []).emit(call(inner))
  m.export('run', outer)
  const instance = new WebAssembly.Instance(new WebAssembly.Module(encode(m)))
  assert.throws(
    () => (instance.exports['run'] as () => void)(),
    (error: Error) => /explode.*\n.*outer/.test(error.stack ?? ''),
  )
})

test('shared memory, atomics and narrow accesses run', () => {
  const m = new Module('run')
  m.importMemory('env', 'memory', { initial: 1, maximum: 1, shared: true })
  const f = m.func('sum', { at: 'i32', count: 'i32' }, ['i64'])
  const { at, count } = f.params
  const next = label('next')
  f.emit(
    loop(next, [
      i32.const(0),
      local.get(at),
      i64.load8_u(0x100),
      i64.atomic.rmw.add(8),
      asm.drop,
      [local.get(at), i32.const(1), i32.add, local.set(at)],
      [local.get(count), i32.const(1), i32.sub, local.tee(count), br_if(next)],
    ]),
    [i32.const(0), i64.atomic.load(8)],
  )
  m.export('sum', f)
  const shared = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
  new Uint8Array(shared.buffer).set([1, 2, 3, 250], 0x100)
  const instance = new WebAssembly.Instance(new WebAssembly.Module(encode(m)), { env: { memory: shared } })
  const sum = instance.exports['sum'] as (at: number, count: number) => bigint
  assert.equal(sum(0, 4), 256n)
  assert.equal(sum(0, 4), 512n)
})

test('every opcode has its own code and a name that the assembler offers', () => {
  const seen = new Set(Object.values(opcodes).map(op => op.code))
  assert.equal(seen.size, Object.keys(opcodes).length)
  const lone: Record<string, string> = { if: 'if_', return: 'return_' }
  for (const name of Object.keys(opcodes)) {
    let value: unknown = asm
    for (const part of (lone[name] ?? name).split('.')) value = (value as Record<string, unknown>)[part]
    assert.notEqual(value, undefined, name)
  }
})

test('20,000 instructions encode in milliseconds', () => {
  const m = new Module()
  const f = m.func('', { a: 'i32' }, [])
  for (let i = 0; i < 4000; i++) {
    f.emit(local.get(f.params.a), i64.const(0x9e3779b97f4a7c15n), i64.store(i), block(i32.const(i)))
  }
  encode(m)
  const start = performance.now()
  encode(m)
  const took = performance.now() - start
  assert.ok(took < 100, `${took} ms`)
})
