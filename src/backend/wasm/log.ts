// The logs of loss recovery (paper §3.4, Appendix B): what each worker received of the history, for the others to read.
//
// One log per worker, one writer, any number of readers, no lock. Entry k modulo the log's length says what became of
// sequence number k at this worker. A worker writes entries with plain stores and then publishes them all with one
// atomic store of its progress: the number up to which its log is complete. A reader copies an entry between two looks at the
// progress: below k the entry is not there yet; close to k + length its slot may be in the middle of being written
// again, and the copy does not count. docs/recovery.md says why that is enough.

/** Low two bits of an entry's tag: what became of this number at this worker. */
export const entryKind = {
  /** Its frames did not arrive here, nor did a later one that carries its item. */
  lost: 1,
  /** It arrived, and does not change the state. */
  nothing: 2,
  /** It arrived, and the item stands behind the tag. */
  item: 3,
} as const

/** Byte offsets in a log: u64 progress in a cache line of its own, then the entries, then room for one copy. */
export const log = { progress: 0, entries: 64 } as const
/** Byte offsets in an entry: u64 sequence number × 4 + kind, then the item. */
export const entry = { tag: 0, item: 8 } as const

/** Bytes of an entry, a multiple of 8. */
export const entryBytes = (itemBytes: number): number => entry.item + Math.ceil(itemBytes / 8) * 8

/** Bytes from one worker's log to the next. */
export const logBytes = (entries: number, itemBytes: number): number =>
  Math.ceil((log.entries + (entries + 1) * entryBytes(itemBytes)) / 64) * 64

/** Entries for missing numbers that a worker writes at most before it publishes. */
export const publishEvery = 256
/**
 * Entries behind a published progress that may be in the middle of being written: missing numbers, then the frame's
 * 255 items at most and the packet's own. So many at the far end of another worker's log are not read.
 */
export const unsettled = publishEvery + 256

/** The shortest log: as much to read as is kept from being read. The length of a log is a power of two. */
export const leastEntries = 2 * unsettled
