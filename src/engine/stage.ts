// A module instance over the shared memory, as the sequencer and each worker have one.

import { importedMemory } from '../backend/wasm/batch.js'
import type { FrameLayout } from '../backend/wasm/loops/value.js'
import type { Loops, SharingForm, Stage, Strategy, StrategyName } from '../strategy/strategy.js'
import type { EngineSlab, MemoryMap } from './memory.js'

/** What a thread needs to make its own instance; can be sent to a worker. */
export interface StageParts {
  readonly memory: WebAssembly.Memory
  readonly module: WebAssembly.Module
  readonly strategy: StrategyName
  readonly history?: 'reference' | 'value'
  readonly recovery?: boolean
  readonly sharing?: SharingForm
  readonly item?: FrameLayout
}

export function makeStage({ memory, module, item }: StageParts, map: MemoryMap): Stage {
  const instance = new WebAssembly.Instance(module, { env: { memory } })
  return {
    loops: instance.exports as unknown as Loops,
    words: new Uint32Array(memory.buffer),
    contexts: map.contexts,
    workers: map.contexts.length,
    lock: map.lock,
    history: item && { address: map.ring, flushFrame: map.flushFrame, layout: item },
  }
}

/** Runs a worker over a slab, or over a part of one that begins at packet `from`. */
export function runSlab(
  stage: Stage,
  strategy: Strategy,
  worker: number,
  slab: EngineSlab,
  count: number,
  from = 0,
): void {
  const at = slab.header >>> 2
  const seq = BigInt(stage.words[at + 2]) + (BigInt(stage.words[at + 3]) << 32n) + BigInt(from)
  const sampled = stage.words[at + 1] !== 0
  strategy.work(stage, worker, sampled ? slab : { ...slab, stamps: 0 }, count, seq)
}

/** The largest memory the module may be given. */
export const maximumPages = importedMemory.maximum
