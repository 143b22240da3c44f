// What strategy hybrid keeps of buckets that all workers have: places, each with a copy of the bucket's slice for every worker,
// a ring of items, and lines in which the program on the interfaces, workers and user space tell each other how far they are.
//
// A bucket is light, and then its owner works on its own slice. It goes through these phases, all of which begin in the
// stream of packets:
//
//   light → asked:     from the packet at hand on, items are kept. Its owner copies the slice before it handles that packet
//   asked → spread:    the copy is there. Packets are dealt out in turn; each worker copies the copy at its first one, and
//                      replays the items of all numbers between its packets
//   asked → returning, spread → returning: packets go to one worker, which replays what it lacks and writes its copy back
//   returning → light: the slice is that worker's
//
// Read dealer.ts for who goes from one to the next, and heavy-worker.ts for what workers do.

import { indirectionEntries } from '../../strategy/toeplitz.js'
import type { MapDeclaration } from './maps.js'
import type { HistoryRing } from './ring.js'
import { ringBytes, ringMap, ringStride } from './ring.js'
import { mostShards } from './steering.js'

export const placesMap = '.places'

/** Buckets that may be at a place at the same time: a power of two. */
export const places = 8

export const phases = ['light', 'asked', 'spread', 'returning'] as const
export const phaseOf = (name: (typeof phases)[number]): number => phases.indexOf(name)

/** Instead of a worker: all have the bucket, or are to have it. */
export const everybody = 255
/** Instead of a place, in an order. */
export const noPlace = 255

/** Of each place, byte offsets. */
export const placeEntry = {
  /** Line of the program on interfaces. u32: the order that the place is used for; u64: frames that are about it. */
  order: 0,
  dealt: 8,
  /** u32: who had the bucket before; u64: frames in its queue up to the last one that is to be worked on in the slice. */
  owner: 4,
  until: 16,
  /** Line of the bucket's owners. u32: the order for which the slice was copied, and then for which it was written back. */
  copied: 64,
  back: 72,
  /** u64: the number of the first packet that the copy does not have. */
  first: 80,
  /** u64 each, of the program on interfaces: numbers below which a worker may get one. */
  limits: 128,
  /** Of each worker a line. */
  workers: 128 + 8 * mostShards,
  stride: 128 + 72 * mostShards,
} as const

/** In a worker's line. */
export const placeWorker = {
  /** u64: the last number that its copy has. */
  seen: 0,
  /** u32: the order that its copy is of. */
  order: 8,
  /** u64: frames it was given that are about the place. */
  handled: 16,
  stride: 64,
} as const

export const placesDeclaration: MapDeclaration = {
  name: placesMap,
  valueSize: places * placeEntry.stride,
  valueType: btf => btf.array(btf.unsigned(8), (places * placeEntry.stride) / 8),
}

/** Slices of so many workers: one for each bucket; then for each place the copy, and each worker's. */
export const slicesWithPlaces = (workers: number): number => indirectionEntries + places * (workers + 1)
/** The number of a place's copy; those of workers stand behind it. */
export const copyOf = (place: number, workers: number): number => indirectionEntries + place * (workers + 1)

/** The rings of all places, one after the other. */
export function ringsDeclaration(ring: HistoryRing): MapDeclaration {
  const entry = ringStride(ring)
  return {
    name: ringMap,
    valueSize: places * ringBytes(ring),
    valueType: btf => btf.array(btf.array(btf.unsigned(8), entry / 8), places * ring.entries),
  }
}

/** What stands in front of a packet on its way to a worker, little-endian. */
export const dealt = {
  /** u64: its number in its bucket. */
  number: 0,
  bucket: 8,
  /** What the worker is to do (kinds). */
  kind: 9,
  place: 10,
  /** u64 ns since the run began, where the program asks for the time. */
  time: 16,
} as const
export const dealtBytes = (timed: boolean): number => (timed ? 24 : 16)

export const kinds = [
  /** The bucket is the worker's. */
  'plain',
  /** The same; and its slice is to be copied before. */
  'copy',
  /** All have the bucket. */
  'spread',
  /** The bucket becomes the worker's, unless it is already. */
  'back',
] as const
export const kindOf = (name: (typeof kinds)[number]): number => kinds.indexOf(name)
