// What a strategy is to the engine: how the sequencer prepares a slab, and what a worker does with it.
//
// A strategy has no state of its own; everything is in the shared memory, so the same object serves threads and
// virtual workers. `prepare` runs once per slab on the sequencer, `work` once per slab and worker. Neither is called
// per packet, and neither allocates.

import type { EngineSlab } from '../engine/memory.js'

export type StrategyName = 'single' | 'replicated' | 'sharded' | 'rebalanced' | 'shared' | 'hybrid'

/** The loops of a compiled module (src/backend/wasm/batch.ts). Sequence numbers are u64. */
export interface Loops {
  single(ctx: number, desc: number, count: number, seq: bigint): void
  extract?(ctx: number, desc: number, count: number, seq: bigint, items: number, effects: number): void
  replicated?(
    ctx: number,
    desc: number,
    count: number,
    seq: bigint,
    items: number,
    effects: number,
    stamps: number,
  ): void
  steer?(ctx: number, desc: number, count: number, seq: bigint, lists: number, room: number): void
  listed(ctx: number, desc: number, count: number, seq: bigint, list: number, stamps: number): void
  shared?(
    ctx: number,
    desc: number,
    count: number,
    seq: bigint,
    commits: number,
    lock: number,
    stamps: number,
  ): void
  tally(desc: number, count: number, into: number): void
}

/** What both sides see of the run. */
export interface Stage {
  readonly loops: Loops
  /** 32-bit words of the shared memory. */
  readonly words: Uint32Array
  readonly contexts: readonly number[]
  readonly workers: number
  /** Address of the lock words of shared state. */
  readonly lock: number
}

export interface Strategy {
  readonly name: StrategyName
  /** What `verify` proves. */
  readonly contract: string
  /** One state block per worker, or one for all. */
  readonly state: 'per-worker' | 'one'
  prepare(stage: Stage, slab: EngineSlab, count: number, seq: bigint): void
  work(stage: Stage, worker: number, slab: EngineSlab, count: number, seq: bigint): void
}

/** Aliases of the paper and of the field. */
export const aliases: Readonly<Record<string, StrategyName>> = {
  scr: 'replicated',
  rss: 'sharded',
  'rss++': 'rebalanced',
}
