// A live run of strategy rebalanced in the kernel: as sharded-run.ts, but buckets of flows go from busy workers to idle ones.
//
//   interfaces, any receive queue → hash → bucket → the worker that has it → its CPU's queue → program on the bucket's slice
//   every epoch, here: loads of buckets → who should have which → wishes, which packets find and grant
//
// Nothing waits and no state is copied: a slice is in the memory of all workers, and goes with its bucket when no packet of it
// is under way. Read sharded-run.ts, bucket-control.ts and ../kernel/rebalanced.ts first.

import { bucketsMap } from '../../backend/ebpf/buckets-map.js'
import { slicesMap } from '../../backend/ebpf/slices.js'
import type { BalanceOptions } from '../../strategy/balance.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import type { Attachment } from '../../sys/xdp.js'
import { bucketDropsOf, rebalancingOf } from '../kernel/buckets.js'
import type { LoadedProgram } from '../kernel/load.js'
import { loadBucketWorkers, loadDirector } from '../kernel/rebalanced.js'
import type { Shardable } from '../kernel/sharded.js'
import { BucketControl } from './bucket-control.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Held } from './held.js'
import { Passages } from './passages.js'
import { Places } from './places.js'
import type { ShardedRunOptions } from './sharded-run.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { Seat } from './spray.js'
import { figuresOfWorkers, MappedMaps } from './workers.js'

export interface RebalancedRunOptions extends ShardedRunOptions {
  /** Milliseconds between two looks at the loads; 0: only `endEpoch` looks. */
  readonly epoch: number
  readonly balance?: BalanceOptions
}

export class RebalancedRun implements LiveRun {
  readonly seats: readonly Seat[]
  /** Parts of the state, instead of workers. */
  readonly parts: number = indirectionEntries
  /** The map of buckets, in memory (../kernel/buckets.ts). */
  readonly buckets: Uint8Array
  readonly #artifact: Shardable['artifact']
  readonly #workers: readonly LoadedProgram[]
  readonly #memory: readonly MappedMaps[]
  readonly #control: BucketControl
  readonly #passages: Passages
  readonly #places: Places
  readonly #held = new Held()
  #timer: NodeJS.Timeout | undefined

  /** Loads and attaches, to all interfaces or to none. The subject is compiled in slices. Throws what loading and attaching throw. */
  constructor(subject: Shardable, options: RebalancedRunOptions) {
    const { interfaces, workers, cpus, queueSize, mode, epoch } = options
    const { keep } = this.#held
    this.#artifact = subject.artifact
    try {
      this.seats = seatsOn(cpus, workers)
      this.#workers = loadBucketWorkers(subject, this.seats, options).map(keep)
      const maps = sprayMaps(this.seats).map(keep)
      this.seats.forEach(({ cpu, layer }, w) => seat(maps[layer], cpu, queueSize, this.#workers[w].program))
      const director = keep(loadDirector(subject, this.#workers, maps, options))
      this.#passages = keep(new Passages(maps))
      this.#memory = this.#workers.map(w => keep(new MappedMaps(w.maps)))
      this.buckets = this.#memory[0].bytes(bucketsMap)!
      this.#control = new BucketControl(this.buckets, options)
      this.#places = keep(new Places(director.program, interfaces, mode))
    } catch (error) {
      this.close()
      throw error
    }
    if (epoch > 0) this.#timer = setInterval(() => this.endEpoch(), epoch)
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  /** Looks at the loads since the last time, and wishes what should change. */
  endEpoch(): void {
    this.#control.endEpoch()
  }

  figures(): LiveFigures {
    // Before workers: what a queue is rid of they have counted then.
    const { sprayed } = this.#passages.read()
    const cpus = this.seats.map(s => s.cpu)
    const { epochs, wishes } = this.#control
    return {
      ...figuresOfWorkers(this.#memory, cpus, this.#artifact),
      sequenced: sprayed.reduce((sum, p) => sum + p.enqueued, 0n),
      start: this.#workers[0].description.start,
      drivers: this.#places.counted(),
      sequencerDrops: bucketDropsOf(this.buckets),
      sprayed,
      rebalancing: { epochs, wishes, ...rebalancingOf(this.buckets) },
    }
  }

  tend(): void {}

  /** The slice of a bucket. */
  state(bucket: number): Uint8Array {
    const { size } = this.#artifact.stateLayout
    const all = this.#memory[0].bytes(slicesMap) ?? new Uint8Array(0)
    return all.slice(bucket * size, (bucket + 1) * size)
  }

  detach(): void {
    clearInterval(this.#timer)
    this.#places.detach()
  }

  /** After `detach`. */
  settle(): Promise<boolean> {
    return this.#passages.settle()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#held.close()
  }
}
