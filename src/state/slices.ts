// State in slices: instead of one table for all keys, a small one for each bucket of flows.
//
// A bucket's state is then in one place, and whoever has the bucket has it: it changes hands without a byte being moved. A
// slice's table has room for what chance gives a bucket when the whole table is full; keys that crowd into one bucket, as
// those of a single sender may, fill their slice earlier, and evict or are refused there as in a full table.

import type { ReplicatedObject, StateObject } from './declaration.js'

/** Standard deviations above the mean that a slice has room for: one full table in many millions would need more. */
const spread = 8

/**
 * Entries of a slice's table, where `slices` tables stand in for one of `capacity`: the mean, eight standard deviations
 * of a Poisson variable, and eight; never more than `capacity`.
 */
export function sliceCapacity(capacity: number, slices: number): number {
  const mean = capacity / slices
  return Math.min(capacity, Math.ceil(mean + spread * Math.sqrt(mean) + spread))
}

/** The objects of one slice. Rules, which nobody writes, are as they were; arrays, which are by index, are whole in each. */
export const sliceOf = <T extends StateObject | ReplicatedObject>(
  objects: readonly T[],
  slices: number,
): T[] => objects.map(o => (o.kind === 'table' ? { ...o, capacity: sliceCapacity(o.capacity, slices) } : o))
