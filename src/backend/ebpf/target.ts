// What compiled code stands in: its maps and what is where in them, and the choices of a build.
//
// Every state object is the value of an array map of its own with one element; all rule tables share one, because
// tries grow behind them; settings, counters and what the runtime keeps have one each. User space maps them into memory.

import type { Fib, KernelMap } from '../../state/kernel-map.js'

/** Where a state object is: in which map, at which byte of its value, and how many bytes from there may be used. */
export interface ObjectPlace {
  readonly map: string
  readonly offset: number
  readonly size: number
  /** Of a table, where its first entry is: an offset that was found is no less, one that was not is 0. */
  readonly entries?: number
}

/** Names of the maps that are no state object. */
export const mapNames = {
  rules: '.rules',
  settings: '.settings',
  counters: '.counters',
  runtime: '.runtime',
} as const

/** Byte offsets in the value of the runtime's map. */
export const runtime = {
  /** u64: always 0. The verifier does not know: what is combined with it has no known value. */
  zero: 0,
  /** u64: the number of packets so far; counted up when a packet begins, if the program asks for its number. */
  sequence: 8,
  /** u64: the seed of random(). */
  seed: 16,
  /** u64: the kernel's clock at the run's start, ns. */
  start: 24,
  /** With inputs from memory: u64 timestamp, u32 original length, u32 device. */
  timestamp: 32,
  originalLength: 40,
  device: 44,
  /** Where state is in slices: u32 the slice of the packet at hand; u32 which worker this is. */
  slice: 48,
  worker: 52,
} as const
export const runtimeBytes = 64

/** Bytes of one CPU's counters: whole cache lines. */
export const counterStride = (counters: number): number => Math.ceil((8 * counters) / 64) * 64

/**
 * Where a packet's time comes from. `exact`: the kernel's monotonic clock, read once by each packet that asks (about 27
 * ns a reading). `coarse`: the same clock as of the last timer tick (about 4 ns): behind by up to a tick, which is 1 to 10
 * ms by the kernel's HZ; Linux 5.11. `metadata`: the first 8 bytes of XDP metadata, u64 ns of the monotonic clock,
 * little-endian, as a sequencer in front may write them; the exact clock where there are none. All count from the run's
 * start; what is before it counts as 0.
 */
export const clocks = ['exact', 'coarse', 'metadata'] as const
export type Clock = (typeof clocks)[number]

export interface Target {
  readonly objects: ReadonlyMap<string, ObjectPlace>
  /** Rule tables that are maps of their own. */
  readonly tables: readonly KernelMap[]
  /** Rule tables that stand for routes of the kernel. */
  readonly fibs?: readonly Fib[]
  readonly settings: readonly string[]
  readonly counters: readonly string[]
  /** CPUs that have counters. */
  readonly cpus: number
  /**
   * Where timestamp, device and original length come from: the kernel; the runtime's map, for tests; or that map too,
   * but with the packet's number in place already, as the header of a frame gave them (frame.ts).
   */
  readonly inputs: 'kernel' | 'memory' | 'frame'
  /** With inputs from the kernel: which clock stamps packets; `exact` if absent. */
  readonly clock?: Clock
  /** Packets of all CPUs are in one state together (section.ts). */
  readonly section?: {
    /** With inputs from the kernel: packets have their times in their CPU's area. */
    readonly time: boolean
    /** Packets have their numbers there. */
    readonly numbers: boolean
    /** What additions find is kept, for tests. */
    readonly checking: boolean
    /** CPUs that have areas. */
    readonly cpus: number
  }
  readonly cpu: CpuLevel
  readonly loops: LoopForm
  /** The verifier is to know nothing of values where paths meet: fewer paths to walk, more instructions (umax.ts). */
  readonly forgets?: boolean
}

/** Instructions the machine has: v3 has 32-bit jumps and atomics, v4 signed division and sign extension. */
export type CpuLevel = 'v2' | 'v3' | 'v4'

/**
 * How a loop is shown to end: by `may_goto` (Linux 6.9), or by a count of its rounds, all of which the verifier follows.
 */
export type LoopForm = 'may_goto' | 'bounded'
