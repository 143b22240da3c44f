// A live run of strategy hybrid in the kernel: as rebalanced-run.ts, and buckets with much of the traffic are divided over all
// workers, each with a copy of the bucket's state, while all others stay with their owner and cost no history.
//
//   interface → dealer: hash → bucket → its owner, or whose turn it is → the CPU's queue → program on the bucket's slice or copy
//   interfaces, or several receive queues → funnel: one CPU's queue → dealer → …
//   every epoch, here: loads of buckets → who should have which → orders, which packets find
//
// The dealer takes one packet at a time, as the sequencer of replicated-run.ts does. Read that, heavy-control.ts and
// ../kernel/hybrid.ts first.

import { replayShare } from '../../analysis/cost.js'
import { bucketsMap } from '../../backend/ebpf/buckets-map.js'
import { placesMap } from '../../backend/ebpf/places-map.js'
import { slicesMap } from '../../backend/ebpf/slices.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import type { Attachment } from '../../sys/xdp.js'
import { dealerDropsOf } from '../kernel/buckets.js'
import { loadDealer, loadHeavyWorkers } from '../kernel/hybrid.js'
import type { Dividable } from '../kernel/hybrid.js'
import type { LoadedProgram } from '../kernel/load.js'
import { heavyFiguresOf, sliceOf } from '../kernel/places.js'
import type { HeavyMaps } from '../kernel/places.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Funnel } from './funnel.js'
import { HeavyControl } from './heavy-control.js'
import { Held } from './held.js'
import { Passages } from './passages.js'
import { Places } from './places.js'
import type { RebalancedRunOptions } from './rebalanced-run.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { Seat } from './spray.js'
import type { SteeredTable } from './table.js'
import { figuresOfWorkers, MappedMaps } from './workers.js'

export interface HybridRunOptions extends RebalancedRunOptions {
  /** The CPU of a queue before the dealer; left out, the dealer stands in the driver, and there must be one receive queue. */
  readonly funnelCpu?: number
  /** The card's table, where it has all packets come by one queue; put back when the run ends. */
  readonly table?: SteeredTable
}

export class HybridRun implements LiveRun {
  readonly seats: readonly Seat[]
  /** Parts of the state, instead of workers. */
  readonly parts: number = indirectionEntries
  /** The map of buckets, in memory (../kernel/buckets.ts). */
  readonly buckets: Uint8Array
  /** What says who has which bucket. */
  readonly control: HeavyControl
  readonly #artifact: Dividable['artifact']
  readonly #workers: readonly LoadedProgram[]
  readonly #memory: readonly MappedMaps[]
  readonly #maps: HeavyMaps
  readonly #passages: Passages
  readonly #places: Places
  readonly #held = new Held()
  #timer: NodeJS.Timeout | undefined

  /** Loads and attaches, to all interfaces or to none. The subject is compiled in slices. Throws what loading and attaching throw. */
  constructor(subject: Dividable, options: HybridRunOptions) {
    const { interfaces, workers, cpus, queueSize, mode, epoch, funnelCpu, table, balance } = options
    const { keep } = this.#held
    this.#artifact = subject.artifact
    try {
      this.seats = seatsOn(cpus, workers)
      this.#workers = loadHeavyWorkers(subject, this.seats, options).map(keep)
      const maps = sprayMaps(this.seats).map(keep)
      this.seats.forEach(({ cpu, layer }, w) => seat(maps[layer], cpu, queueSize, this.#workers[w].program))
      const isQueued = funnelCpu !== undefined
      const dealer = keep(loadDealer(subject, this.#workers, maps, { ...options, isQueued }))
      const funnel = isQueued ? keep(new Funnel(funnelCpu, dealer)) : undefined
      this.#passages = keep(new Passages(maps, funnel?.map))
      this.#memory = this.#workers.map(w => keep(new MappedMaps(w.maps)))
      const [buckets, places] = [bucketsMap, placesMap].map(name => this.#memory[0].bytes(name)!)
      this.buckets = buckets
      this.#maps = { buckets, places, workers }
      const replay = replayShare(subject.batch.slice!.advance, subject.kernel.main)
      this.control = new HeavyControl(this.#maps, { replay, ...(balance && { balance }) })
      this.#places = keep(new Places(funnel?.program ?? dealer.program, interfaces, mode, table))
    } catch (error) {
      this.close()
      throw error
    }
    if (epoch > 0) this.#timer = setInterval(() => this.control.endEpoch(), epoch)
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  figures(): LiveFigures {
    // Before workers: what a queue is rid of they have counted then.
    const passages = this.#passages.read()
    const cpus = this.seats.map(s => s.cpu)
    const { epochs, wishes } = this.control
    const together = figuresOfWorkers(this.#memory, cpus, this.#artifact)
    return {
      ...passages,
      ...together,
      // Numbers are those of buckets: the last one of a worker says nothing.
      workers: together.workers.map(({ cpu, packets, frames, handled }) => ({
        cpu,
        packets,
        frames,
        handled,
      })),
      sequenced: passages.sprayed.reduce((sum, p) => sum + p.enqueued, 0n),
      start: this.#workers[0].description.start,
      drivers: this.#places.counted(),
      sequencerDrops: dealerDropsOf(this.#maps.buckets),
      rebalancing: { epochs, wishes, ...heavyFiguresOf(this.#maps.buckets) },
    }
  }

  tend(): void {}

  /** The state of a bucket. */
  state(bucket: number): Uint8Array {
    const { size } = this.#artifact.stateLayout
    const at = sliceOf(this.#maps, bucket) * size
    return this.#memory[0].bytes(slicesMap)!.slice(at, at + size)
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
