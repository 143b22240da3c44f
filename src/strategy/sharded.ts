// Sharding by receive-side scaling: a hash of chosen header fields picks the worker, an indirection table maps the
// hash to it, and each worker keeps the state of its own flows (paper §2.1).

import type { Strategy } from './strategy.js'

export const sharded: Strategy = {
  name: 'sharded',
  steered: true,
  ways: ['sharded'],
  contract:
    'equal to the serial run while no table evicts, refuses or outlasts its clock; otherwise each worker equals the serial run of its own packets',
  state: 'per-worker',
  prepare({ loops, words, contexts, workers }, slab, count, seq) {
    for (let w = 0; w < workers; w++) words[(slab.lists + w * slab.listBytes) >>> 2] = 0
    loops.steer!(contexts[0], slab.descriptors, count, seq, slab.lists, slab.listBytes)
  },
  work({ loops, words, contexts }, worker, slab, _count, seq) {
    const list = slab.lists + worker * slab.listBytes
    loops.listed!(contexts[worker], slab.descriptors, words[list >>> 2], seq, list + 4, slab.stamps)
  },
}
