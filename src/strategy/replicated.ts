// State-Compute Replication (paper §3): every worker keeps a replica, processes every n-th packet, and fast-forwards
// through the items of all others.
//
// Here the history travels by reference: the sequencer writes one item per packet into the slab, which all workers
// read. A worker that ends a slab has replayed every item in it, so that replicas are equal after each slab and the
// flush at the end of a run is implied.

import type { Strategy } from './strategy.js'

export const replicated: Strategy = {
  name: 'replicated',
  ways: ['replicated'],
  contract: 'equal to the serial run, verdicts and state, on every replica',
  state: 'per-worker',
  prepare({ loops, contexts }, slab, count, seq) {
    loops.extract!(contexts[0], slab.descriptors, count, seq, slab.items, slab.effects)
  },
  work({ loops, contexts }, worker, slab, count, seq) {
    loops.replicated!(contexts[worker], slab.descriptors, count, seq, slab.items, slab.effects, slab.stamps)
  },
}
