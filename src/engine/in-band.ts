// State that changes hands in the stream of packets: nobody stands still for it.
//
// At the beginning of a slab the sequencer asks the owners of some buckets or keys for their state. Later packets of theirs
// still go to the owners, and the sequencer keeps their items. `answerAfter` slabs later it has the answers, which stand
// in memory that all workers see, and puts them into the stream: at the beginning of that slab whoever is to have the state
// takes it in and replays the items kept for it, owners of buckets delete theirs, and packets go their new ways. A key that
// becomes light is deleted at the beginning of the slab where that is decided. The distance is counted in slabs, so a
// run can be repeated whatever the speed of its workers; slabs are short while answers are awaited.
// docs/decisions/0294 says why, strategy/handover.ts what stands where; the model is test/model/handover.ts.

import { context } from '../backend/wasm/memory.js'
import { clockAt } from '../state/block.js'
import type { StateLayout } from '../state/layout.js'
import {
  act,
  answerLayout,
  handoverLayout,
  keptItem,
  keptItemBytes,
  mostObjects,
} from '../strategy/handover.js'
import type { Stage } from '../strategy/strategy.js'
import { heavySlots, indirectionEntries } from '../strategy/toeplitz.js'
import type { Artifact } from './artifact.js'
import type { Change } from './handover.js'
import type { EngineSlab } from './memory.js'
import type { Plan } from './plan.js'

/** Slabs from a request to its answers' place in the stream: with so many in flight, the first of them is done by then. */
export const answerAfter = 4
/** Packets in a slab at most while answers are awaited; and an eighth of an epoch if that is fewer. */
const mostPackets = 512
/** An item of every packet between a request and its answers fits. */
const keptRoom = answerAfter * mostPackets
/** Bytes of a worker's answer: of its state a quarter, but so much at least and at most. */
const [leastAnswer, mostAnswer] = [4_096, 2 ** 24]

/** Bytes of the sequencer's block and of each worker's answer, a multiple of 64. */
export const handoverBytes = ({
  stateLayout,
  item,
}: Artifact): { readonly common: number; readonly answer: number } => ({
  common: handoverLayout.records + keptRoom * keptItemBytes(item!.itemBytes),
  answer:
    64 *
    Math.ceil(
      (answerLayout.records + Math.min(mostAnswer, Math.max(leastAnswer, stateLayout.size / 4))) / 64,
    ),
})

/** Writes what does not change during a run. */
export function prepareHandover(view: DataView, { map, workers }: Plan): void {
  const { handover, answers } = map
  if (handover === 0) return
  const all = 2 ** workers - 1
  const answerBytes = workers > 1 ? answers[1] - answers[0] : 0
  const put = (at: number, value: number): void => view.setUint32(at, value, true)
  put(handover + handoverLayout.keptRoom, keptRoom)
  put(handover + handoverLayout.workers, workers)
  put(handover + handoverLayout.allWorkers, all)
  put(handover + handoverLayout.answers, answers[0])
  put(handover + handoverLayout.answerBytes, answerBytes)
  answers.forEach((at, w) => {
    put(at + answerLayout.bit, 1 << w)
    put(at + answerLayout.others, all & ~(1 << w))
    put(at + answerLayout.room, map.answerRoom)
    put(map.contexts[w] + context.handover, handover)
    put(map.contexts[w] + context.answer, at)
  })
}

/** A packet whose item was kept, for the workers that have replayed it: the sequence number, and a bit for each worker. */
export interface Kept {
  readonly sequence: bigint
  readonly workers: number
}

/** The items that were kept before the answers that were put in last. */
export function keptItems(view: DataView, at: number, itemBytes: number): Kept[] {
  const count = view.getUint32(at + handoverLayout.kept, true)
  return Array.from({ length: count }, (_, k) => {
    const record = at + handoverLayout.records + k * keptItemBytes(itemBytes)
    return {
      sequence: view.getBigUint64(record + keptItem.sequence, true),
      workers: view.getUint32(record + keptItem.mask, true),
    }
  })
}

interface Asked {
  readonly slab: number
  readonly after: number
  readonly time: bigint
  readonly change: Change
}

/** What came of a request. */
export interface Settled extends Asked {
  /** Entries that move or are copied; undefined if the request was given up, and everything is as it was. */
  readonly entries: number | undefined
}

export class InBand {
  asked: Asked | undefined
  /** The last slab at which workers read the blocks: these may be used again when all have done it. */
  last = -1
  /** Whether every table had room for what it was to take in, when that was last seen. */
  room = true
  private readonly words: Uint32Array
  private readonly plan: Plan
  private readonly layout: StateLayout

