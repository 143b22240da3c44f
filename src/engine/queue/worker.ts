// A worker thread over AF_XDP sockets. Read crew.ts first; this is its other side.
//
// It handles batches as long as there are packets, spins briefly when there are none, and then sleeps until a socket has
// something, at most `longestSleep`. Between two turns it looks at one word, by which it is told that there is a message.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { ringLoops } from '../../backend/wasm/rings/module.js'
import { pinThread } from '../../sys/cpus.js'
import { PollSet } from '../../sys/poll.js'
import type { MemoryMap } from '../memory.js'
import type { StageParts } from '../stage.js'
import { controlBytes } from './layout.js'
import type { QueueLayout } from './layout.js'
import { Patience } from './patience.js'
import { batchRunner } from './program.js'
import { Turn } from './turn.js'
import { workerWord } from './worker-words.js'
import type { Message } from './worker-words.js'

export interface WorkerStart {
  readonly parts: StageParts
  readonly rings: WebAssembly.Module
  readonly map: MemoryMap
  readonly layout: QueueLayout
  readonly worker: number
  readonly sequence: number
  /** CPU to run on; anywhere if left out. */
  readonly cpu?: number
  /** Time of the run's start, ns of the monotonic clock. */
  readonly origin: bigint
  readonly mail: MessagePort
}

/** Milliseconds of a sleep. */
const longestSleep = 20

function main(start: WorkerStart): void {
  const { parts, layout, worker, cpu, origin, mail } = start
  const words = new Int32Array(parts.memory.buffer, layout.control + controlBytes * (worker + 1), 16)
  try {
    if (cpu !== undefined) pinThread([cpu])
    const run = batchRunner(parts, start.map, worker, start.sequence, layout.descriptors[worker])
    const turn = new Turn(parts.memory, ringLoops(parts.memory, start.rings), layout, worker, run)
    let polls = new PollSet([])
    let slow = 0
    const patience = new Patience(performance.now())
    for (;;) {
      if (Atomics.load(words, workerWord.sent) !== Atomics.load(words, workerWord.done)) {
        const message = (receiveMessageOnPort(mail)?.message ?? undefined) as Message | undefined
        if (message !== undefined) {
          if ('stop' in message) break
          if ('open' in message) turn.open(message.open)
          else if ('close' in message) turn.close(message.close)
          else slow = message.slow
          polls = new PollSet(turn.sockets.filter(s => s.receives).map(s => s.fd))
          Atomics.add(words, workerWord.done, 1)
          Atomics.notify(words, workerWord.done)
        }
      }
      const count = turn.turn(process.hrtime.bigint() - origin)
      Atomics.add(words, workerWord.turns, 1)
      if (slow > 0) Atomics.wait(words, 15, 0, slow)
      const time = performance.now()
      if (count > 0 || turn.busy) patience.found(count, time)
      else if (patience.isOver(time)) {
        words[workerWord.failures] = turn.failures
        polls.wait(longestSleep)
        patience.slept(performance.now())
      }
    }
    turn.turn(process.hrtime.bigint() - origin)
    Atomics.store(words, workerWord.stopped, 1)
    Atomics.add(words, workerWord.done, 1)
    Atomics.notify(words, workerWord.done)
  } catch (error) {
    Atomics.store(words, workerWord.stopped, 1)
    parentPort!.postMessage({ failed: error instanceof Error ? error.message : String(error) })
    Atomics.add(words, workerWord.done, 1)
    Atomics.notify(words, workerWord.done)
  }
}

main(workerData as WorkerStart)
