// Where everything of a run stands in the shared memory. Pure: numbers in, numbers out.
//
// One WebAssembly memory of fixed size holds the control words, each worker's context, settings, counters and state,
// the rules, and a ring of slabs. Nothing is ever moved and the memory never grows. Read plan.ts first.

import { logBytes } from '../backend/wasm/log.js'
import { contextBytes, lockBytes } from '../backend/wasm/memory.js'
import { readerWorkspaceBytes } from '../device/control.js'
import { carveSlab, slabBytes } from '../device/slab.js'
import type { Slab } from '../device/slab.js'
import { writerWorkspaceBytes } from '../device/writer.js'
import { answerLayout } from '../strategy/handover.js'
import { steeringLayout } from '../strategy/toeplitz.js'

const pageBytes = 65_536
/** WebAssembly's limit: 65,536 pages, less the last byte's page so that every address plus width fits 32 bits. */
const maximumPages = 65_535

/** Int32 indices of the control words, from address `control`. Each worker has a cache line of its own. */
export const controlWord = { published: 0, stop: 1, failed: 2, clock: 3, done: 16, perWorker: 16 } as const

/** A slab with what the engine adds to a device's. Addresses. */
export interface EngineSlab extends Slab {
  /**
   * u32 packets, u32 1 if finishing times are sampled, u64 sequence number of the first packet, u32 not 0 if state changes
   * hands before it.
   */
  readonly header: number
  /** History items and effect bytes of the packets, for replication. */
  readonly items: number
  readonly effects: number
  /** Per worker: u32 length, then u32 packet indices, then room for an end; `listBytes` apart. For sharding. */
  readonly lists: number
  readonly listBytes: number
  /** Per packet: its commit number (u32) or the evidence for one, `commitBytes` apart; 0 unless a shared run is checking. */
  readonly commits: number
  readonly commitBytes: number
  /** Per packet u32: its number in the order of finishing, over all workers; 0 in a slab that is not sampled. */
  readonly stamps: number
  /** For history by value: the frames, and per packet u32 the address the device gave it. */
  readonly frames: number
  readonly origins: number
}

export interface MemoryMap {
  readonly pages: number
  readonly control: number
  /** Per worker. */
  readonly contexts: readonly number[]
  readonly settings: number
  readonly counters: readonly number[]
  readonly rules: number
  /** What steering reads; 0 unless a hash picks the worker. */
  readonly steering: number
  readonly state: readonly number[]
  /** Bytes a capture reader keeps for itself, per source. */
  readonly workspaces: readonly number[]
  /** Bytes a capture writer keeps for itself, per sink. */
  readonly sinkWorkspaces: readonly number[]
  /** u64 words that the tally of verdicts goes to. */
  readonly tally: number
  /** Lock words of shared state. */
  readonly lock: number
  /** For history by value: the sequencer's ring, and a descriptor with room for one frame behind it. */
  readonly ring: number
  readonly flushFrame: number
  /** For loss recovery: worker 0's log; the others follow, each `logBytes` further. 0 without. */
  readonly logs: number
  /** Through which state changes hands in the stream: the sequencer's block, 0 without, and each worker's, equally far apart. */
  readonly handover: number
  readonly answers: readonly number[]
  readonly answerRoom: number
  readonly slabs: readonly EngineSlab[]
}

export interface MemoryNeeds {
  readonly workers: number
  readonly settings: number
  readonly counters: number
  readonly rulesBytes: number
  readonly stateBytes: number
  /** State blocks: one per worker, or one that all share. */
  readonly stateBlocks: number
  readonly sources: number
  readonly sinks: number
  readonly slabs: number
  readonly slabPackets: number
  readonly slabDataBytes: number
  /** Items, which may be empty, and effect bytes are needed. */
  readonly replicated: boolean
  readonly itemStride: number
  /** Lists of packets: one for each worker of a sharded run, and hybrid's of heavy packets behind them; else 0. */
  readonly lists: number
  /** Locks of shared state; bytes of evidence that each packet leaves. */
  readonly locks: boolean
  readonly commitBytes: number
  readonly stamps: boolean
  /** Bytes of a frame's header if history travels by value, else 0; and of the ring. */
  readonly frameHeader: number
  readonly ringBytes: number
  /** Entries of each worker's log for loss recovery; 0 without. */
  readonly logEntries: number
  /** For state that changes hands in the stream: bytes of the sequencer's block and of a worker's, a multiple of 64. */
  readonly handover?: { readonly common: number; readonly answer: number }
}

