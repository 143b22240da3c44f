import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { gzipSource } from './gzip.js'
import { bytesSource, type SourceFailure } from './source.js'

/** Unpacks by pulling parts of a given size; answers the bytes and why they ended, if not naturally. */
function unpack(packed: Uint8Array, part = 10_000): { bytes: Buffer; failure: SourceFailure | undefined } {
  const source = gzipSource(bytesSource(packed))
  const parts: Uint8Array[] = []
  for (;;) {
    const into = new Uint8Array(part)
    const count = source.read(into)
    if (typeof count !== 'number') return { bytes: Buffer.concat(parts), failure: count }
    if (count === 0) return { bytes: Buffer.concat(parts), failure: undefined }
    parts.push(into.subarray(0, count))
  }
}

/** Bytes with runs and repeats at many distances, so that all kinds of codes occur. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.nat(255), fc.nat(2000)).map(([value, count]) => new Uint8Array(count).fill(value)),
      fc.nat(40_000),
    ),
    { maxLength: 30 },
  )
  .map(parts => {
    let whole = Buffer.alloc(0)
    for (const part of parts) {
      const from = typeof part === 'number' ? whole.subarray(Math.max(0, whole.length - part)) : part
      whole = Buffer.concat([whole, from.subarray(0, 3000)])
    }
    return whole
  })

const settings = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_FIXED,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
  ),
  memLevel: fc.constantFrom(1, 8, 9),
})

test('unpacks what zlib packs, at every level and with every strategy', () => {
  const property = fc.property(
    content,
    settings,
    fc.integer({ min: 1, max: 100_000 }),
    (bytes, how, part) => {
      const { bytes: found, failure } = unpack(gzipSync(bytes, how), part)
      assert.equal(failure, undefined)
      assert.equal(Buffer.compare(found, bytes), 0)
    },
  )
  fc.assert(property, { numRuns: 300 })
})

test('unpacks more than its buffers hold, in several members', () => {
  const bytes = Buffer.alloc(3_000_000)
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * at * 7) >>> ((at >>> 15) % 9)
  const packed = Buffer.concat([gzipSync(bytes), gzipSync(bytes, { level: 0 }), Buffer.alloc(512)])
  const { bytes: found, failure } = unpack(packed, 777_777)
  assert.equal(failure, undefined)
  assert.equal(Buffer.compare(found, Buffer.concat([bytes, bytes])), 0)
})

test('header fields are passed over', () => {
  const plain = gzipSync('packets')
  const head = Buffer.from([0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3, 2, 0, 9, 9])
  const packed = Buffer.concat([
    head,
    Buffer.from('name\0comment\0'),
    Buffer.from([1, 2]),
    plain.subarray(10),
  ])
  assert.deepEqual(unpack(packed), { bytes: Buffer.from('packets'), failure: undefined })
})

test('a cut file gives what came before and says that it is cut', () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 31) % 251))
  const packed = gzipSync(bytes)
  for (const length of [12, 100, packed.length - 9, packed.length - 3]) {
    const { bytes: found, failure } = unpack(packed.subarray(0, length))
    assert.equal(failure?.kind, 'truncated')
    assert.equal(Buffer.compare(found, bytes.subarray(0, found.length)), 0)
    if (length > packed.length - 9) assert.equal(found.length, bytes.length)
  }
})

test('a wrong sum and a wrong length are told after the bytes', () => {
  for (const [back, reason] of [
    [8, /sum/],
    [4, /number/],
  ] as const) {
    const packed = gzipSync('packets')
    packed[packed.length - back] ^= 1
    const { bytes, failure } = unpack(packed)
    assert.equal(bytes.toString(), 'packets')
    assert.equal(failure?.kind, 'corrupt')
    assert.match(failure?.reason ?? '', reason)
  }
})

test('never throws for damaged bytes', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 })
  const property = fc.property(content, settings, changes, (bytes, how, damage) => {
    const packed = gzipSync(bytes, how)
    for (const [at, value] of damage) packed[at % packed.length] = value
    unpack(packed)
  })
  fc.assert(property, { numRuns: 300 })
})
