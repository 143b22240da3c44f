// A worker thread: takes slabs in order until told to stop. Read crew.ts first; this is its other side.
//
// It spins briefly when there is nothing to do and then sleeps on the published counter. A trap in compiled code or
// any other failure sets the failed word, so that nobody waits for this worker, and is reported with its text.

import { parentPort, workerData } from 'node:worker_threads'
import { strategyWith } from '../strategy/strategies.js'
import { controlWord } from './memory.js'
import type { MemoryMap } from './memory.js'
import { makeStage, runSlab } from './stage.js'
import type { StageParts } from './stage.js'

const spins = 2_000

function main({ map, worker, ...parts }: StageParts & { map: MemoryMap; worker: number }): void {
  const words = new Int32Array(parts.memory.buffer)
  const base = map.control >>> 2
  const published = base + controlWord.published
  const done = base + controlWord.done + controlWord.perWorker * worker
  let busy = 0
  try {
    const stage = makeStage(parts, map)
    const strategy = strategyWith(parts.strategy, parts)!
    // The word behind the done count says that this worker can begin.
    Atomics.store(words, done + 1, 1)
    Atomics.notify(words, done + 1)
    for (let k = 0; ; k++) {
      for (let spin = 0; Atomics.load(words, published) <= k; spin++) {
        if (Atomics.load(words, base + controlWord.stop) !== 0) {
          parentPort!.postMessage({ busy })
          return
        }
        if (spin >= spins) Atomics.wait(words, published, k, 100)
      }
      const slab = map.slabs[k % map.slabs.length]
      const started = performance.now()
      runSlab(stage, strategy, worker, slab, stage.words[slab.header >>> 2])
      busy += performance.now() - started
      Atomics.store(words, done, k + 1)
      Atomics.notify(words, done)
    }
  } catch (error) {
    Atomics.store(words, base + controlWord.failed, 1)
    parentPort!.postMessage({ failed: error instanceof Error ? error.message : String(error) })
    Atomics.notify(words, done)
  }
}

main(workerData as StageParts & { map: MemoryMap; worker: number })