export const tallyBytes = 256

/** The map, or the sum that does not fit as a sentence. */
export function mapMemory(needs: MemoryNeeds): MemoryMap | { error: string } {
  // The first page stays free, so that a zero address is never valid.
  let next = pageBytes
  const parts: [string, number][] = []
  const take = (what: string, bytes: number): number => {
    const at = next
    const size = Math.ceil(bytes / 64) * 64
    next += size
    parts.push([what, size])
    return at
  }
  const each = (n: number, what: string, bytes: number): number[] =>
    Array.from({ length: n }, () => take(what, bytes))

  const control = take('control', 4 * (controlWord.done + controlWord.perWorker * needs.workers))
  const contexts = each(needs.workers, 'contexts', contextBytes)
  const settings = take('settings', 8 * needs.settings)
  const counters = each(needs.workers, 'counters', 8 * needs.counters)
  const rules = take('rules', needs.rulesBytes)
  const steering = take('steering', needs.lists ? steeringLayout.size : 0)
  const state = each(needs.stateBlocks, 'state', needs.stateBytes)
  const workspaces = each(needs.sources, 'readers', readerWorkspaceBytes)
  const sinkWorkspaces = each(needs.sinks, 'writers', writerWorkspaceBytes)
  const tally = take('tally', tallyBytes)
  const lock = take('locks', needs.locks ? lockBytes : 0)
  const listBytes = needs.lists ? 8 + 4 * needs.slabPackets : 0
  const ring = take('history', needs.ringBytes)
  const flushFrame = take('history', needs.frameHeader ? needs.frameHeader + 64 : 0)
  const oneLog = needs.logEntries ? logBytes(needs.logEntries, needs.itemStride) : 0
  const logs = take('logs', needs.workers * oneLog)
  const { handover: blocks } = needs
  const handover = blocks ? take('hand-overs', blocks.common) : 0
  const answers = blocks ? each(needs.workers, 'hand-overs', blocks.answer) : []
  // A frame begins at a multiple of 8.
  const framesBytes = needs.frameHeader
    ? needs.slabDataBytes + needs.slabPackets * (needs.frameHeader + 8)
    : 0
  const slabs = Array.from({ length: needs.slabs }, (): EngineSlab => {
    const header = take('slabs', 64)
    const bytes = slabBytes(needs.slabPackets, needs.slabDataBytes)
    const slab = carveSlab(take('slabs', bytes), needs.slabPackets, needs.slabDataBytes)
    const items = take('slabs', needs.itemStride * needs.slabPackets)
    const effects = take('slabs', needs.replicated ? needs.slabPackets : 0)
    const lists = take('slabs', listBytes * needs.lists)
    const commits = take('slabs', needs.commitBytes * needs.slabPackets)
    const frames = take('slabs', framesBytes)
    const origins = take('slabs', framesBytes ? 4 * needs.slabPackets : 0)
    const stamps = take('slabs', needs.stamps ? 4 * needs.slabPackets : 0)
    return {
      ...slab,
      header,
      items,
      effects,
      lists,
      listBytes,
      commits: needs.commitBytes ? commits : 0,
      commitBytes: needs.commitBytes,
      stamps: needs.stamps ? stamps : 0,
      frames,
      origins,
    }
  })
  const pages = Math.ceil(next / pageBytes) + 1
  if (pages <= maximumPages)
    return {
      pages,
      control,
      contexts,
      settings,
      counters,
      rules,
      steering: needs.lists ? steering : 0,
      state,
      workspaces,
      sinkWorkspaces,
      tally,
      lock,
      ring,
      flushFrame,
      logs: oneLog ? logs : 0,
      handover,
      answers,
      answerRoom: blocks ? blocks.answer - answerLayout.records : 0,
      slabs,
    }
  const sums = new Map<string, number>()
  for (const [what, bytes] of parts) sums.set(what, (sums.get(what) ?? 0) + bytes)
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  const sum = [...sums].filter(([, b]) => b > 0).map(([what, b]) => `${what} ${mib(b)}`)
  return {
    error:
      `${sum.join(' + ')} = ${mib(next)}, but one WebAssembly memory holds ${mib(maximumPages * pageBytes)}` +
      ` (state is kept ${needs.stateBlocks} times). Use fewer workers or a smaller table capacity.`,
  }
}
