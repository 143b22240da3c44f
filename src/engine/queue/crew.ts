// Workers over AF_XDP sockets, each a thread of its own. The rest of the process only tells them what to open and close.

import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { compiledRings } from '../../backend/wasm/rings/module.js'
import type { StageParts } from '../stage.js'
import { controlBytes } from './layout.js'
import { assignPool } from './pool.js'
import type { LivePlan } from './program.js'
import type { WorkerSocket } from './turn.js'
import { workerWord } from './worker-words.js'
import type { Message } from './worker-words.js'

interface Member {
  readonly thread: Worker
  readonly mail: MessagePort
  readonly words: Int32Array
  readonly ended: Promise<void>
}

/** Milliseconds within which a worker answers, unless it hangs. */
const patience = 15_000

export class QueueCrew {
  readonly #members: Member[] = []
  readonly #live: LivePlan
  readonly #view: DataView
  #failure: Error | undefined

  /** `cpus[w]` is where worker w runs; anywhere if undefined. */
  constructor(parts: StageParts, live: LivePlan, cpus: readonly (number | undefined)[], origin: bigint) {
    this.#live = live
    this.#view = new DataView(parts.memory.buffer)
    const { layout, plan, sequence } = live
    const rings = compiledRings()
    for (let worker = 0; worker < layout.workers; worker++) {
      const { port1, port2 } = new MessageChannel()
      const thread = new Worker(new URL('./worker.js', import.meta.url), {
        workerData: {
          parts, rings, map: plan.map, layout, worker, sequence, cpu: cpus[worker], origin, mail: port2,
        },
        transferList: [port2],
      }) // prettier-ignore
      const fail = (reason: string): void => {
        this.#failure ??= new Error(`worker ${worker} crashed: ${reason}`)
      }
      thread.on('message', (message: { failed: string }) => fail(message.failed))
      thread.on('error', error => fail(error.message))
      this.#members.push({
        thread,
        mail: port1,
        words: new Int32Array(parts.memory.buffer, layout.control + controlBytes * (worker + 1), 16),
        ended: new Promise(resolve => thread.on('exit', () => resolve())),
      })
    }
  }

  /** Why a worker ended by itself; undefined if none did. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Turns of each worker so far: one that stands still hangs. */
  turns(): number[] {
    return this.#members.map(({ words }) => Atomics.load(words, workerWord.turns) >>> 0)
  }

  /** Calls to wake the kernel that failed, over all workers. */
  failures(): number {
    return this.#members.reduce((sum, { words }) => sum + words[workerWord.failures], 0)
  }

  /** Gives a worker a socket; resolves when it looks at it. */
  open(worker: number, socket: WorkerSocket): Promise<void> {
    assignPool(this.#view, this.#live.layout, worker, socket.k)
    return this.#tell(worker, { open: socket })
  }

  /** Takes all sockets of a pool away from a worker; resolves when it no longer touches them. */
  close(worker: number, k: number): Promise<void> {
    return this.#tell(worker, { close: k })
  }

  /** Has a worker pause between its turns, as one with a slow program: for tests. */
  slow(worker: number, milliseconds: number): Promise<void> {
    return this.#tell(worker, { slow: milliseconds })
  }

  async #tell(worker: number, message: Message): Promise<void> {
    const { mail, words } = this.#members[worker]
    mail.postMessage(message)
    const wanted = Atomics.add(words, workerWord.sent, 1) + 1
    for (const end = performance.now() + patience; Atomics.load(words, workerWord.done) < wanted;) {
      if (this.#failure) throw this.#failure
      if (performance.now() > end) throw new Error(`worker ${worker} does not answer`)
      await new Promise(resolve => setTimeout(resolve, 1))
    }
    // A worker that crashed says so in a message, which may be on its way.
    if (words[workerWord.stopped] && !('stop' in message))
      await new Promise(resolve => setTimeout(resolve, 50))
    if (this.#failure) throw this.#failure
  }

  /** Ends all workers. Never throws; a worker that hangs is terminated. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#members.map(async ({ thread, mail, ended }, worker) => {
        await this.#tell(worker, { stop: true }).catch(() => thread.terminate())
        mail.close()
        await ended
      }),
    )
  }
}