  constructor(layout: StateLayout, plan: Plan, memory: WebAssembly.Memory) {
    this.layout = layout
    this.plan = plan
    this.words = new Uint32Array(memory.buffer)
  }

  /** How many packets a slab may have. */
  slabRoom(capacity: number, epochPackets = Infinity): number {
    if (!this.asked) return capacity
    return Math.min(capacity, Math.max(1, Math.min(mostPackets, Math.floor(epochPackets / 8))))
  }

  /** True if the answers come into the stream at slab `k`. */
  answersAt(k: number): boolean {
    return this.asked !== undefined && k >= this.asked.slab + answerAfter
  }

  /** Asks at the beginning of slab `k`, after so many packets, the last of them at `time` (ns). */
  ask(k: number, after: number, time: bigint, change: Change, owners: readonly number[]): void {
    const { map } = this.plan
    const { demoted, moves, promoted } = change
    this.asked = { slab: k, after, time, change }
    this.last = k
    this.word(map.handover + handoverLayout.kept, 0)
    this.word(map.handover + handoverLayout.keptOver, 0)
    this.newMessage()
    this.layout.objects.forEach((object, n) => {
      if (object.kind === 'table' && object.expire)
        this.word(map.handover + handoverLayout.clocks + 4 * n, clockAt(time, object.expire.unit))
    })
    const pending = this.column(handoverLayout.pending, heavySlots)
    const leaving = this.column(handoverLayout.leaving, heavySlots)
    for (const hash of promoted) pending[hash % heavySlots] = hash
    for (const hash of demoted) leaving[hash % heavySlots] = hash
    const moving = this.column(handoverLayout.moving, indirectionEntries)
    for (const { bucket, to } of moves) moving[bucket] = 1 << to
    const sources = new Set([...moves.map(m => m.from), ...promoted.map(h => owners[h % indirectionEntries])])
    map.answers.forEach((at, w) => {
      const scan = sources.has(w) ? act.scan : 0
      this.word(at + answerLayout.acts, act.answer | scan | (demoted.length ? act.dropLight : 0))
    })
  }

  /** Takes the answers, at the beginning of slab `k` and after so many packets; all workers have done the slab of the request. */
  settle(k: number, received: number): Settled {
    const { map, workers } = this.plan
    const asked = this.asked!
    this.asked = undefined
    const { moves, promoted } = asked.change
    const of = (at: number, offset: number): number => this.words[(at + offset) >>> 2]
    this.room = this.layout.objects.every((object, n) => {
      if (object.kind !== 'table') return true
      const sum = (part: number): number[] => map.answers.map(at => of(at, part + 4 * n))
      const written = sum(answerLayout.written).reduce((a, b) => a + b, 0)
      // A packet may have made an entry since.
      return Math.max(...sum(answerLayout.counts)) + written + (received - asked.after) <= object.capacity
    })
    const over =
      of(map.handover, handoverLayout.keptOver) !== 0 ||
      map.answers.some(at => of(at, answerLayout.over) !== 0)
    if (over || (promoted.length > 0 && !this.room)) return { ...asked, entries: undefined }
    const [from, to] = [new Set(moves.map(m => m.from)), new Set(moves.map(m => m.to))]
    let entries = 0
    map.answers.forEach((at, w) => {
      entries += of(at, answerLayout.moved) + (workers - 1) * of(at, answerLayout.copied)
      const takes = promoted.length > 0 || to.has(w)
      this.word(at + answerLayout.acts, (from.has(w) ? act.dropMoved : 0) | (takes ? act.takeIn : 0))
    })
    this.newMessage()
    this.last = k
    return { ...asked, entries }
  }

  /** Has all workers take the flush of heavy items, or nothing. */
  ready(flush: boolean): void {
    for (const at of this.plan.map.answers) this.word(at + answerLayout.acts, flush ? act.flush : 0)
  }

  /** Keeps the items of those packets of a slab whose state is about to change hands. */
  keep({ loops, contexts }: Stage, slab: EngineSlab, count: number, seq: bigint): void {
    if (this.asked) loops.keep!(contexts[0], slab.descriptors, count, seq)
  }

  private newMessage(): void {
    this.words[(this.plan.map.handover + handoverLayout.request) >>> 2]++
  }

  /** A column of the sequencer's block, emptied. */
  private column(offset: number, words: number): Uint32Array {
    const at = (this.plan.map.handover + offset) >>> 2
    return this.words.subarray(at, at + words).fill(0)
  }

  private word(at: number, value: number): void {
    this.words[at >>> 2] = value
  }
}

/** Whether a program's state can change hands in the stream at all: it takes items, and few enough objects. */
export const canHandOver = ({ handover, item, stateLayout }: Artifact): boolean =>
  handover === true && item !== undefined && stateLayout.objects.length <= mostObjects
