/** Random choices: everything a random program or packet is made of. Equal seeds give equal choices. */

import { randomOf } from '../../src/ir/generate.js'
import type { Random } from '../../src/ir/generate.js'

/** One of several ways to go on, with its weight; weight 0 never happens. */
export type Choice<T> = readonly [weight: number, make: () => T]

/** Numbers at which operations and comparisons change their ways. */
const edges: readonly bigint[] = [
  ...[0n, 0n, 0n, 0n, 0n, 1n, 1n, 1n, 1n, 1n, 2n, 2n, 3n, 4n, 6n, 7n, 8n, 14n, 15n, 16n, 17n, 20n],
  ...[31n, 32n, 33n, 60n, 63n, 64n, 127n, 128n, 255n, 256n, 1000n, 1500n, 4789n, 0x7fffn, 0x8000n, 0xffffn],
  ...[0x10000n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n],
  ...[0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn],
]

export class Draw {
  /** Uniform over 0 <= v < n. */
  readonly below: Random

  constructor(seed: number) {
    this.below = randomOf(seed)
  }

  /** True `per` times in `of`. */
  chance(per: number, of: number): boolean {
    return this.below(of) < per
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }

  /** Makes one of the choices. */
  weighted<T>(choices: readonly Choice<T>[]): T {
    let left = this.below(choices.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, make] of choices) {
      if (left < weight) return make()
      left -= weight
    }
    throw new Error('no choice has a weight')
  }

  bits(count: number): bigint {
    let value = 0n
    for (let k = 0; k < count; k += 16) value = (value << 16n) | BigInt(this.below(0x10000))
    return BigInt.asUintN(count, value)
  }

  /** An unsigned number of so many bits, an edge more often than not. */
  number(bits: number): bigint {
    const fitting = edges.filter(edge => edge < 1n << BigInt(bits))
    return this.chance(3, 4) ? this.pick(fitting) : this.bits(bits)
  }

  /** A signed number of so many bits. */
  signed(bits: number): bigint {
    return BigInt.asIntN(bits, this.chance(1, 3) ? -this.number(bits) : this.number(bits))
  }
}
