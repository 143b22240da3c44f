// Sharding for the many, replication for the few: keys that carry much of the traffic live on every worker and are
// sprayed, with their history; all others are sharded, and cost no history at all.
//
// For programs that can be both sharded and replicated. Heavy keys are found by the sequencer (heavy.ts) and change their
// kind at the end of an epoch, when no packet is under way; light buckets are rebalanced then as in RSS++.
// docs/decisions/0244 says when this wins.

import { rebalanced } from './rebalanced.js'
import type { Strategy } from './strategy.js'

export const hybrid: Strategy = {
  ...rebalanced,
  name: 'hybrid',
  ways: ['sharded', 'replicated'],
  replicatesHeavy: true,
  contract:
    'equal to the serial run while no table evicts, refuses or outlasts its clock; otherwise each worker equals the serial run of its own packets, those of heavy keys and the state handed to it',
  prepare({ loops, words, contexts, workers }, slab, count, seq) {
    for (let w = 0; w < workers; w++) words[(slab.lists + w * slab.listBytes) >>> 2] = 0
    const { lists, listBytes, items, effects, descriptors } = slab
    loops.classify!(contexts[0], descriptors, count, seq, lists, listBytes, items, effects)
  },
  work({ loops, words, contexts }, worker, slab, _count, seq) {
    const list = slab.lists + worker * slab.listBytes
    const { descriptors, stamps, items, effects } = slab
    loops.mixed!(contexts[worker], descriptors, words[list >>> 2], seq, list + 4, stamps, items, effects)
  },
}
