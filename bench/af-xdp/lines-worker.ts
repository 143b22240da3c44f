/** The thread that answers: each even number but the first with the next odd one. */

import { parentPort, workerData } from 'node:worker_threads'
import { pinThread } from '../../src/sys/cpus.js'
import { word } from './lines.js'

const { words, cpu, answers } = workerData as { words: Int32Array; cpu: number; answers: number }
pinThread([cpu])
parentPort!.postMessage('ready')
for (let asked = 0; ; asked++) {
  Atomics.wait(words, word.asked, asked)
  Atomics.store(words, word.ball, 1)
  for (let n = 1; n < answers; n++) {
    while (Atomics.load(words, word.ball) !== 2 * n);
    Atomics.store(words, word.ball, 2 * n + 1)
  }
}
