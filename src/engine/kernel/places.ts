// The maps of strategy hybrid as user space sees them (backend/ebpf/places-map.ts): orders, which places are free, what came of
// orders, and where a bucket's state is.

import { bucketEntry, countBits, seatEntry, seatsFrom } from '../../backend/ebpf/buckets-map.js'
import { copyOf, everybody, noPlace, phaseOf, placeEntry, places } from '../../backend/ebpf/places-map.js'
import { placeWorker, slicesWithPlaces } from '../../backend/ebpf/places-map.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import { readBuckets } from './buckets.js'
import type { BucketFigures } from './buckets.js'

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

export interface HeavyFigures extends BucketFigures {
  /** How often all workers came to have a bucket, and how often one of these became one worker's again. */
  readonly promotions: number
  readonly demotions: number
  /** Buckets that all workers have. */
  readonly spread: number
}

/** What came of orders, over all buckets. */
export function heavyFiguresOf(bytes: Uint8Array): HeavyFigures {
  const view = viewOf(bytes)
  let promotions = 0
  const buckets = readBuckets(bytes)
  const spread = buckets.filter(b => b.owner === everybody).length
  for (let b = 0; b < indirectionEntries; b++)
    promotions += view.getUint32(b * bucketEntry.stride + bucketEntry.spread, true)
  return {
    migrations: buckets.reduce((sum, b) => sum + b.moved, 0n),
    pending: buckets.filter(b => b.owner !== b.wish).length,
    promotions,
    demotions: promotions - spread,
    spread,
  }
}

/** The map of places, and that of buckets, in memory. */
export interface HeavyMaps {
  readonly buckets: Uint8Array
  readonly places: Uint8Array
  readonly workers: number
}

/** Whether a bucket is one worker's, and no order for it is still to be seen to. */
export function isSettled({ buckets }: Pick<HeavyMaps, 'buckets'>, bucket: number): boolean {
  const view = viewOf(buckets)
  const at = bucket * bucketEntry.stride
  // Phase and order as they were at one moment.
  const word = view.getBigUint64(at + bucketEntry.phase, true)
  return (
    Number(word & 0xffffn) === phaseOf('light') &&
    Number(word >> 32n) === view.getUint32(at + bucketEntry.order, true)
  )
}

/** Whether no packet of a settled bucket is under way, so that the next one may go to another worker. */
export function isAtRest({ buckets }: Pick<HeavyMaps, 'buckets'>, bucket: number): boolean {
  const view = viewOf(buckets)
  const at = bucket * bucketEntry.stride
  const owner = Number(view.getBigUint64(at + bucketEntry.word, true) >> BigInt(countBits))
  const done = view.getBigUint64(seatsFrom + owner * seatEntry.stride + seatEntry.done, true)
  return view.getBigUint64(at + bucketEntry.since, true) <= done
}

/** Whether workers are done with all frames that were about a place. Its bucket must be settled. */
export function isQuiet({ places: bytes, workers }: HeavyMaps, place: number): boolean {
  const view = viewOf(bytes)
  const at = place * placeEntry.stride
  let handled = 0n
  for (let w = 0; w < workers; w++)
    handled += view.getBigUint64(at + placeEntry.workers + w * placeWorker.stride + placeWorker.handled, true)
  return view.getBigUint64(at + placeEntry.dealt, true) === handled
}

/** Makes a place ready for another bucket: nobody has seen any of its packets. It must be quiet. */
export function clearPlace({ places: bytes, workers }: HeavyMaps, place: number): void {
  const view = viewOf(bytes)
  const at = place * placeEntry.stride
  for (const offset of [placeEntry.copied, placeEntry.back, placeEntry.first])
    view.setBigUint64(at + offset, 0n, true)
  for (let w = 0; w < workers; w++) {
    const line = at + placeEntry.workers + w * placeWorker.stride
    view.setBigUint64(line + placeWorker.seen, 0n, true)
    view.setUint32(line + placeWorker.order, 0, true)
  }
}

/** What is to become of a bucket: a worker's, or everybody's, for which it needs a place. */
export interface Order {
  readonly bucket: number
  readonly to: number
  readonly place?: number
  /** Another than those before it, of any bucket; not 0. */
  readonly number: number
}

/** Writes an order down. The bucket must be settled, and the place free. */
export function writeOrder(bytes: Uint8Array, { bucket, to, place = noPlace, number }: Order): void {
  const view = viewOf(bytes)
  const at = bucket * bucketEntry.stride
  view.setUint32(at + bucketEntry.wish, to, true)
  view.setUint32(at + bucketEntry.orderPlace, place, true)
  // Last: it is what the program on interfaces looks at first. An atomic store, which nothing before it can pass.
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  Atomics.store(words, (at + bucketEntry.order) / 4, number)
}

/** Has a bucket that all workers have go home to one of them. */
export function writeWish(bytes: Uint8Array, bucket: number, to: number): void {
  viewOf(bytes).setUint32(bucket * bucketEntry.stride + bucketEntry.wish, to, true)
}

/** The slice that has a bucket's state. While packets are under way it may be behind them. */
export function sliceOf({ buckets, places: bytes, workers }: HeavyMaps, bucket: number): number {
  const [view, lines] = [viewOf(buckets), viewOf(bytes)]
  const at = bucket * bucketEntry.stride
  const phase = view.getUint16(at + bucketEntry.phase, true)
  if (phase === phaseOf('light') || phase === phaseOf('asked')) return bucket
  const place = view.getUint16(at + bucketEntry.place, true)
  const line = place * placeEntry.stride
  const order = view.getUint32(at + bucketEntry.served, true)
  if (phase === phaseOf('returning') && lines.getUint32(line + placeEntry.back, true) === order) return bucket
  // Of a bucket that all have, the copy that has seen most; that which they are made of, before the first of them.
  let [best, most] = [copyOf(place, workers), -1n]
  for (let w = 0; w < workers; w++) {
    const own = line + placeEntry.workers + w * placeWorker.stride
    const seen = lines.getBigUint64(own + placeWorker.seen, true)
    if (lines.getUint32(own + placeWorker.order, true) === order && seen > most)
      [best, most] = [copyOf(place, workers) + 1 + w, seen]
  }
  return best
}

export { everybody, places, slicesWithPlaces }
