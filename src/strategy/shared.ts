// One state for all workers, packets sprayed round-robin, every access in a critical section (paper §4.1).
//
// In checking builds each packet takes a commit number inside its critical section; verify compares the outcome with
// the serial run in that order, which is what linearizable means here.

import type { Strategy } from './strategy.js'

export const shared: Strategy = {
  name: 'shared',
  contract: 'linearizable: equal to the serial run in the order of the commit numbers',
  state: 'one',
  prepare() {},
  work({ loops, contexts, lock }, worker, slab, count, seq) {
    loops.shared!(contexts[worker], slab.descriptors, count, seq, slab.commits, lock, slab.stamps)
  },
}
