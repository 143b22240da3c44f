// A compiled program beside the rings in one memory: where it stands, and how a worker runs it on a batch.
//
// The strategies are those of captures: `single` for one worker, `shared` for any number on one state.

import { context } from '../../backend/wasm/memory.js'
import { strategyWith } from '../../strategy/strategies.js'
import type { Strategy } from '../../strategy/strategy.js'
import type { Artifact } from '../artifact.js'
import type { EngineSlab } from '../memory.js'
import { plan } from '../plan.js'
import type { Plan, RunOptions } from '../plan.js'
import { prepareMemory } from '../run.js'
import { makeMemory } from '../make-memory.js'
import { makeStage } from '../stage.js'
import type { StageParts } from '../stage.js'
import { layoutQueues } from './layout.js'
import type { QueueLayout, QueueNeeds } from './layout.js'
import { prepareQueues } from './pool.js'
import type { RunBatch } from './turn.js'

export interface LivePlan {
  readonly plan: Plan
  readonly strategy: Strategy
  readonly layout: QueueLayout
  /** Byte offset of the u64 that counts packets, from which workers draw sequence numbers. */
  readonly sequence: number
}

/** Where program and rings will stand, or why that cannot be. */
export function planLive(
  artifact: Artifact,
  options: RunOptions,
  needs: Omit<QueueNeeds, 'from' | 'workers'>,
): LivePlan | { readonly error: string } {
  const planned = plan(artifact, { ...options, slabPackets: 1, slabDataBytes: 64 })
  if ('error' in planned) return planned
  const layout = layoutQueues({ ...needs, from: planned.map.pages * 65_536, workers: options.cores })
  if ('error' in layout) return layout
  return { plan: planned, strategy: options.strategy, layout, sequence: layout.control + 8 }
}

/** Makes the memory and writes the program's first state into it. */
export function makeLiveMemory(
  artifact: Artifact,
  { plan, layout, sequence }: LivePlan,
  rules?: Uint8Array,
): WebAssembly.Memory {
  const memory = makeMemory(layout.pages)
  const view = new DataView(memory.buffer)
  prepareMemory(artifact, plan, memory, rules)
  for (const at of plan.map.contexts) view.setUint32(at + context.whole, 1, true)
  prepareQueues(view, layout)
  view.setBigUint64(sequence, plan.firstSequence, true)
  return memory
}

/** What a worker needs for its instance; can be sent to a thread. */
export const livePartsOf = (
  artifact: Artifact,
  { strategy }: LivePlan,
  memory: WebAssembly.Memory,
): StageParts => ({
  memory,
  module: new WebAssembly.Module(artifact.wasm),
  strategy: strategy.name,
  ...(strategy.sharing && { sharing: strategy.sharing }),
})

/** Runs batches as this worker; sequence numbers are drawn a batch at a time. */
export function batchRunner(
  parts: StageParts,
  map: Plan['map'],
  worker: number,
  sequence: number,
  descriptors: number,
): RunBatch {
  const stage = makeStage(parts, map)
  const strategy = strategyWith(parts.strategy, parts)!
  const slab: EngineSlab = { ...map.slabs[0], descriptors, stamps: 0, commits: 0 }
  const numbers = new BigInt64Array(parts.memory.buffer, sequence, 1)
  return (at, count) => {
    const first = Atomics.add(numbers, 0, BigInt(count))
    strategy.work(stage, worker, at === descriptors ? slab : { ...slab, descriptors: at }, count, first)
  }
}
