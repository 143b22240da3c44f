// Which buckets of a live run of strategy hybrid all workers should have, and who should have which of the others: at the end
// of an epoch the loads since the last one decide (strategy/heavy.ts, with buckets for keys), and orders are written down.
//
// A place is given to a bucket with its order, and is free again when the bucket is one worker's and all frames that were
// about the place are done with. A bucket whose order is not seen to yet is left alone, as it is with the next packet of it.

import { judge } from '../../strategy/heavy.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import type { BalanceOptions } from '../../strategy/balance.js'
import { readBuckets } from '../kernel/buckets.js'
import { clearPlace, everybody, isAtRest, isQuiet, isSettled, places } from '../kernel/places.js'
import { writeOrder, writeWish } from '../kernel/places.js'
import type { HeavyMaps } from '../kernel/places.js'

/** Places that buckets may have which only go from one worker to another. */
const movesMayHave = places / 2
/** An epoch with fewer packets than this says nothing of who is heavy. */
const leastPackets = 256

export interface HeavyControlOptions {
  /** What replaying an item costs, as a share of what its packet costs. */
  readonly replay: number
  /** When light buckets move; left out, also the epoch before has a say. */
  readonly balance?: BalanceOptions
}

export class HeavyControl {
  readonly #maps: HeavyMaps
  readonly #options: HeavyControlOptions
  /** The bucket that a place is given to. */
  readonly #users: (number | undefined)[] = Array.from({ length: places })
  #orders = 0
  #packets: readonly bigint[]
  /** Loads of the epoch before; of none at first, which confirms nothing. */
  #before: readonly number[]
  #stood: ReadonlySet<number> = new Set()
  epochs = 0
  /** Changes that were ordered. */
  wishes = 0

  constructor(maps: HeavyMaps, options: HeavyControlOptions) {
    this.#maps = maps
    this.#options = options
    this.#packets = readBuckets(maps.buckets).map(b => b.packets)
    this.#before = this.#packets.map(() => 0)
  }

  /** Ends an epoch. A bucket that is still to change counts as what it is to be. */
  endEpoch(): void {
    const { workers } = this.#maps
    const buckets = readBuckets(this.#maps.buckets)
    const loads = buckets.map((b, k) => Number(b.packets - this.#packets[k]))
    const isHeavy = buckets.map(b => b.wish === everybody)
    const light = (of: readonly number[]): number[] => of.map((n, b) => (isHeavy[b] ? 0 : n))
    const { promoted, demoted, moves, stood } = judge({
      votes: loads.flatMap((count, b) => (count > 0 ? [{ hash: keyOf(b), count }] : [])),
      scale: 1,
      loads: light(loads),
      // Where it would be if it were light: the worker that comes to it by its number, as at the beginning.
      owners: buckets.map((b, k) => (isHeavy[k] ? k % workers : b.wish)),
      workers,
      heavy: new Set(buckets.flatMap((_, b) => (isHeavy[b] ? [keyOf(b)] : []))),
      room: true,
      replay: this.#options.replay,
      balance: this.#options.balance ?? { before: light(this.#before) },
      stood: this.#stood,
    })
    const goes = new Map(moves.map(m => [m.bucket, m.to]))
    for (const key of demoted) this.order(bucketOf(key), goes.get(bucketOf(key)) ?? bucketOf(key) % workers)
    const isTelling = loads.reduce((sum, n) => sum + n, 0) >= leastPackets
    for (const key of isTelling ? promoted : []) this.order(bucketOf(key), everybody)
    for (const { bucket, to } of moves) if (!isHeavy[bucket]) this.order(bucket, to)
    this.#stood = stood
    this.#packets = buckets.map(b => b.packets)
    this.#before = loads
    this.epochs++
  }

  /**
   * Has a worker have a bucket, or everybody. False if it cannot be had now: an order for the bucket is not seen to yet, or there
   * is no place.
   */
  order(bucket: number, to: number): boolean {
    const { buckets } = this.#maps
    const now = readBuckets(buckets)[bucket]
    if (now.wish === to) return true
    // It has a place, and goes home.
    if (now.owner === everybody && now.wish === everybody) writeWish(buckets, bucket, to)
    else {
      if (!isSettled(this.#maps, bucket)) return false
      // A bucket with packets under way all the time would never move without a place, nor be settled again.
      const needsPlace = to === everybody || !isAtRest(this.#maps, bucket)
      const place = needsPlace ? this.#freePlace(to === everybody ? places : movesMayHave) : undefined
      if (place === undefined && needsPlace) return false
      if (place !== undefined) this.#users[place] = bucket
      writeOrder(buckets, { bucket, to, ...(place !== undefined && { place }), number: this.#next() })
    }
    this.wishes++
    return true
  }

  #next(): number {
    this.#orders = this.#orders === 2 ** 32 - 1 ? 1 : this.#orders + 1
    return this.#orders
  }

  /** A place of the first so many that nobody uses, ready for use. */
  #freePlace(below: number): number | undefined {
    for (const [place, user] of this.#users.slice(0, below).entries())
      if (user === undefined || isSettled(this.#maps, user)) {
        if (!isQuiet(this.#maps, place)) continue
        clearPlace(this.#maps, place)
        this.#users[place] = undefined
        return place
      }
    return undefined
  }
}

/** Buckets as keys with a hash that is theirs, and not 0, which means none. */
const keyOf = (bucket: number): number => indirectionEntries + bucket
const bucketOf = (key: number): number => key - indirectionEntries
