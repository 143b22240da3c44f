/**
 * How long a cache line takes from one CPU to another: two threads that answer each other through one word.
 *
 * A virtual machine's CPUs are moved over the host's cores while it runs. On cores with a cache in common a line takes
 * some 75 ns by this measure (35 by the same in C), on others 175, and whatever two CPUs do together is faster or slower by that. So a benchmark of two CPUs
 * notes it beside each sample, and may leave out samples of times that it does not ask for.
 */

import { Worker } from 'node:worker_threads'
import { pinThread } from '../../src/sys/cpus.js'

/** Answers of one measurement: a millisecond near, five far. */
const answers = 10_000
/** Words of the shared buffer, on lines of their own: the one that goes to and fro, and the number of measurements asked for. */
export const word = { ball: 0, asked: 32 } as const

export interface Lines {
  /** Nanoseconds that a line takes one way, now. Keeps both CPUs busy for some milliseconds; the other thread must get its CPU. */
  measure(): number
  close(): Promise<void>
}

/** Pins the calling thread to `near` for good, and a thread that sleeps between two measurements to `far`. */
export async function openLines(near: number, far: number): Promise<Lines> {
  const words = new Int32Array(new SharedArrayBuffer(256))
  const worker = new Worker(new URL('./lines-worker.js', import.meta.url), {
    workerData: { words, cpu: far, answers },
  })
  // It must be on its own CPU before this thread waits for it on the other.
  await new Promise(resolve => worker.once('message', resolve))
  pinThread([near])
  return {
    measure() {
      Atomics.store(words, word.ball, 0)
      Atomics.add(words, word.asked, 1)
      Atomics.notify(words, word.asked)
      // The first answer comes when the thread is awake.
      while (Atomics.load(words, word.ball) !== 1);
      const began = process.hrtime.bigint()
      for (let n = 1; n < answers; n++) {
        Atomics.store(words, word.ball, 2 * n)
        while (Atomics.load(words, word.ball) !== 2 * n + 1);
      }
      return Number(process.hrtime.bigint() - began) / (2 * (answers - 1))
    },
    async close() {
      await worker.terminate()
    },
  }
}
