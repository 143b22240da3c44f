// What the program on interfaces and the workers of strategy rebalanced know of buckets and of each other: one map, in
// which everybody has lines of his own to write. User space maps it too.
//
// All counts only grow (but `sent`, which takes back what found no room). Read buckets.ts first.

import { indirectionEntries } from '../../strategy/toeplitz.js'
import type { MapDeclaration } from './maps.js'
import { mostShards } from './steering.js'

export const bucketsMap = '.buckets'

/** Of each bucket, byte offsets: a line of those who steer, and one of the worker that has it. */
export const bucketEntry = {
  /** u64: packets that came for it, 56 bits, below the number of the worker that has it. */
  word: 0,
  /** u64 each: packets of these that never got to a worker, by reason (bucketDrops). */
  workerQueue: 8,
  handover: 16,
  /** u64: how often it changed its worker. */
  moved: 24,
  /** u32: the worker that is to have it. User space writes it. */
  wish: 32,
  /** Of strategy hybrid (dealer.ts), u32: how often all workers came to have it. */
  spread: 36,
  /** u64: packets of these that got a number, and went to a worker. */
  number: 40,
  /**
   * u64: of a bucket that is one worker's, how many packets its worker's queue had been given with the last of its; else the
   * number of the first packet whose item is kept.
   */
  since: 48,
  /** u16 its phase (places-map.ts), u16 its place, u32 the order that was last seen to: one word. */
  phase: 56,
  place: 58,
  served: 60,
  /** u64: packets that a worker is done with. */
  done: 64,
  /** u64: the seed of random() for its packets, which are numbered by bucket. */
  seed: 72,
  /** Of strategy hybrid: what user space orders. u32 the order's number; u32 the place that may be used for it, or none. */
  order: 80,
  orderPlace: 84,
  stride: 128,
} as const

/** Bits of a bucket's word that count packets. */
export const countBits = 56

/** Of each worker. */
export const seatEntry = {
  /** u64: packets that were put to its queue. */
  sent: 0,
  /** u64: how many may have been; what was known when it was last looked. */
  limit: 8,
  /** u32 CPU, u32 which of the CPU maps. */
  cpu: 16,
  layer: 20,
  /** u64: packets that came out of the queue. */
  done: 64,
  stride: 128,
} as const

/** Why a packet of a bucket gets to no worker. */
export const bucketDrops = [
  /** Its worker's queue has no room. */
  'workerQueue',
  /** Its bucket is to leave the worker, and the queue is as good as full. */
  'handover',
] as const

export const seatsFrom = indirectionEntries * bucketEntry.stride
export const bucketsBytes = seatsFrom + mostShards * seatEntry.stride

export const bucketsDeclaration: MapDeclaration = {
  name: bucketsMap,
  valueSize: bucketsBytes,
  valueType: btf => btf.array(btf.unsigned(8), bucketsBytes / 8),
}
