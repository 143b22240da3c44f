// What a strategy is to the engine: how the sequencer prepares a slab, and what a worker does with it.
//
// A strategy has no state of its own; everything is in the shared memory, so the same object serves threads and
// virtual workers. `prepare` runs once per slab on the sequencer, `work` once per slab and worker. Neither is called
// per packet, and neither allocates.

import type { Way } from '../backend/wasm/loops/loop.js'
import type { FrameLayout } from '../backend/wasm/loops/value.js'
import type { EngineSlab } from '../engine/memory.js'

/** What workers that share one state keep others out with: see src/analysis/sharing.ts, which finds what is safe. */
export type SharingForm = 'none' | 'atomics' | 'key-lock' | 'program-lock'

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
  listed?(ctx: number, desc: number, count: number, seq: bigint, list: number, stamps: number): void
  encapsulate?(
    ctx: number,
    desc: number,
    count: number,
    seq: bigint,
    items: number,
    effects: number,
    frames: number,
    origins: number,
    history: number,
  ): void
  valued?(ctx: number, desc: number, count: number, seq: bigint, stamps: number): void
  vote?(ctx: number, desc: number, count: number, seq: bigint, every: number): void
  classify?(
    ctx: number,
    desc: number,
    count: number,
    seq: bigint,
    lists: number,
    room: number,
    heavy: number,
    items: number,
    effects: number,
  ): void
  mixed?(
    ctx: number,
    desc: number,
    count: number,
    seq: bigint,
    list: number,
    heavy: number,
    stamps: number,
    items: number,
  ): void
  keep?(ctx: number, desc: number, count: number, seq: bigint): void
  handOut?(ctx: number, desc: number, count: number, seq: bigint): void
  takeIn?(ctx: number, desc: number, count: number, seq: bigint): void
  deal?(
    ctx: number,
    desc: number,
    count: number,
    seq: bigint,
    items: number,
    targets: number,
    frames: number,
    origins: number,
    history: number,
  ): void
  dealt?(ctx: number, desc: number, count: number, seq: bigint, stamps: number, targets: number): void
  recovered?(ctx: number, desc: number, count: number, seq: bigint, stamps: number): void
  restore?(ctx: number, desc: number, count: number, seq: bigint, origins: number): void
  tally(desc: number, count: number, into: number): void
}

/** The loop of a form of shared state, exported as `shared:FORM`. `commits` is 0 unless the run is checking. */
export type SharedLoop = (
  ctx: number,
  desc: number,
  count: number,
  seq: bigint,
  commits: number,
  lock: number,
  stamps: number,
) => void

/** What both sides see of the run. */
export interface Stage {
  readonly loops: Loops
  /** 32-bit words of the shared memory. */
  readonly words: Uint32Array
  readonly contexts: readonly number[]
  readonly workers: number
  /** Address of the lock words of shared state. */
  readonly lock: number
  /** For history by value: addresses of the sequencer's ring and of room for one frame, and the frames' layout. */
  readonly history:
    { readonly address: number; readonly flushFrame: number; readonly layout: FrameLayout } | undefined
}

export interface Strategy {
  readonly name: StrategyName
  /** How the history of a replicated run travels. */
  readonly history?: 'reference' | 'value'
  /** Frames may be lost on their way to the workers (docs/recovery.md). */
  readonly recovery?: boolean
  /** How a shared run keeps workers apart. */
  readonly sharing?: SharingForm
  /** A hash of header fields picks each packet's worker; the slab has a list for each. */
  readonly steered?: boolean
  /** Buckets of the hash change their worker while the run goes on. */
  readonly rebalances?: boolean
  /** Keys that carry much of the traffic live on every worker. */
  readonly replicatesHeavy?: boolean
  /** The loops it takes besides `single` and `tally`, as ways of running that a module can be made for. */
  readonly ways: readonly Way[]
  /** What `verify` proves. */
  readonly contract: string
  /** One state block per worker, or one for all. */
  readonly state: 'per-worker' | 'one'
  prepare(stage: Stage, slab: EngineSlab, count: number, seq: bigint): void
  work(stage: Stage, worker: number, slab: EngineSlab, count: number, seq: bigint): void
  /** On the sequencer, when all workers have done the slab and before anybody looks at its packets. */
  collect?(stage: Stage, slab: EngineSlab, count: number, seq: bigint): void
  /** On the sequencer, after the last slab: brings every worker to the end. `next` is the next sequence number. */
  flush?(stage: Stage, next: bigint): void
}

/** Aliases of the paper and of the field. */
export const aliases: Readonly<Record<string, StrategyName>> = {
  scr: 'replicated',
  rss: 'sharded',
  'rss++': 'rebalanced',
}
