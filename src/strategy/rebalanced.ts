// RSS++ (Barbette et al., CoNEXT 2019): sharding whose indirection table follows the load. At the end of an epoch buckets
// of flows move from busy workers to idle ones, with their state.
//
// The engine decides (engine/rebalance.ts); workers take their part at the beginning of a slab, where state changes hands in
// the stream of packets. None of it helps against a single heavy flow, which is one bucket.

import { takePart } from './handover.js'
import { sharded } from './sharded.js'
import type { Strategy } from './strategy.js'

export const rebalanced: Strategy = {
  ...sharded,
  name: 'rebalanced',
  rebalances: true,
  work(stage, worker, slab, count, seq) {
    takePart(stage, worker, slab)
    // In a slab that is only there for messages, the lists are still those of another.
    if (count > 0) sharded.work(stage, worker, slab, count, seq)
  },
  contract:
    'equal to the serial run while no table evicts, refuses or outlasts its clock; otherwise each worker equals the serial run of its own packets and of the state handed to it',
}
