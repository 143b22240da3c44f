// Sharding for the many, replication for the few: keys that carry much of the traffic live on every worker and are
// sprayed, with their history; all others are sharded, and cost no history at all.
//
// For programs that can be both sharded and replicated. Heavy keys are found by the sequencer, from a sample of the
// packets (heavy.ts), and change their kind after the end of an epoch, between two packets (engine/in-band.ts); light buckets
// are rebalanced then as in RSS++. While no key is heavy, workers run sharding's own loop, and where all packets are heavy
// replication's. docs/decisions/0290 and 0296 say when this wins.

import { endOfList } from '../backend/wasm/loops/hybrid.js'
import { context } from '../backend/wasm/memory.js'
import { takePart } from './handover.js'
import { rebalanced } from './rebalanced.js'
import type { Strategy } from './strategy.js'
import { steeringLayout } from './toeplitz.js'

export const hybrid: Strategy = {
  ...rebalanced,
  name: 'hybrid',
  ways: ['sharded', 'replicated'],
  replicatesHeavy: true,
  contract:
    'equal to the serial run while no table evicts, refuses or outlasts its clock; otherwise each worker equals the serial run of its own packets, those of heavy keys and the state handed to it',
  prepare({ loops, words, contexts, workers }, slab, count, seq) {
    const { lists, listBytes, items, effects, descriptors } = slab
    const wordOf = (list: number): number => (lists + list * listBytes) >>> 2
    const steering = words[(contexts[0] + context.steering) >>> 2]
    for (let list = 0; list <= workers; list++) words[wordOf(list)] = 0
    if (words[(steering + steeringLayout.heavyCount) >>> 2] === 0)
      loops.steer!(contexts[0], descriptors, count, seq, lists, listBytes)
    else {
      loops.classify!(
        contexts[0],
        descriptors,
        count,
        seq,
        lists,
        listBytes,
        lists + workers * listBytes,
        items,
        effects,
      )
      for (let list = 0; list <= workers; list++) {
        const at = wordOf(list)
        words[at + 1 + words[at]] = endOfList
      }
    }
    const every = Math.max(1, words[(steering + steeringLayout.voteEvery) >>> 2])
    const samples = Math.ceil(count / every)
    loops.vote!(contexts[0], descriptors, samples, seq, every)
  },
  work(stage, worker, slab, count, seq) {
    takePart(stage, worker, slab)
    const { loops, words, contexts, workers } = stage
    const list = slab.lists + worker * slab.listBytes
    const heavy = slab.lists + workers * slab.listBytes
    const [own, common] = [words[list >>> 2], words[heavy >>> 2]]
    const { descriptors, stamps, items, effects } = slab
    // All packets are heavy: they are dealt out in turn then, as replication does.
    if (common === count) loops.replicated!(contexts[worker], descriptors, count, seq, items, effects, stamps)
    else if (common === 0) loops.listed!(contexts[worker], descriptors, own, seq, list + 4, stamps)
    else loops.mixed!(contexts[worker], descriptors, own + common, seq, list + 4, heavy + 4, stamps, items)
  },
}
