// The map of buckets as user space sees it (backend/ebpf/buckets-map.ts): who has each, who is to have it, what came for it.

import { dealerDrops } from '../../backend/ebpf/dealer.js'
import { bucketDrops, bucketEntry, countBits } from '../../backend/ebpf/buckets-map.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'

export interface Bucket {
  readonly owner: number
  /** The worker that is to have it; the owner, if it is to stay. */
  readonly wish: number
  /** Packets that came for it so far, those included that got to no worker. */
  readonly packets: bigint
  /** How often it changed its worker. */
  readonly moved: bigint
}

export interface BucketFigures {
  /** Changes of worker so far, over all buckets. */
  readonly migrations: bigint
  /** Buckets that are to change their worker and have not: with the next packet that finds none before it under way. */
  readonly pending: number
}

/** All buckets as they are now. Each is of one moment, but not all of the same. */
export function readBuckets(bytes: Uint8Array): Bucket[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: indirectionEntries }, (_, b) => {
    const at = b * bucketEntry.stride
    const word = view.getBigUint64(at + bucketEntry.word, true)
    return {
      owner: Number(word >> BigInt(countBits)),
      wish: view.getUint32(at + bucketEntry.wish, true),
      packets: BigInt.asUintN(countBits, word),
      moved: view.getBigUint64(at + bucketEntry.moved, true),
    }
  })
}

export function rebalancingOf(bytes: Uint8Array): BucketFigures {
  const buckets = readBuckets(bytes)
  return {
    migrations: buckets.reduce((sum, b) => sum + b.moved, 0n),
    pending: buckets.filter(b => b.owner !== b.wish).length,
  }
}

/** Packets that got to no worker, by reason. */
export const bucketDropsOf = (bytes: Uint8Array): Map<string, bigint> =>
  dropsAt(
    bytes,
    bucketDrops.map(reason => [reason, bucketEntry[reason]]),
  )

/** The same of strategy hybrid. */
export const dealerDropsOf = (bytes: Uint8Array): Map<string, bigint> =>
  dropsAt(bytes, Object.entries(dealerDrops))

function dropsAt(bytes: Uint8Array, places: readonly (readonly [string, number])[]): Map<string, bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return new Map(
    places.map(([reason, at]) => {
      let sum = 0n
      for (let b = 0; b < indirectionEntries; b++) sum += view.getBigUint64(b * bucketEntry.stride + at, true)
      return [reason, sum]
    }),
  )
}

/** Has a bucket go to another worker, when no packet of it is under way. */
export function wish(bytes: Uint8Array, bucket: number, worker: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  view.setUint32(bucket * bucketEntry.stride + bucketEntry.wish, worker, true)
}
