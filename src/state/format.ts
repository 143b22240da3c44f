// The constants of the state layout: header words, bounds of the searches, multipliers of the hash.
//
// Every backend is written from these numbers and from docs/state.md, which says what they are for; change neither
// without the other. Where a number was measured, docs/decisions/0030-0039 say how. Read layout.ts next.

/** Entries in a bucket. */
export const slotsPerBucket = 4
/** Buckets the displacement search may queue: the two candidates and 30 more. */
export const searchLimit = 32
/** Buckets one sweep looks through for expired entries. */
export const sweepBuckets = 2
/** Buckets looked at for a victim when the key's own two are empty. */
export const evictionReach = 30
/** Ticks of a table's clock, counted back from 2^32, that mean "touched in the future" and never expired. */
export const clockSlack = 0x10000000
/** What pool.take gives when no number is free. */
export const noNumber = 0xffffffff
/** Multipliers of the hash. */
export const hashMultipliers = [0x9e3779b97f4a7c15n, 0xd6e8feb86659fd93n] as const

export const headerBytes = 64
/** Byte offsets of the header words of a table (u32; seed is u64). */
export const tableHeader = {
  version: 0,
  count: 4,
  sweep: 8,
  failures: 12,
  evictions: 16,
  expiries: 20,
  displacements: 24,
  bucketCount: 28,
  seed: 32,
  capacity: 40,
} as const
/** Byte offsets of the header words of a pool (u32). */
export const poolHeader = { head: 0, available: 4, size: 8, first: 12, exhausted: 16, rejected: 20 } as const
/** Byte offsets of the header words of a longest-prefix table (u32). */
export const lpmHeader = { nodeCount: 0, entryCount: 4, keyBytes: 8, nodesOffset: 12, capacity: 16 } as const
/** Byte offsets of the header words of a device table (u32). */
export const devicesHeader = { count: 0, capacity: 4 } as const

/** Scratch of the displacement search: `searchLimit` nodes of {u32 bucket, u32 link}; all zero between operations. */
export const scratchNodeBytes = 8
export const scratchBytes = searchLimit * scratchNodeBytes
/** Offset of the scratch in a table. */
export const scratchOffset = headerBytes

/** One node of a longest-prefix trie: 256 cells of u32. */
export const lpmNodeBytes = 1024
/** Set in a trie cell that points to another node; the other bits are the node's index. */
export const lpmChild = 0x80000000

/** The address space of one WebAssembly memory. */
export const addressSpace = 2 ** 32

/** n rounded up to a multiple of `to`. */
export const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to

/**
 * Buckets of a table. Up to 8 entries get two buckets, which every key may use whole. Others are filled to at most
 * 80 %, with 8 spare buckets so that small tables do not fail when nine keys share one pair of buckets.
 */
export const bucketCountFor = (capacity: number): number =>
  capacity <= 2 * slotsPerBucket ? 2 : Math.ceil((capacity * 5) / 16) + 8
