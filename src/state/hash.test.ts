import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { hashMultipliers } from './format.js'
import { candidatesOf, hashKey, multiplyHigh } from './hash.js'

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v)
const halves = (v: bigint) => ({ low: Number(v & 0xffffffffn), high: Number(v >> 32n) })

/** The formula of docs/state.md, word for word. */
function specified(key: Uint8Array, seed: bigint): bigint {
  let h = seed
  for (let i = 0; i < key.length; i += 8) {
    let word = 0n
    for (let j = Math.min(8, key.length - i) - 1; j >= 0; j--) word = (word << 8n) | BigInt(key[i + j])
    h ^= word
    h ^= h >> 29n
    h = u64(h * hashMultipliers[0])
  }
  h ^= h >> 29n
  h = u64(h * hashMultipliers[1])
  return h ^ (h >> 32n)
}

const keys = fc
  .integer({ min: 1, max: 10 })
  .chain(words => fc.uint8Array({ minLength: 4 * words, maxLength: 4 * words }))
const u32 = fc.integer({ min: 0, max: 0xffffffff })

test('the hash in halves equals the formula in 64 bits', () => {
  fc.assert(
    fc.property(keys, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (key, seed) => {
      assert.deepEqual(hashKey(key, 0, key.length, halves(seed)), halves(specified(key, seed)))
    }),
    { numRuns: 500 },
  )
})

const hex = (key: number[], seed: bigint): string => {
  const { low, high } = hashKey(Uint8Array.from(key), 0, key.length, halves(seed))
  return ((BigInt(high) << 32n) | BigInt(low)).toString(16).padStart(16, '0')
}

test('known hashes, so that other implementations can check theirs', () => {
  assert.equal(hex([0, 0, 0, 0], 0n), '0000000000000000')
  assert.deepEqual(
    [
      hex([10, 0, 0, 1], 0n),
      hex([10, 0, 0, 1], 0x0123456789abcdefn),
      hex([10, 0, 0, 1, 10, 0, 0, 2], 0n),
      hex([10, 0, 0, 1, 10, 0, 0, 2, 0x1f, 0x90, 0, 80, 6, 0, 0, 0], 0n),
      hex([10, 0, 0, 1, 10, 0, 0, 2, 0x1f, 0x90, 0, 80], 0n),
    ],
    ['29c3b98eb82aff30', '7b26035d7426fe61', 'e3a12abf6b182716', 'f1d2af39ae696ee6', '8a7c198c619e43ca'],
  )
})

test('the upper product is exact', () => {
  fc.assert(
    fc.property(u32, u32, (a, b) => multiplyHigh(a, b) === Number((BigInt(a) * BigInt(b)) >> 32n)),
    { numRuns: 500 },
  )
  assert.equal(multiplyHigh(0xffffffff, 0xffffffff), 0xfffffffe)
})

test('the two buckets are in range and differ, the tag is never 0', () => {
  fc.assert(
    fc.property(u32, u32, fc.integer({ min: 2, max: 5_242_888 }), (low, high, bucketCount) => {
      const { tag, first, second } = candidatesOf({ low, high }, bucketCount)
      assert.equal(tag, (low | 1) >>> 0)
      assert.equal(BigInt(first), (BigInt(low) * BigInt(bucketCount)) >> 32n)
      assert.ok(first !== second && first < bucketCount && second < bucketCount)
    }),
    { numRuns: 500 },
  )
  assert.deepEqual(candidatesOf({ low: 0, high: 0 }, 2), { tag: 1, first: 0, second: 1 })
  assert.deepEqual(candidatesOf({ low: 0xffffffff, high: 0xfffffffe }, 3), {
    tag: 0xffffffff,
    first: 2,
    second: 0,
  })
})
