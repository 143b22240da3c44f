// Where compiled batch loops find things: the worker's context block and the packet descriptor.
//
// The engine writes a context per worker before it runs anything; compiled code only reads it, except the fields
// marked "worker". All fields are little-endian, addresses are absolute in the shared memory.

/** Byte offsets in a worker's context. */
export const context = {
  /** u32: address of the worker's state block. */
  state: 0,
  /** u32: address of the rules block, shared by all workers. */
  rules: 4,
  /** u32: address of the settings, one u64 each in declaration order. */
  settings: 8,
  /** u32: address of the worker's counters, one u64 each in declaration order. */
  counters: 12,
  /** u64: the run's seed, for keyed randomness. */
  seed: 16,
  /** u32: this worker's number, and how many there are. */
  worker: 24,
  workers: 28,
  /** u64, worker: by-value history only, the last sequence number replayed or processed. */
  last: 32,
  /** u64, worker: items fast-forwarded. */
  replayed: 40,
  /** u64, worker: packets that met a gap in the history; such a packet gets no verdict. */
  gaps: 48,
  /** u32: address of the steering block. */
  steering: 56,
  /** u32: address of the counter that numbers packets in the order they are finished, over all workers. */
  clock: 60,
  /** u64, worker: by-value history only, the last packet's timestamp. */
  time: 64,
  /** u32: loss recovery only, the address of worker 0's log, and the entries of a log less 1. */
  logs: 72,
  logMask: 76,
  /** u32: how often a worker looks again, for each packet, whether another has logged what it misses. */
  patience: 80,
  /** u32, worker: 1 once the worker has given up, because a log no longer has what it misses. */
  stopped: 84,
  /** u64, worker: the last sequence number in its log. */
  logged: 88,
  /** u64, worker: sequence numbers found missing, and of them those read in another log and those that nobody has. */
  missed: 96,
  recovered: 104,
  everywhere: 112,
  /** u64, worker: packets dropped while it was behind, after it gave up, and because their number had been before. */
  recovering: 120,
  unrecoverable: 128,
  late: 136,
  /** u32: 1 if all packets of a batch are the worker's own, instead of being dealt out in turn. Shared state only. */
  whole: 144,
  /** u32: addresses of the blocks through which state changes hands, the sequencer's and the worker's (strategy/handover.ts). */
  handover: 148,
  answer: 152,
} as const
export const contextBytes = 192

/** Byte offsets in a packet descriptor (src/device/slab.ts has the same table for devices). */
export const descriptor = {
  address: 0,
  length: 4,
  original: 8,
  device: 12,
  timestamp: 16,
  verdict: 24,
} as const
export const descriptorBytes = 32

/** Verdict words of packets that the program has not dropped itself (src/device/slab.ts has the same for devices). */
export const dropWord = { lost: 0x101, recovering: 0x201, unrecoverable: 0x301, late: 0x401 } as const
/**
 * Byte offsets in the lock area of shared state, each a cache line of its own. A lock word is 0 free, 1 held, 2 held and
 * somebody sleeps on it.
 */
export const locks = {
  /** The program lock; under the other forms, whoever wants to be alone holds it. */
  program: 0,
  /** u32: commit numbers given so far. */
  commits: 64,
  /** u32, always 0: to sleep on for a time. */
  never: 68,
  /** u32: 1 while a worker is alone or waits for the others to leave. */
  gate: 128,
  /** Per worker u32: 1 while it is inside a packet, or about to be. */
  inside: 192,
  insideBytes: 64,
  /** One word per stripe of keys. */
  stripes: 192 + 16 * 64,
  /** log2 of the number of stripes. */
  stripeBits: 10,
} as const
/** Bytes of the lock area. */
export const lockBytes = locks.stripes + 4 * 2 ** locks.stripeBits

/** What a packet leaves for verify in a checking run. Under atomics a record of this layout, otherwise a u32. */
export const evidence = {
  /** u32: commit numbers drawn before and after the packet; equal if it was alone. */
  begin: 0,
  end: 4,
  /** u32: address of the number added to, 0 if none was. */
  place: 8,
  /** u64: the number before the addition, and what was added. */
  before: 16,
  amount: 24,
} as const
export const evidenceBytes = 32
