// What a worker thread over AF_XDP sockets and its crew tell each other: words in shared memory, and messages.

import type { WorkerSocket } from './turn.js'

/** Words of a worker's control line: messages sent, messages done, and turns, by which one that hangs is seen. */
export const workerWord = { sent: 0, done: 1, turns: 2, stopped: 3, failures: 4 } as const

export type Message =
  | { readonly open: WorkerSocket }
  | { readonly close: number }
  | { readonly stop: true }
  /** Sleeps that long between two turns, as a worker does whose program is slow: for tests. */
  | { readonly slow: number }
