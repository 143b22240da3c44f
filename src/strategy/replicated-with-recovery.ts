// Replication over a transport that loses frames: workers keep logs and read in each other's what they miss (paper §3.4).
//
// The state of every worker is that of the serial run over the packets that reached anybody. Read docs/recovery.md.

import { replicatedByValue, makeFlushFrame } from './replicated-by-value.js'
import type { Strategy } from './strategy.js'

export const replicatedWithRecovery: Strategy = {
  ...replicatedByValue,
  recovery: true,
  contract:
    'state of every replica equal to the serial run over the packets that survived, verdicts too where the packet arrived',
  work({ loops, contexts }, worker, slab, count, seq) {
    loops.recovered!(contexts[worker], slab.descriptors, count, seq, slab.stamps)
  },
  /** Twice: when every worker has the last frame in its log, nothing is undecided any more. */
  flush(stage, next) {
    const { loops, contexts } = stage
    const frame = makeFlushFrame(stage, next)
    for (let round = 0; round < 2; round++)
      contexts.forEach((context, worker) => loops.recovered!(context, frame, 1, BigInt(worker), 0))
  },
}
