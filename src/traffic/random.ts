/**
 * Seeded randomness for traces: the same seed gives the same bytes on every machine.
 *
 * Two kinds, for two needs. `Random` is a *sequence* (xoshiro128**, Blackman and Vigna 2018, public domain), for
 * draws whose order is the order of the trace. `keyed` is a *function* of (seed, index, site): a flow's properties
 * are drawn from its ordinal, so they can be computed again without replaying what came before.
 *
 * Not for secrets. Read docs/decisions/0020-seeded-randomness.md for why neither is Math.random.
 */

const GOLDEN = 0x9e3779b9 | 0

/** A bijection of 32-bit words in which every input bit reaches every output bit (the finaliser of MurmurHash3). */
function mix(word: number): number {
  let h = word | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** The seed as two words: any integer from 0 to 2^53-1. */
function seedWords(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new RangeError(`seed ${seed} is no integer from 0 to 2^53-1`)
  return [seed | 0, Math.floor(seed / 0x1_0000_0000) | 0]
}

/** A stream of random words: xoshiro128**, period 2^128-1. */
export class Random {
  #s0 = 0
  #s1 = 0
  #s2 = 0
  #s3 = 0

  /** @param stream separates the streams that one seed feeds, so that a new use does not shift the old ones. */
  constructor(seed: number, stream = 0) {
    const [low, high] = seedWords(seed)
    let state = mix(low ^ mix(high ^ mix(stream + GOLDEN)))
    const next = () => mix((state = (state + GOLDEN) | 0))
    this.setState(next(), next(), next(), next() | 1)
  }

  /** Sets the four state words; not all may be zero. For known-answer tests. */
  setState(s0: number, s1: number, s2: number, s3: number): void {
    this.#s0 = s0 | 0
    this.#s1 = s1 | 0
    this.#s2 = s2 | 0
    this.#s3 = s3 | 0
  }

  /** The next word, 0..2^32-1. */
  u32(): number {
    const s1 = this.#s1
    const product = Math.imul(s1, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    this.#s2 ^= this.#s0
    const s3 = this.#s3 ^ s1
    this.#s1 = s1 ^ this.#s2
    this.#s0 ^= s3
    this.#s2 ^= s1 << 9
    this.#s3 = (s3 << 11) | (s3 >>> 21)
    return result >>> 0
  }

  /** Uniform in [0, 1), 32 bits fine: enough to choose among fewer than 2^20 things. */
  unit(): number {
    return this.u32() * 2 ** -32
  }

  /** Uniform in 0..count-1; the bias is below count / 2^32. */
  below(count: number): number {
    return Math.floor(this.u32() * 2 ** -32 * count)
  }

  /** Exponential with the given mean: the gap between two events of a Poisson process. */
  exponential(mean: number): number {
    return -mean * Math.log((this.u32() + 1) * 2 ** -32)
  }
}

/** Draws that depend on (seed, index, site) alone. Sites are small integers, one per place that draws. */
export class Keyed {
  readonly #low: number
  readonly #high: number

  constructor(seed: number) {
    const [low, high] = seedWords(seed)
    this.#low = mix(low ^ GOLDEN)
    this.#high = mix(high + Math.imul(GOLDEN, 2)) ^ mix(this.#low)
  }

  /** A word, 0..2^32-1; index below 2^32. */
  u32(index: number, site: number): number {
    const h = mix((Math.imul(index, GOLDEN) ^ this.#low) + Math.imul(site + 1, 0x632be5ab))
    return mix(h ^ this.#high) >>> 0
  }

  /** Uniform in [0, 1), 32 bits fine. */
  unit(index: number, site: number): number {
    return this.u32(index, site) * 2 ** -32
  }
}
