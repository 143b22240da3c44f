// Hybrid over a transport that loses frames: heavy keys are recovered from the workers' logs, a light packet whose frame is
// lost has been nowhere.
//
// Every packet is a frame for one worker and carries the items of the heavy packets before it (backend/wasm/loops/deal.ts), so
// each worker processes its packets and items in the order of the serial run. State changes hands while no packet is on
// its way, by messages that are repeated (engine/messages.ts). Read docs/recovery.md and docs/decisions/0300.

import { ring } from '../backend/wasm/loops/value.js'
import { context } from '../backend/wasm/memory.js'
import { takePart } from './handover.js'
import { hybrid } from './hybrid.js'
import { makeFlushFrame } from './replicated-by-value.js'
import type { Stage, Strategy } from './strategy.js'
import { steeringLayout } from './toeplitz.js'

export const hybridWithRecovery: Strategy = {
  ...hybrid,
  history: 'value',
  recovery: true,
  ways: ['sharded', 'replicated-by-value'],
  contract:
    'equal to the serial run over the packets that survived while no table evicts, refuses or outlasts its clock; otherwise each worker equals the serial run of its own, those of heavy keys and the state handed to it',
  prepare({ loops, words, contexts, history }, slab, count, seq) {
    const { items, effects, frames, origins, descriptors } = slab
    const steering = words[(contexts[0] + context.steering) >>> 2]
    const every = Math.max(1, words[(steering + steeringLayout.voteEvery) >>> 2])
    // Before packets become frames.
    loops.vote!(contexts[0], descriptors, Math.ceil(count / every), seq, every)
    loops.deal!(contexts[0], descriptors, count, seq, items, effects, frames, origins, history!.address)
  },
  work(stage, worker, slab, count, seq) {
    takePart(stage, worker, slab)
    const { loops, contexts } = stage
    loops.dealt!(contexts[worker], slab.descriptors, count, seq, slab.stamps, slab.effects)
  },
  collect({ loops, contexts }, slab, count, seq) {
    loops.restore!(contexts[0], slab.descriptors, count, seq, slab.origins)
  },
  /** Twice: when every worker has the last frame in its log, nothing is undecided any more. */
  flush(stage) {
    const { loops, contexts } = stage
    const frame = makeHeavyFlush(stage)
    for (let round = 0; round < 2; round++)
      for (const at of contexts) loops.dealt!(at, frame, 1, 0n, 0, at + context.worker)
  },
}

/** The flush of heavy items, from the ring; answers the address of its descriptor. */
export function makeHeavyFlush(stage: Stage): number {
  const next = new DataView(stage.words.buffer).getBigUint64(stage.history!.address + ring.next, true)
  return makeFlushFrame(stage, next)
}
