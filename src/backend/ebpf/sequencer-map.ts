// What a sequencer in bytecode keeps: one map of words, workers, an item and the ring of items, and the names of the maps
// that it sprays through. Nothing else writes there while it runs. Read sequencer.ts first.

import type { FrameShape } from './frame.js'
import { perCpuType } from './map-types.js'
import type { MapDeclaration } from './maps.js'
import type { HistoryRing } from './ring.js'

/** The map of what a sequencer keeps. */
export const sequencerMap = '.sequencer'

/** Packets that get no number, by reason. */
export const sequencerCounters = [
  /** Dropped: the queue of the worker whose turn it is has no room. */
  'workerQueue',
  /** Dropped: there is no room for the history in front of the packet. */
  'headroom',
  /** Dropped: it came by another receive queue than the one this sequencer serves. */
  'otherQueue',
] as const
export type SequencerCounter = (typeof sequencerCounters)[number]

/** Byte offsets in the sequencer's map: u64 words, then what each worker has, an item, and the ring. */
export const kept = {
  /** The worker whose turn it is. */
  turn: 0,
  /** The slot of the oldest item. */
  index: 8,
  /** Effect bits by slot. */
  effects: 16,
  counters: 24,
  /** Hardware addresses of the outer header: destination, source. */
  outer: 48,
  workers: 64,
} as const
/** Of each worker: u64 the last number that may be given to a packet of its, u32 CPU, u32 which map. */
export const workerEntry = { limit: 0, cpu: 8, layer: 12, stride: 16 } as const
/** Workers of one sequencer. */
export const mostSequenced = 64

/** Where the item of the packet at hand is, and the ring of items. */
export interface RingPlaces {
  readonly item: number
  readonly ring: number
  readonly size: number
}

export function ringPlaces(workers: number, { slots, itemBytes }: FrameShape): RingPlaces {
  const lines = (n: number): number => Math.ceil(n / 64) * 64
  const item = lines(kept.workers + workers * workerEntry.stride)
  const ring = item + lines(itemBytes)
  return { item, ring, size: ring + lines(slots * itemBytes) }
}

export function sequencerDeclaration(workers: number, frame: FrameShape): MapDeclaration {
  const valueSize = ringPlaces(workers, frame).size
  const names = ['turn', 'index', 'effects', ...sequencerCounters]
  return {
    name: sequencerMap,
    valueSize,
    valueType: btf => perCpuType(btf, 'hairpin_sequencer', names, valueSize, 1),
  }
}

/** Names of the maps that a sequencer sprays through: one for as many workers as have a CPU each. */
export const sprayMap = (layer: number): string => `.spray${layer}`
/** The runtime's map of a worker, which says what it has handled. */
export const progressMap = (worker: number): string => `.worker${worker}`

export interface SequencerOptions {
  readonly frame: FrameShape
  readonly workers: number
  /** Maps to spray through. */
  readonly layers: number
  /** How many numbers a worker may be behind before packets are dropped for it. */
  readonly credit: number
  /** Which clock stamps packets; `given`: time, device and length are in the runtime's map already. */
  readonly clock: 'exact' | 'coarse' | 'given'
  /** The receive queue it serves; any if left out. */
  readonly queue?: number
  /** The run has begun already, at the time that the runtime's map says; else it begins with its first packet. */
  readonly hasBegun?: boolean
  /** Whether packets need a time: the program reads it, or it is recorded. */
  readonly timed?: boolean
  /** The same of the device they came by, and of their length. */
  readonly placed?: boolean
  readonly measured?: boolean
  /** Bytes of the ring that packets are recorded in; none if left out. */
  readonly record?: number
  /** Items go into a ring in memory that the workers have too, and frames have no slots. */
  readonly ring?: HistoryRing
  /** Instead of packets, it sends frames without one, which bring workers up to date. */
  readonly flush?: boolean
}
