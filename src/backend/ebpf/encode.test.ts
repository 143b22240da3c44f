import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  alu32,
  alu64,
  atomic,
  be16,
  be32,
  be64,
  call,
  callLocal,
  exit,
  fp,
  ja,
  jeq,
  jgt,
  jmp32,
  label,
  ldFunc,
  ldImm64,
  ldMap,
  ldMapValue,
  ldx,
  mayGoto,
  mov32,
  mov64,
  movsx32,
  neg64,
  r0,
  r1,
  r2,
  r3,
  r9,
  st,
  stx,
} from './asm.js'
import type { Code } from './asm.js'
import { decode } from './decode.js'
import { encode, link } from './encode.js'
import { line, listing } from './listing.js'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const out = label('out')

/** Code, its bytes as RFC 9669 has them, and its listing. */
const rows: readonly [code: Code, bytes: string, text: string][] = [
  [[mov64.imm(r1, 22)], 'b701000016000000', 'r1 = 22'],
  [[mov64.reg(r2, r1)], 'bf12000000000000', 'r2 = r1'],
  [[mov32.imm(r1, 0xffffffff)], 'b4010000ffffffff', 'w1 = -1'],
  [[movsx32(r2, r1)], 'bf12200000000000', 'r2 = (s32) r1'],
  [[alu64.add.imm(r3, -8)], '07030000f8ffffff', 'r3 += -8'],
  [[alu32.xor.reg(r3, r1)], 'ac13000000000000', 'w3 ^= w1'],
  [[alu64.div.reg(r3, r1)], '3f13000000000000', 'r3 /= r1'],
  [[alu64.sdiv.reg(r3, r1)], '3f13010000000000', 'r3 s/= r1'],
  [[alu64.arsh.imm(r3, 32)], 'c703000020000000', 'r3 s>>= 32'],
  [[neg64(r9)], '8709000000000000', 'r9 = -r9'],
  [[be16(r2)], 'dc02000010000000', 'r2 = be16 r2'],
  [[be32(r2)], 'dc02000020000000', 'r2 = be32 r2'],
  [[be64(r2)], 'dc02000040000000', 'r2 = be64 r2'],
  [[ldx.w(r2, r1, 4)], '6112040000000000', 'r2 = *(u32 *)(r1 + 4)'],
  [[ldx.b(r2, r1, -1)], '7112ffff00000000', 'r2 = *(u8 *)(r1 - 1)'],
  [[stx.dw(fp, -8, r1)], '7b1af8ff00000000', '*(u64 *)(r10 - 8) = r1'],
  [[st.h(r2, 2, 7)], '6a02020007000000', '*(u16 *)(r2 + 2) = 7'],
  [[atomic.add('dw', r2, 8, r1)], 'db12080000000000', 'lock add *(u64 *)(r2 + 8), r1'],
  [[atomic.fetchAdd('w', r2, 0, r1)], 'c312000001000000', 'lock fetch_add *(u32 *)(r2 + 0), r1'],
  [[atomic.cmpxchg('dw', r2, 0, r1)], 'db120000f1000000', 'lock cmpxchg *(u64 *)(r2 + 0), r1'],
  [[call('ktime_get_ns')], '8500000005000000', 'call ktime_get_ns'],
  [[exit()], '9500000000000000', 'exit'],
  [[ldImm64(r1, 0x9e3779b97f4a7c15n)], '18010000157c4a7f00000000b979379e', 'r1 = 0x9e3779b97f4a7c15 ll'],
  [[ldMap(r1, '7')], '18110000000000000000000000000000', 'r1 = map[7]'],
  [[ldMapValue(r1, '7', 64)], '18210000000000000000000040000000', 'r1 = map[7][0] + 64'],
  [[jeq.imm(r1, 6, out), exit(), out, exit()], '15010100060000009500000000000000', 'if r1 == 6 goto out'],
  [[jgt.reg(r1, r2, out), exit(), out, exit()], '2d210100000000009500000000000000', 'if r1 > r2 goto out'],
  [[jmp32.jslt.imm(r1, -1, out), exit(), out, exit()], 'c6010100ffffffff', 'if w1 s< -1 goto out'],
  [[ja(out), exit(), out, exit()], '0500010000000000', 'goto out'],
  [[mayGoto(out), exit(), out, exit()], 'e500010000000000', 'may_goto out'],
  [[callLocal(out), exit(), out, exit()], '8510000001000000', 'call out'],
  [[ldFunc(r1, out), exit(), out, exit()], '18410000020000000000000000000000', 'r1 = function out'],
]

test('instructions have the bytes of the specification', () => {
  for (const [code, bytes, text] of rows) {
    const found = hex(encode(code).bytes)
    assert.equal(found.slice(0, bytes.length), bytes, text)
    assert.equal(line(code[0]).trim(), text)
  }
})

test('bytes decode to instructions that encode to the same bytes', () => {
  for (const [code, , text] of rows) {
    const { bytes, maps } = encode(code)
    const linked = link({ bytes, maps, labels: new Map() }, new Map([['7', 7]]))
    const decoded = decode(linked)
    assert.ok(decoded, text)
    const again = encode(decoded)
    assert.equal(hex(link(again, new Map([['7', 7]]))), hex(linked), text)
  }
})

test('jumps go both ways, over two-slot immediates', () => {
  const [top, end] = [label('top'), label('end')]
  const code = [top, ldImm64(r0, 1n), jeq.imm(r0, 0, end), ja(top), end, exit()]
  assert.equal(
    hex(encode(code).bytes),
    '1800000001000000000000000000000015000100000000000500fcff000000009500000000000000',
  )
  const decoded = decode(encode(code).bytes)
  assert.equal(listing(decoded!), 'L0:\n  r0 = 0x1 ll\n  if r0 == 0 goto L1\n  goto L0\nL1:\n  exit\n')
})

test('bytes that are no program decode to nothing', () => {
  for (const bytes of [
    '95',
    '1801000000000000',
    '0500050000000000',
    '050001000000000018000000000000000000000000000000',
  ])
    assert.equal(decode(Buffer.from(bytes, 'hex')), undefined, bytes)
})
