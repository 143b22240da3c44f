// A live run of strategy sharded in the kernel: packets of interfaces are steered by a hash to the queues of CPUs, where
// each worker has the state of its own flows.
//
//   interfaces, any receive queue → hash → queues of CPUs → workers: drop, pass, transmit, redirect
//
// There is no sequencer, and so no limit of one: receive queues of all CPUs steer at the same time. Programs and maps live
// as long as this process; links die with it. Read spray.ts, passages.ts and ../kernel/sharded.ts first.

import type { Attachment } from '../../sys/xdp.js'
import type { LoadOptions, LoadedProgram } from '../kernel/load.js'
import { loadShards, loadSteering } from '../kernel/sharded.js'
import type { Shardable } from '../kernel/sharded.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Passages } from './passages.js'
import { Held } from './held.js'
import { Places } from './places.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { Seat } from './spray.js'
import { figuresOfWorkers, MappedMaps, stateOf } from './workers.js'

export interface ShardedRunOptions extends Pick<LoadOptions, 'settings' | 'rules' | 'seed'> {
  readonly interfaces: readonly string[]
  /** Workers, and the CPUs they run on in turn. */
  readonly workers: number
  readonly cpus: readonly number[]
  readonly queueSize: number
  readonly mode: 'native' | 'generic'
}

export class ShardedRun implements LiveRun {
  readonly seats: readonly Seat[]
  readonly #artifact: Shardable['artifact']
  readonly #shards: readonly LoadedProgram[]
  readonly #memory: readonly MappedMaps[]
  readonly #passages: Passages
  readonly #places: Places
  readonly #held = new Held()

  /** Loads and attaches, to all interfaces or to none. Throws what loading and attaching throw. */
  constructor(subject: Shardable, options: ShardedRunOptions) {
    const { interfaces, workers, cpus, queueSize, mode } = options
    const { keep } = this.#held
    this.#artifact = subject.artifact
    try {
      this.#shards = loadShards(subject, options).map(keep)
      this.seats = seatsOn(cpus, workers)
      const maps = sprayMaps(this.seats).map(keep)
      this.seats.forEach(({ cpu, layer }, w) => seat(maps[layer], cpu, queueSize, this.#shards[w].program))
      const steering = keep(loadSteering(subject, this.#shards, { seats: this.seats, maps }, options))
      this.#passages = keep(new Passages(maps))
      this.#memory = this.#shards.map(s => keep(new MappedMaps(s.maps)))
      this.#places = keep(new Places(steering.program, interfaces, mode))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  figures(): LiveFigures {
    // Before workers: what a queue is rid of they have counted then.
    const { sprayed } = this.#passages.read()
    const cpus = this.seats.map(s => s.cpu)
    return {
      ...figuresOfWorkers(this.#memory, cpus, this.#artifact),
      // What a queue had no room for is among what was put to it.
      sequenced: sprayed.reduce((sum, p) => sum + p.enqueued, 0n),
      start: this.#shards[0].description.start,
      drivers: this.#places.counted(),
      sequencerDrops: new Map(),
      sprayed,
    }
  }

  tend(): void {}

  state(worker: number): Uint8Array {
    return stateOf(this.#memory[worker], this.#artifact)
  }

  detach(): void {
    this.#places.detach()
  }

  /** After `detach`. */
  settle(): Promise<boolean> {
    return this.#passages.settle()
  }

  close(): void {
    this.#held.close()
  }
}
