import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { i32, i64 } from './asm.js'
import { check } from './check.js'
import { decode, type Decoded } from './decode.js'
import { encode } from './encode.js'
import { Module } from './module.js'
import { Reader } from './reader.js'
import { everyInstruction } from './samples.js'
import { printModule } from './wat.js'
import { Writer } from './writer.js'

function decoded(bytes: Uint8Array): Module {
  const result = decode(bytes)
  assert.ok(result.ok, result.ok ? '' : `${result.failure} at ${result.offset}: ${result.reason}`)
  return result.module
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from('0061736d01000000' + hex.replaceAll(' ', ''), 'hex'))
}

function failure(result: Decoded): string {
  return result.ok ? 'ok' : `${result.failure} at ${result.offset}: ${result.reason}`
}

test('bytes go through the module and come out the same', () => {
  const first = encode(everyInstruction())
  const module = decoded(first)
  assert.deepEqual(Buffer.from(encode(module)), Buffer.from(first))
  assert.deepEqual(check(module), [])
})

/** Text without what the bytes do not hold: names of labels and of data segments. */
function plain(text: string): string {
  return text.replaceAll(/\$(out|again|bytes)[\w.]*/g, '$?').replaceAll(/\$\d+/g, '$?')
}

test('text goes through the bytes and comes out the same, but for names of labels and data', () => {
  const module = everyInstruction()
  const back = decoded(encode(module))
  assert.equal(
    plain(printModule(back))
      .replaceAll(/(memory.init|data.drop) \d/g, '$1 $?')
      .replaceAll('(data "', '(data $? "'),
    plain(printModule(module)),
  )
})

test('all parts of a module come back', () => {
  const m = new Module('parts')
  m.ownMemory({ initial: 3 })
  const host = m.importFunc('env', 'host', { a: 'i32', b: 'i64' }, [])
  m.importGlobal('env', 'base', 'i32', true)
  m.global('counter', 'i64', -(1n << 63n))
  m.constant('limit', 'i32', 0xffff_ffff)
  const f = m.func('f', {}, ['i64', 'i32']).emit(i64.const(3), i32.const(4))
  f.local('t', 'v128')
  m.export('f', f)
  m.export('host', host)
  m.export('memory', 'memory')
  m.data('here', 0xffff_0000, new Uint8Array([1, 2, 3]))
  m.passiveData('there', new Uint8Array([]))
  m.custom('note', new Uint8Array([9]))
  const first = encode(m)
  assert.ok(WebAssembly.validate(first))
  const back = decoded(first)
  assert.deepEqual(Buffer.from(encode(back)), Buffer.from(first))
  assert.equal(back.segments[0].offset, 0xffff_0000)
  assert.equal(back.functions[1].locals[0].name, 't')
  assert.deepEqual(back.customs, [{ name: 'note', bytes: new Uint8Array([9]) }])
})

test('other bytes are answered with the place and the reason', () => {
  const empty = '01 04 01 60 00 00 03 02 01 00'
  assert.match(failure(decode(new Uint8Array([0, 1, 2]))), /malformed at 1: not a WebAssembly/)
  assert.match(failure(decode(bytes('01 05 01 60'))), /ends early/)
  assert.match(failure(decode(bytes('01 06 01 60 00 00 00 00'))), /longer than its content/)
  assert.match(failure(decode(bytes(empty))), /fewer bodies/)
  assert.match(failure(decode(bytes(empty + '0a 02 01 00'))), /ends early/)
  assert.match(failure(decode(bytes(empty + '0a 06 01 04 00 05 0b 0b'))), /at 23: else without if/)
  assert.match(
    failure(decode(bytes(empty + '0a 07 01 05 00 43 00 00 00'))),
    /unsupported at 23: instruction 0x43/,
  )
  assert.match(
    failure(decode(bytes(empty + '0a 08 01 06 00 fc 8e 82 00 0b'))),
    /unsupported at 23: instruction 0xfc 0x10e/,
  )
  assert.match(failure(decode(bytes(empty + '0a 07 01 05 00 0c 02 0b 0b'))), /no label 2/)
  assert.match(failure(decode(bytes(empty + '0a 06 01 04 00 10 01 0b'))), /no function 1/)
  assert.match(
    failure(decode(bytes(empty + '0a 0a 01 08 01 ff ff ff ff 0f 7f 0b'))),
    /more than 50000 locals/,
  )
  assert.match(failure(decode(bytes('03 02 01 00'))), /no type 0/)
  assert.match(failure(decode(bytes('02 08 01 01 61 01 62 01 70 00'))), /unsupported .*kind 1/)
  assert.match(failure(decode(bytes('01 07 01 60 00 01 7d'))), /ends early/)
  assert.match(failure(decode(bytes('01 05 01 60 00 01 7d'))), /unsupported at 14: value type 0x7d/)
  assert.match(failure(decode(bytes('04 04 01 70 00 01'))), /unsupported at 8: section 4/)
  assert.match(failure(decode(bytes('03 01 00 01 01 00'))), /section 1 twice or out of order/)
  assert.match(failure(decode(bytes('00 02 01 ff'))), /not UTF-8/)
})

test('no bytes make the decoder throw', () => {
  const good = encode(everyInstruction())
  const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(good.length), (changes, length) => {
      const bad = good.slice(0, changes.length % 2 === 0 ? length : good.length)
      for (const [at, value] of changes) bad[at] = value
      const result = decode(bad)
      if (!result.ok) assert.ok(result.offset <= good.length)
    }),
    { numRuns: 300, seed: 20 },
  )
})

function reader(hex: string): Reader {
  return new Reader(Uint8Array.from(Buffer.from(hex, 'hex')))
}

test('numbers come back from their LEB128 form, and longer forms than their type are refused', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), fc.nat(63), (wide, shift) => {
      const value = wide >> BigInt(shift)
      const writer = new Writer(1)
      writer.s64(value)
      writer.s32(Number(BigInt.asIntN(32, value)))
      writer.u32(Number(BigInt.asUintN(32, value)))
      const from = new Reader(writer.finish())
      assert.equal(from.s64(), value)
      assert.equal(from.s32(), Number(BigInt.asIntN(32, value)))
      assert.equal(from.u32(), Number(BigInt.asUintN(32, value)))
      assert.ok(from.done)
    }),
    { numRuns: 500, seed: 21 },
  )
  assert.throws(() => reader('ffffffff10').u32(), /exceeds 32 bits/)
  assert.throws(() => reader('ffffffffff00').u32(), /exceeds 32 bits/)
  assert.throws(() => reader('ffffffff08').s32(), /exceeds 32 bits/)
  assert.throws(() => reader('ffffffffffffffffff01').s64(), /exceeds 64 bits/)
  assert.equal(reader('ffffffff0f').u32(), 0xffff_ffff)
  assert.equal(reader('8080808078').s32(), -0x8000_0000)
})
