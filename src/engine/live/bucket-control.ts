// Who should have which bucket of a live run: at the end of an epoch the loads since the last one decide, as RSS++ has it
// (strategy/balance.ts), and what should change is written down as a wish, which the program on the interfaces grants.

import { balance } from '../../strategy/balance.js'
import type { BalanceOptions } from '../../strategy/balance.js'
import { readBuckets, wish } from '../kernel/buckets.js'

/** Milliseconds between two looks, as often as RSS++'s own experiments look. */
export const defaultLiveEpoch = 100

export interface ControlOptions {
  readonly workers: number
  /** When buckets move; left out, also the epoch before has a say. */
  readonly balance?: BalanceOptions
}

export class BucketControl {
  readonly #bytes: Uint8Array
  readonly #options: ControlOptions
  #packets: readonly bigint[]
  /** Loads of the epoch before; of none at first, which confirms nothing. */
  #before: readonly number[]
  epochs = 0
  /** Changes that were wished for. */
  wishes = 0

  /** `bytes` is the map of buckets, in memory. */
  constructor(bytes: Uint8Array, options: ControlOptions) {
    this.#bytes = bytes
    this.#options = options
    this.#packets = readBuckets(bytes).map(b => b.packets)
    this.#before = this.#packets.map(() => 0)
  }

  /** Ends an epoch. A bucket that is still to change its worker counts as the one's that is to have it. */
  endEpoch(): void {
    const buckets = readBuckets(this.#bytes)
    const loads = buckets.map((b, k) => Number(b.packets - this.#packets[k]))
    const owners = buckets.map(b => b.wish)
    const options = this.#options.balance ?? { before: this.#before }
    for (const { bucket, to } of balance(loads, owners, this.#options.workers, options)) {
      wish(this.#bytes, bucket, to)
      this.wishes++
    }
    this.#packets = buckets.map(b => b.packets)
    this.#before = loads
    this.epochs++
  }
}
