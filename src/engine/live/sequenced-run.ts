// A live run behind a sequencer that is somewhere else, in a switch, a NIC or another Linux box (wire-run.ts): frames with
// history come by the interface, sprayed over its receive queues, and each queue has a worker.
//
// A dispatcher (dispatcher.ts) goes on in the worker of the queue that a packet came by.

import { setTimeout } from 'node:timers/promises'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import type { XdpMode } from '../../sys/link.js'
import type { Attachment } from '../../sys/xdp.js'
import { historyLayout, outerBytes } from '../../wire/history.js'
import type { KernelArtifact } from '../artifact.js'
import { idsOf } from '../kernel/description.js'
import type { Description } from '../kernel/description.js'
import type { LoadOptions } from '../kernel/load.js'
import { loadReplicated, logEntriesFor } from '../kernel/replicated.js'
import type { Replicable, ReplicatedProgram } from '../kernel/replicated.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Clocks } from './clocks.js'
import { Dispatcher } from './dispatcher.js'
import { Held } from './held.js'
import { Places } from './places.js'
import { figuresOfWorkers, MappedMaps, stateOf } from './workers.js'

export interface QueueRunOptions extends Pick<LoadOptions, 'settings' | 'rules' | 'seed'> {
  readonly interfaces: readonly string[]
  /** Receive queues from 0 on, and workers of them. */
  readonly workers: number
  /** Items in each frame, which is the sequencer's affair; one less than workers if left out. */
  readonly slots?: number
  readonly mode: XdpMode
  /** Recovery from frames that are lost on the wire (docs/recovery.md). */
  readonly recovery?: boolean
}

/** Frames that a receive queue is taken to hold, so far workers may be apart. */
const queueSize = 1024

export class SequencedRun implements LiveRun {
  readonly #artifact: KernelArtifact
  readonly #replicas: ReplicatedProgram
  readonly #recovers: boolean
  readonly #memory: readonly MappedMaps[]
  readonly #dispatcher: Dispatcher
  readonly #places: Places
  readonly #clocks: Clocks
  readonly #held = new Held()
  readonly #start = process.hrtime.bigint()

  /** Loads and attaches. Throws what loading and attaching throw. */
  constructor(subject: Replicable, options: QueueRunOptions) {
    const { keep } = this.#held
    this.#artifact = subject.artifact
    this.#recovers = options.recovery ?? false
    try {
      const logEntries = logEntriesFor(options.workers, queueSize)
      this.#replicas = keep(loadReplicated(subject, { ...options, logEntries, outer: true, isPart: true }))
      const { workers } = this.#replicas
      const programs = workers.map(w => w.program)
      this.#dispatcher = keep(new Dispatcher(programs, descriptionOf(this.#replicas)))
      this.#memory = workers.map(w => keep(new MappedMaps(w.maps)))
      const views = this.#memory.map(maps => maps.view(mapNames.runtime))
      this.#clocks = new Clocks(views, runtime.timestamp, process.hrtime.bigint())
      this.#places = keep(new Places(this.#dispatcher.program, options.interfaces, options.mode))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  figures(): LiveFigures {
    const queues = [...this.#memory.keys()]
    const together = figuresOfWorkers(this.#memory, queues, this.#artifact)
    return {
      ...together,
      sequenced: together.workers.reduce((last, w) => (w.last! > last ? w.last! : last), 0n),
      start: this.#start,
      drivers: this.#places.counted(),
      sequencerDrops: this.#dispatcher.drops,
      sprayed: [],
      frames: true,
    }
  }

  tend(): void {
    this.#clocks.look(process.hrtime.bigint())
  }

  state(worker: number): Uint8Array {
    return stateOf(this.#memory[worker], this.#artifact)
  }

  detach(): void {
    this.#places.detach()
  }

  async settle(): Promise<boolean> {
    await setTimeout(5)
    if (this.#recovers) this.#replicas.finish()
    return true
  }

  close(): void {
    this.#held.close()
  }
}

/** Of all workers together, for whoever looks. */
function descriptionOf({ workers, format }: ReplicatedProgram): Description {
  const headerBytes = outerBytes + historyLayout(format).packet
  return { ...workers[0].description, workers: workers.map(w => idsOf(w.maps)), headerBytes }
}
