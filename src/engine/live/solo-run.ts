// A live run without workers of our own: the program stands on the interfaces, and the driver's CPUs run it. Strategy
// single, where packets come one after the other, or shared, where all CPUs have one state.

import { setTimeout } from 'node:timers/promises'
import { lockMap } from '../../backend/ebpf/locked.js'
import type { XdpMode } from '../../sys/link.js'
import type { Attachment } from '../../sys/xdp.js'
import { figuresOf } from '../kernel/figures.js'
import { load } from '../kernel/load.js'
import type { LoadOptions, Loadable, LoadedProgram } from '../kernel/load.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Dispatcher } from './dispatcher.js'
import { Held } from './held.js'
import { Places } from './places.js'
import type { OneQueue } from './places.js'
import { MappedMaps, stateOf } from './workers.js'

export interface SoloRunOptions extends LoadOptions {
  readonly interfaces: readonly string[]
  readonly mode: XdpMode
  /** A card's table that has all packets come by queue 0, of one interface; those that come by another are dropped. */
  readonly table?: OneQueue
}

export class SoloRun implements LiveRun {
  readonly #artifact: Loadable['artifact']
  readonly #loaded: LoadedProgram
  readonly #maps: MappedMaps
  readonly #places: Places
  readonly #dispatcher: Dispatcher | undefined
  readonly #held = new Held()

  /** Loads and attaches, to all interfaces or to none. Throws what loading and attaching throw. */
  constructor(subject: Loadable, options: SoloRunOptions) {
    this.#artifact = subject.artifact
    const { keep } = this.#held
    try {
      const { interfaces, mode, table } = options
      this.#loaded = keep(load(subject, { ...options, isPart: table !== undefined }))
      const names = [...this.#loaded.maps.keys()].filter(name => name !== lockMap)
      this.#maps = keep(new MappedMaps(this.#loaded.maps, names))
      const { program, description } = this.#loaded
      // Until the table is in effect, and while it is not, packets come by other queues, on other CPUs.
      this.#dispatcher = table && keep(new Dispatcher([program], description))
      this.#places = keep(new Places(this.#dispatcher?.program ?? program, interfaces, mode, table))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  figures(): LiveFigures {
    const { start, cpus } = this.#loaded.description
    const names = this.#artifact.counters.map(c => c.name)
    const { packets, verdicts, counters, byCpu } = figuresOf(name => this.#maps.bytes(name), names, cpus)
    return {
      verdicts,
      counters,
      sequenced: packets,
      start,
      drivers: this.#places.counted(),
      sequencerDrops: this.#dispatcher?.drops ?? new Map(),
      sprayed: [],
      workers: byCpu.flatMap((n, cpu) =>
        n > 0n ? [{ cpu, packets: n, frames: new Map(), handled: n }] : [],
      ),
    }
  }

  tend(): void {}

  state(): Uint8Array {
    return stateOf(this.#maps, this.#artifact)
  }

  detach(): void {
    this.#places.detach()
  }

  /** A packet that a CPU is still at has its verdict in a moment. */
  async settle(): Promise<boolean> {
    await setTimeout(5)
    return true
  }

  close(): void {
    this.#held.close()
  }
}
