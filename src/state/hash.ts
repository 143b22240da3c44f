// The hash of a key and the two buckets it may live in.
//
// 64-bit arithmetic is done on 32-bit halves, so that the reference is quick enough to check long captures; the test
// beside this file compares it with the same formula in BigInt. Not a cryptographic hash: a secret seed makes
// collisions hard to predict, not impossible to find.

/** A key's place in a table: its tag (never 0) and its two different buckets. */
export interface Candidates {
  readonly tag: number
  readonly first: number
  readonly second: number
}

/** A 64-bit value as two u32. */
export interface Halves {
  readonly low: number
  readonly high: number
}

/** The upper 32 bits of the product of two u32. */
export function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff
  const a1 = a >>> 16
  const b0 = b & 0xffff
  const b1 = b >>> 16
  const middle = a1 * b0 + ((a0 * b0) >>> 16)
  const other = a0 * b1 + (middle & 0xffff)
  return a1 * b1 + (middle >>> 16) + (other >>> 16)
}

/** The hash of `length` bytes (a multiple of 4) at `at`, read as 8-byte little-endian words and a rest of 4. */
export function hashKey(bytes: Uint8Array, at: number, length: number, seed: Halves): Halves {
  let hash = seed
  for (let i = 0; i < length; i += 8) {
    const high = i + 4 < length ? wordAt(bytes, at + i + 4) : 0
    hash = mix({ low: hash.low ^ wordAt(bytes, at + i), high: hash.high ^ high }, 0x9e3779b9, 0x7f4a7c15)
  }
  const { low, high } = mix(hash, 0xd6e8feb8, 0x6659fd93)
  return { low: (low ^ high) >>> 0, high: high >>> 0 }
}

/** (h ^ (h >> 29)) * multiplier, modulo 2^64; halves out may exceed 32 bits: low bits count. */
function mix(h: Halves, multiplierHigh: number, multiplierLow: number): Halves {
  const low = h.low ^ ((h.low >>> 29) | (h.high << 3))
  const high = h.high ^ (h.high >>> 29)
  const carried = multiplyHigh(low >>> 0, multiplierLow)
  return {
    low: Math.imul(low, multiplierLow),
    high: carried + Math.imul(high, multiplierLow) + Math.imul(low, multiplierHigh),
  }
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)

/** The tag and buckets that a hash means in a table of `bucketCount` (2 or more) buckets. */
export function candidatesOf(hash: Halves, bucketCount: number): Candidates {
  const first = multiplyHigh(hash.low, bucketCount)
  const second = multiplyHigh(hash.high, bucketCount)
  const next = first + 1 === bucketCount ? 0 : first + 1
  return { tag: (hash.low | 1) >>> 0, first, second: second === first ? next : second }
}
