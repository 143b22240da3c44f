import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exit, label, mov64, r0 } from './asm.js'
import { Btf, linkage } from './btf.js'
import { debugInfo } from './debug.js'

test('types have the bytes of linux/btf.h', () => {
  const btf = new Btf()
  const u32 = btf.unsigned(4)
  assert.equal(btf.unsigned(4), u32)
  const pair = btf.struct('a pair', 8, [
    { name: 'x', type: u32, offset: 0 },
    { name: '2', type: u32, offset: 4 },
  ])
  assert.equal(btf.function('f', linkage.global, btf.int(), [{ name: 'p', type: btf.pointer(pair) }]), 6)
  const bytes = Buffer.from(btf.bytes())
  assert.equal(bytes.subarray(0, 8).toString('hex'), '9feb010018000000')
  // u32: name 1, kind int, 4 bytes, 32 bits.
  assert.equal(bytes.subarray(24, 40).toString('hex'), '01000000000000010400000020000000')
  // a struct with two members, the second at bit 32.
  assert.equal(bytes.subarray(40, 52).toString('hex'), '0a0000000200000408000000')
  assert.equal(bytes.readUInt32LE(52 + 12 + 8), 32)
  assert.ok(bytes.toString('latin1').endsWith('\0u32\0x\0_2\0a_pair\0int\0p\0f\0'))
})

test('an instruction is traced to its line and column', () => {
  const text = 'first\nconst answer = 42\n'
  const code = [label('main'), { ...mov64.imm(r0, 42), origin: { at: text.indexOf('42') } }, exit()]
  const main = { name: 'main', params: [], result: 'i32' as const, blocks: [], nextId: 0 }
  const info = debugInfo([{ name: 'main', code }], [main], { file: 'x.ts', text, name: 'answer' })
  const lines = new DataView(info.lines.buffer)
  assert.equal(info.lines.length, 16)
  assert.equal(lines.getUint32(0, true), 0)
  assert.equal(lines.getUint32(12, true), (2 << 10) | 16)
  assert.equal(info.functions.length, 8)
})
