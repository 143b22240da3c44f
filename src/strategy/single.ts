// One worker, every packet in order: the serial run.

import type { Strategy } from './strategy.js'

export const single: Strategy = {
  name: 'single',
  ways: [],
  contract: 'equal to the serial run, verdicts and state',
  state: 'per-worker',
  prepare() {},
  work({ loops, contexts }, worker, slab, count, seq) {
    loops.single(contexts[worker], slab.descriptors, count, seq)
  },
}
