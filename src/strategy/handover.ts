// The blocks of shared memory through which state changes hands in the stream of packets, and a worker's part in it.
//
// The sequencer asks at one slab's beginning, and a few slabs later puts the answers into the stream (engine/in-band.ts).
// In between, the packets concerned go to the worker that has their state, and the sequencer keeps their items. There is
// one request at a time. Everything is done by compiled code (transform/expand/handover.ts); the words below tell it what.

import { context } from '../backend/wasm/memory.js'
import { heavySlots, indirectionEntries } from './toeplitz.js'
import type { EngineSlab } from '../engine/memory.js'
import type { Stage } from './strategy.js'

/** State objects of a program whose state can change hands in the stream. */
export const mostObjects = 64

/**
 * Byte offsets in the block that the sequencer writes: items kept, how many there is room for, and whether there were more;
 * how many workers, a bit for each, where the first one's answer is and how far the next; the number of the last message; the clock
 * of each table; the
 * hashes of keys that become heavy and of those that become light, in the slots that the steering block has for them;
 * for each bucket that moves a bit for its new worker. Then the items: u64 sequence number, u32 a bit for each worker that
 * is to replay it, and the item.
 */
export const handoverLayout = {
  kept: 0,
  keptRoom: 4,
  keptOver: 8,
  workers: 12,
  allWorkers: 16,
  answers: 20,
  answerBytes: 24,
  request: 28,
  clocks: 64,
  pending: 64 + 4 * mostObjects,
  leaving: 64 + 4 * mostObjects + 4 * heavySlots,
  moving: 64 + 4 * mostObjects + 8 * heavySlots,
  records: 64 + 4 * mostObjects + 8 * heavySlots + 4 * indirectionEntries,
} as const
/** Offsets in a kept item, and its length for items of so many bytes. */
export const keptItem = { sequence: 0, mask: 8, item: 16 } as const
export const keptItemBytes = (itemBytes: number): number => keptItem.item + Math.ceil(itemBytes / 8) * 8

/**
 * Byte offsets in a worker's answer: what it is to do next, and at this slab; bytes of its records and how many there is room
 * for, and whether there were more; the worker's bit, and those of all others; how many entries it gave to one worker and
 * to all; the last message that it has acted on; of each object the entries it had and the records it wrote. Then
 * the records.
 */
export const answerLayout = {
  act: 0,
  acts: 4,
  used: 8,
  room: 12,
  over: 16,
  bit: 20,
  others: 24,
  moved: 28,
  copied: 32,
  passed: 36,
  counts: 64,
  written: 64 + 4 * mostObjects,
  records: 64 + 8 * mostObjects,
} as const
/** Offsets in a record: the object's number, who is to have it, its bytes with this head, an array's index, the entry. */
export const recordLayout = { object: 0, mask: 4, bytes: 8, index: 12, entry: 16 } as const

/** What a worker does about its state, as bits, in this order: at one slab the first two, at a later one the others. */
export const act = {
  /** Deletes the entries of keys that are light again and another worker's. */
  dropLight: 1,
  /** Writes down what it is asked for; without `scan` only how full its tables are. */
  answer: 2,
  scan: 4,
  /** Deletes the entries of buckets that have become another worker's. */
  dropMoved: 8,
  /** Takes in what others wrote down for it, and replays what was kept for it. */
  takeIn: 16,
  /** Takes the flush of heavy items, where frames may be lost. */
  flush: 32,
} as const

/** Offset in a slab's header: u32, a bit for each worker that is told at its beginning of state that changes hands. */
export const slabHandover = 16

/** A worker's part at the beginning of a slab. A message that it has acted on before is none. */
export function takePart(stage: Stage, worker: number, slab: EngineSlab): void {
  const { loops, words, contexts, history } = stage
  if (((words[(slab.header + slabHandover) >>> 2] >>> worker) & 1) === 0) return
  const at = contexts[worker]
  const answer = words[(at + context.answer) >>> 2]
  const request = words[(words[(at + context.handover) >>> 2] + handoverLayout.request) >>> 2]
  if (words[(answer + answerLayout.passed) >>> 2] === request) return
  words[(answer + answerLayout.passed) >>> 2] = request
  const acts = words[(answer + answerLayout.acts) >>> 2]
  if (acts & act.flush) loops.dealt!(at, history!.flushFrame, 1, 0n, 0, at + context.worker)
  const { dropLight, answer: answers, scan, dropMoved, takeIn } = act
  for (const step of [dropLight, answers | (acts & scan), dropMoved]) {
    if ((acts & step & ~scan) === 0) continue
    words[(answer + answerLayout.act) >>> 2] = step
    loops.handOut!(at, 0, 0, 0n)
  }
  if (acts & takeIn) loops.takeIn!(at, 0, words[words[(at + context.handover) >>> 2] >>> 2], 0n)
}
