// The workers of a run: threads, or virtual ones on the calling thread. The same strategy code runs in both.
//
// The sequencer publishes slabs by number; slab k lies in ring place k modulo the ring's length. Workers take slabs
// in order and report the number they have done. One counter is written by one side only, so no lock is needed: the
// published count by the sequencer, each done count by its worker.

import { Worker } from 'node:worker_threads'
import type { Strategy } from '../strategy/strategy.js'
import { controlWord } from './memory.js'
import type { EngineSlab, MemoryMap } from './memory.js'
import { makeStage, runSlab } from './stage.js'
import type { StageParts } from './stage.js'

/** Times in milliseconds spent in compiled loops, per worker. */
export interface CrewReport {
  readonly busy: readonly number[]
}

/** What busy times are taken by. */
export interface BusyClock {
  /** Milliseconds from some moment on. */
  readonly now: () => number
  /** Milliseconds by which the time between two readings is longer than what was done in it. */
  readonly cost: number
}
/**
 * Told of each piece of work, of a slab or a part of one, by whom and how many milliseconds it took. Two runs of the same
 * plan on the same packets tell the same pieces in the same order. Threads tell nothing of theirs.
 */
export type Worked = (who: number | 'reader' | 'sequencer', milliseconds: number) => void

export const timeOfDay: BusyClock = { now: () => performance.now(), cost: 0 }

export interface Crew {
  /** Resolves when every worker can take slabs: a rate is measured from then on. */
  ready(): Promise<void>
  /** Slab `k` is ready. */
  publish(k: number): void
  /** Resolves when every worker has done slab `k`; rejects if a worker failed. */
  done(k: number): Promise<void>
  /** Waits for the workers to end; idempotent. */
  close(): Promise<CrewReport>
}

/** A failure of a worker, with what it said. */
export class WorkerFailure extends Error {
  readonly worker: number
  constructor(worker: number, reason: string) {
    super(
      `worker ${worker} crashed: ${reason}. The run was ended; no result is given because state is incomplete`,
    )
    this.worker = worker
  }
}

/** Milliseconds between two looks at whether a worker has died without a word. */
const lookEvery = 50
/** Looks at the done counters before sleeping. */
const spins = 2_000

export function threadCrew(parts: StageParts, map: MemoryMap): Crew {
  const words = new Int32Array(parts.memory.buffer)
  const base = map.control >>> 2
  const busy = map.contexts.map(() => 0)
  let failure: WorkerFailure | undefined
  const threads: Worker[] = []
  const ended = map.contexts.map((_, worker) => {
    const thread = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { ...parts, map, worker },
    })
    threads.push(thread)
    return new Promise<void>(resolve => {
      thread.on('message', (message: { busy?: number; failed?: string }) => {
        if (message.busy !== undefined) busy[worker] = message.busy
        if (message.failed !== undefined) failure ??= new WorkerFailure(worker, message.failed)
      })
      thread.on('error', error => {
        failure ??= new WorkerFailure(worker, error.message)
      })
      thread.on('exit', code => {
        if (code !== 0 && Atomics.load(words, base + controlWord.stop) === 0)
          failure ??= new WorkerFailure(worker, `its thread ended with code ${code}`)
        resolve()
      })
    })
  })
  const doneWord = (worker: number): number => base + controlWord.done + controlWord.perWorker * worker
  const events = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  /** Waits until a word of each worker is above `past`. */
  const allAbove = async (wordOf: (worker: number) => number, past: number): Promise<void> => {
    for (let worker = 0; worker < map.contexts.length; worker++) {
      for (let spin = 0; ; spin++) {
        const value = Atomics.load(words, wordOf(worker))
        if (value > past) break
        if (failure || Atomics.load(words, base + controlWord.failed) !== 0) {
          await events()
          await Promise.race([Promise.all(ended), new Promise(resolve => setTimeout(resolve, 500))])
          throw failure ?? new WorkerFailure(worker, 'it gave no reason')
        }
        if (spin < spins) continue
        Atomics.wait(words, wordOf(worker), value, lookEvery)
        await events()
      }
    }
  }
  return {
    ready: () => allAbove(worker => doneWord(worker) + 1, 0),
    publish(k) {
      Atomics.store(words, base + controlWord.published, k + 1)
      Atomics.notify(words, base + controlWord.published)
    },
    done: k => allAbove(doneWord, k),
    async close() {
      Atomics.store(words, base + controlWord.stop, 1)
      Atomics.notify(words, base + controlWord.published)
      // A worker that died may have held the lock that others sleep on: they would never see the stop.
      if (failure || Atomics.load(words, base + controlWord.failed) !== 0)
        await Promise.all(threads.map(t => t.terminate()))
      await Promise.all(ended)
      if (failure) throw failure
      return { busy }
    },
  }
}

/**
 * Workers that take turns on this thread, in an order drawn from the seed, a few packets at a time. Without a seed
 * each does a whole slab at once.
 */
export function virtualCrew(
  parts: StageParts,
  map: MemoryMap,
  strategy: Strategy,
  seed?: number,
  clock = timeOfDay,
  worked?: Worked,
): Crew {
  const stage = makeStage(parts, map)
  const busy = map.contexts.map(() => 0)
  let random = ((seed ?? 0) ^ 0x9e3779b9) >>> 0
  const draw = (below: number): number => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((random / 2 ** 32) * below)
  }
  return {
    publish(k) {
      const slab = map.slabs[k % map.slabs.length]
      const count = stage.words[slab.header >>> 2]
      const at = map.contexts.map(() => 0)
      const open = map.contexts.map((_, w) => w)
      while (open.length) {
        const pick = draw(open.length)
        const worker = open[pick]
        // A list of indices cannot be split; everything else may stop anywhere.
        const whole = seed === undefined || (strategy.steered === true && !strategy.recovery)
        const step = whole ? count : Math.min(count - at[worker], 1 + draw(64))
        const rest = part(slab, at[worker], parts.item?.itemBytes ?? 0)
        const started = clock.now()
        runSlab(stage, strategy, worker, rest, step, at[worker])
        const took = clock.now() - started - clock.cost
        busy[worker] += took
        worked?.(worker, took)
        at[worker] += step
        if (at[worker] >= count) open.splice(pick, 1)
      }
    },
    ready: () => Promise.resolve(),
    done: () => Promise.resolve(),
    close: () => Promise.resolve({ busy }),
  }
}

/** A slab from its packet `from` on. */
function part(slab: EngineSlab, from: number, itemStride: number): EngineSlab {
  return {
    ...slab,
    descriptors: slab.descriptors + 32 * from,
    items: slab.items + itemStride * from,
    effects: slab.effects + from,
    commits: slab.commits && slab.commits + slab.commitBytes * from,
    origins: slab.origins + 4 * from,
  }
}
