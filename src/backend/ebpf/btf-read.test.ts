import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Btf, linkage } from './btf.js'
import { readBtf, sizeOfType } from './btf-read.js'

function example(): Btf {
  const btf = new Btf()
  const u32 = btf.unsigned(4)
  const pair = btf.struct('pair', 8, [
    { name: 'x', type: u32, offset: 0 },
    { name: 'y', type: btf.bigEndian(4), offset: 4 },
  ])
  const four = btf.array(pair, 4)
  const variable = btf.variable('pairs', four)
  btf.section('.data', 32, [{ variable, offset: 0, size: 32 }])
  btf.function('f', linkage.global, btf.int(), [{ name: 'p', type: btf.pointer(btf.forward('xdp_md')) }])
  return btf
}

test('what is written is read', () => {
  const result = readBtf(example().bytes())
  assert.ok(result.ok)
  const { types } = result.btf
  assert.deepEqual(types.slice(1), [
    { kind: 'int', name: 'u32', size: 4, encoding: 'unsigned' },
    { kind: 'typedef', name: 'be32', type: 1 },
    {
      kind: 'struct',
      name: 'pair',
      size: 8,
      members: [
        { name: 'x', type: 1, offset: 0 },
        { name: 'y', type: 2, offset: 4 },
      ],
    },
    { kind: 'array', type: 3, index: 1, length: 4 },
    { kind: 'variable', name: 'pairs', type: 4, linkage: 1 },
    { kind: 'section', name: '.data', size: 32, variables: [{ variable: 5, offset: 0, size: 32 }] },
    { kind: 'int', name: 'int', size: 4, encoding: 'signed' },
    { kind: 'forward', name: 'xdp_md' },
    { kind: 'pointer', type: 8 },
    { kind: 'prototype', type: 7, params: [{ name: 'p', type: 9 }] },
    { kind: 'function', name: 'f', type: 10, linkage: 1 },
  ])
  assert.equal(sizeOfType(types, 6), 32)
})

test('literal bytes of each kind, both ways', () => {
  const cases: [hex: string, make: (btf: Btf) => void][] = [
    // Name 1; kind and count; size or type; the rest.
    ['01000000 0000000e 02000000 01000000', btf => btf.variable('v', 2)],
    [
      '01000000 0100000f 08000000 02000000 04000000 08000000',
      btf => btf.section('v', 8, [{ variable: 2, offset: 4, size: 8 }]),
    ],
    ['00000000 00000002 05000000', btf => btf.pointer(5)],
    ['01000000 00000001 01000000 08000004', btf => btf.boolean()],
    ['01000000 00000001 08000000 40000001', btf => btf.signed(8)],
  ]
  for (const [hex, make] of cases) {
    const btf = new Btf()
    make(btf)
    const bytes = Buffer.from(btf.bytes())
    assert.equal(bytes.subarray(24, 24 + bytes.readUInt32LE(12)).toString('hex'), hex.replaceAll(' ', ''))
    assert.ok(readBtf(bytes).ok)
  }
})

test('broken bytes are an error, never an exception', () => {
  const good = example().bytes()
  assert.deepEqual(readBtf(good.subarray(0, 23)), { ok: false, error: '23 bytes are no BTF header' })
  assert.deepEqual(readBtf(good.subarray(0, 60)), { ok: false, error: 'a section ends beyond the bytes' })
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
      const bytes = good.slice()
      bytes[at] = value
      const result = readBtf(bytes)
      if (result.ok) for (const [id] of result.btf.types.entries()) sizeOfType(result.btf.types, id)
    }),
  )
})
