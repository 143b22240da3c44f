import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readBtfExt, writeBtfExt } from './btf-ext.js'
import type { ExtSection } from './btf-ext.js'

const sections: ExtSection[] = [
  { name: 1, functions: [[0, 7]], lines: [[0, 20, 30, (5 << 10) | 3]] },
  {
    name: 5,
    functions: [
      [0, 8],
      [64, 9],
    ],
    lines: [
      [0, 20, 31, 6 << 10],
      [64, 20, 32, 7 << 10],
    ],
  },
]

test('records have the bytes of .BTF.ext, and are read again', () => {
  const bytes = writeBtfExt(sections)
  const words = [...new Uint32Array(bytes.buffer)]
  assert.deepEqual(words.slice(0, 6), [0x0001eb9f, 24, 0, 44, 44, 68])
  // Bytes of a record; section, count, records; the other section.
  assert.deepEqual(words.slice(6, 17), [8, 1, 1, 0, 7, 5, 2, 0, 8, 64, 9])
  assert.deepEqual(words.slice(17, 24), [16, 1, 1, 0, 20, 30, 0x1403])
  assert.deepEqual(readBtfExt(bytes), { ok: true, sections })
})

test('broken bytes are an error, never an exception', () => {
  const good = writeBtfExt(sections)
  assert.deepEqual(readBtfExt(good.subarray(0, 20)), { ok: false, error: '20 bytes are no header' })
  assert.deepEqual(readBtfExt(good.subarray(0, 100)), { ok: false, error: 'records are cut off' })
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
      const bytes = good.slice()
      bytes[at] = value
      readBtfExt(bytes)
    }),
  )
})
