import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sectionFlags, writeElf } from './elf.js'
import type { ElfObject } from './elf.js'
import { readElf } from './elf-read.js'

const example: ElfObject = {
  sections: [
    {
      name: 'xdp',
      contents: Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0),
      flags: sectionFlags.allocate | sectionFlags.execute,
      alignment: 8,
      relocations: [{ offset: 8, kind: 'call32', symbol: 'f' }],
    },
    { name: '.bss', contents: 4096, flags: sectionFlags.allocate | sectionFlags.write, alignment: 64 },
    { name: 'license', contents: Uint8Array.of(0x47, 0x50, 0x4c, 0), flags: 3, alignment: 1 },
  ],
  symbols: [
    { name: 'f', kind: 'function', binding: 'local', section: 'xdp', value: 8, size: 8 },
    { name: 'state', kind: 'object', binding: 'global', section: '.bss', value: 64, size: 0x1000 },
  ],
}

const hex = (bytes: Uint8Array, from: number, length: number): string =>
  Buffer.from(bytes.subarray(from, from + length)).toString('hex')

test('headers have the bytes of elf.h', () => {
  const file = writeElf(example)
  const view = new DataView(file.buffer)
  // Magic, ELF64, little-endian; relocatable, BPF, version 1.
  assert.equal(hex(file, 0, 24), '7f454c460201010000000000000000000100f70001000000')
  // Entry and program headers: none.
  assert.equal(hex(file, 24, 16), '0'.repeat(32))
  const at = Number(view.getBigUint64(40, true))
  // Flags; sizes: header 64, none of program headers, 7 section headers of 64, names in the last.
  assert.equal(hex(file, 48, 16), '00000000400000000000400007000600')
  assert.equal(file.length, at + 7 * 64)
  assert.equal(hex(file, at, 64), '0'.repeat(128))
  // xdp: name 1, bits, allocated and executable, address 0, at 64, 16 bytes, no link, no info, aligned to 8.
  assert.equal(
    hex(file, at + 64, 64),
    '01000000010000000600000000000000000000000000000040000000000000001000000000000000000000000000000008000000000000000000000000000000',
  )
  // .bss: name 5, zeros, 4096 bytes of which the file has none.
  assert.equal(hex(file, at + 128, 8), '0500000008000000')
  assert.equal(view.getBigUint64(at + 128 + 32, true), 4096n)
})

test('symbols and relocations have the bytes of elf.h', () => {
  const file = writeElf(example)
  const read = readElf(file)
  assert.ok(read.ok)
  const view = new DataView(file.buffer)
  const at = Number(view.getBigUint64(40, true))
  const section = (k: number): number => Number(view.getBigUint64(at + 64 * k + 24, true))
  // .relxdp: at byte 8 of section 1, symbol 1, R_BPF_64_32.
  assert.equal(hex(file, section(4), 16), '08000000000000000a00000001000000')
  assert.equal(view.getUint32(at + 64 * 4 + 40, true), 5, 'linked to the symbols')
  assert.equal(view.getUint32(at + 64 * 4 + 44, true), 1, 'of section xdp')
  // .symtab: none; f, local function in section 1 at 8; state, global object in section 2 at 64.
  assert.equal(hex(file, section(5), 24), '0'.repeat(48))
  assert.match(hex(file, section(5) + 24, 24), /^.{8}0200010008000000000000000800000000000000$/)
  assert.match(hex(file, section(5) + 48, 24), /^.{8}1100020040000000000000000010000000000000$/)
  assert.equal(view.getUint32(at + 64 * 5 + 44, true), 2, 'the first global symbol')
})

test('what is written is read', () => {
  const read = readElf(writeElf(example))
  assert.ok(read.ok)
  assert.deepEqual(
    read.object.sections.map(s => ({
      ...s,
      contents: typeof s.contents === 'number' ? s.contents : [...s.contents],
    })),
    example.sections.map(s => ({
      ...s,
      contents: typeof s.contents === 'number' ? s.contents : [...s.contents],
    })),
  )
  assert.deepEqual(read.object.symbols, example.symbols)
})

test('broken bytes are an error, never an exception', () => {
  const good = writeElf(example)
  assert.deepEqual(readElf(good.subarray(0, 63)), { ok: false, error: 'this is no ELF file' })
  assert.deepEqual(readElf(good.subarray(0, 200)), { ok: false, error: 'the section headers are cut off' })
  const other = good.slice()
  other[18] = 62
  assert.deepEqual(readElf(other), { ok: false, error: 'this object is not for BPF' })
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
      const bytes = good.slice(0, length)
      if (at < length) bytes[at] = value
      readElf(bytes)
    }),
  )
})
