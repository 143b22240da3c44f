import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keyed, Random } from './random.js'

test('xoshiro128** gives its known sequence', () => {
  // By hand from the definition, state 1 2 3 4: rotl(2*5, 7)*9 = 11520; then s1 = 0; then s1 = 1029.
  const random = new Random(0)
  random.setState(1, 2, 3, 4)
  assert.deepEqual([random.u32(), random.u32(), random.u32(), random.u32()], reference([1, 2, 3, 4], 4))
  random.setState(1, 2, 3, 4)
  assert.equal(random.u32(), 11520)
  assert.equal(random.u32(), 0)
  random.setState(0xdeadbeef, 0x12345678, 0xffffffff, 0x80000001)
  const words = Array.from({ length: 200 }, () => random.u32())
  assert.deepEqual(words, reference([0xdeadbeef, 0x12345678, 0xffffffff, 0x80000001], 200))
})

/** The published algorithm, literally, on big integers. */
function reference(seed: number[], count: number): number[] {
  const mask = 0xffffffffn
  const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask
  const s = seed.map(BigInt)
  return Array.from({ length: count }, () => {
    const result = (rotate((s[1] * 5n) & mask, 7n) * 9n) & mask
    const t = (s[1] << 9n) & mask
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotate(s[3], 11n)
    return Number(result)
  })
}

function head(seed: number, stream: number): string {
  const random = new Random(seed, stream)
  return [random.u32(), random.u32()].join()
}

test('seeds and streams give different sequences, the same ones the same', () => {
  assert.equal(head(7, 1), head(7, 1))
  const heads = new Set([
    head(7, 1),
    head(7, 2),
    head(8, 1),
    head(7 + 2 ** 32, 1),
    head(0, 0),
    head(2 ** 53 - 1, 0),
  ])
  assert.equal(heads.size, 6)
  assert.throws(() => new Random(-1), RangeError)
  assert.throws(() => new Random(1.5), RangeError)
})

test('draws are spread as they should be', () => {
  const random = new Random(1)
  const counts = Array.from({ length: 10 }, () => 0)
  let sum = 0
  for (let i = 0; i < 100_000; i++) {
    counts[random.below(10)]++
    sum += random.exponential(3)
  }
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${count}`)
  assert.ok(Math.abs(sum / 100_000 - 3) < 0.05)
})

test('keyed draws depend on each of seed, index and site', () => {
  const keyed = new Keyed(5)
  assert.equal(keyed.u32(1, 2), new Keyed(5).u32(1, 2))
  assert.notEqual(keyed.u32(1, 2), new Keyed(6).u32(1, 2))
  assert.notEqual(keyed.u32(1, 2), keyed.u32(2, 2))
  assert.notEqual(keyed.u32(1, 2), keyed.u32(1, 3))
  const counts = Array.from({ length: 16 }, () => 0)
  let alike = 0
  for (let i = 0; i < 64_000; i++) {
    const word = keyed.u32(i, 1)
    counts[word >>> 28]++
    if (word >>> 31 === keyed.u32(i, 2) >>> 31) alike++
  }
  for (const count of counts) assert.ok(Math.abs(count - 4000) < 350, `${count}`)
  assert.ok(Math.abs(alike - 32_000) < 800, `${alike}`)
})
