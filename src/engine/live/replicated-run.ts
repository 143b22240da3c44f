// A live run of strategy replicated in the kernel: packets of interfaces go through one sequencer, whose frames are sprayed
// over workers on their CPUs.
//
//   interface → sequencer → queues of CPUs → workers: drop, pass, transmit, redirect
//   interfaces, or several receive queues → funnel: one CPU's queue → sequencer → …
//
// One receive queue of one interface is served where the driver hands its packets over: the kernel never does that on
// two CPUs at a time. Everything else is funnelled: each packet goes through the queue of one CPU first, and the sequencer is
// that queue's program, so that there is exactly one, whatever packets come by. Programs and maps live as long as this
// process; links die with it. Read spray.ts, passages.ts and ../kernel/sequencer.ts first.

import { mapNames, runtime } from '../../backend/ebpf/target.js'
import { interfaces } from '../../sys/interfaces.js'
import type { Attachment } from '../../sys/xdp.js'
import type { Replicable, ReplicatedProgram } from '../kernel/replicated.js'
import type { LoadedSequencer } from '../kernel/sequencer.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Funnel } from './funnel.js'
import { flushed, Group } from './group.js'
import type { GroupOptions } from './group.js'
import { Passages } from './passages.js'
import { Clocks } from './clocks.js'
import { Held } from './held.js'
import { Places } from './places.js'
import { defaultRing, Recording } from './recording.js'
import type { Seat } from './spray.js'
import type { SteeredTable } from './table.js'
import { until } from './until.js'
import { figuresOfWorkers } from './workers.js'

export interface ReplicatedRunOptions extends GroupOptions {
  readonly interfaces: readonly string[]
  /** The card's table, where it has all packets come by `queue`; put back when the run ends. */
  readonly table?: SteeredTable
  /** The CPU of the funnel. */
  readonly funnelCpu: number
  readonly mode: 'native' | 'generic'
  /** A pcapng file for all packets that get a number. */
  readonly record?: string
}

export class ReplicatedRun implements LiveRun {
  readonly #artifact: Replicable['artifact']
  readonly #group: Group
  readonly #places: Places
  readonly #clocks: Clocks
  readonly #passages: Passages
  readonly #held = new Held()
  readonly #recording: Recording | undefined

  /** Loads and attaches, to all interfaces or to none. Throws what loading and attaching throw. */
  constructor(subject: Replicable, options: ReplicatedRunOptions) {
    const { record, table, interfaces: names, queue, mode } = options
    const { keep } = this.#held
    this.#artifact = subject.artifact
    try {
      const group = keep(new Group(subject, options, record === undefined ? {} : { record: defaultRing }))
      this.#group = group
      const { packets } = group.sequencer
      const funnel = queue === undefined ? keep(new Funnel(options.funnelCpu, packets)) : undefined
      this.#passages = keep(new Passages(group.maps, funnel?.map))
      this.#recording = record === undefined ? undefined : keep(this.#record(record, names))
      const views = group.memory.map(maps => maps.view(mapNames.runtime))
      this.#clocks = new Clocks(views, runtime.timestamp, process.hrtime.bigint())
      this.#places = keep(new Places(funnel?.program ?? packets.program, names, mode, table))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get seats(): readonly Seat[] {
    return this.#group.seats
  }

  get workers(): ReplicatedProgram {
    return this.#group.workers
  }

  get sequencer(): LoadedSequencer {
    return this.#group.sequencer
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  /** Everything counted so far. In the namespace of the interfaces. */
  figures(): LiveFigures {
    const { memory, cpus, sequenced, start, drops } = this.#group
    return {
      // Before workers: what a queue is rid of they have counted then.
      ...this.#passages.read(),
      ...figuresOfWorkers(memory, cpus, this.#artifact),
      sequenced,
      start,
      drivers: this.#places.counted(),
      sequencerDrops: drops,
      ...(this.#recording && {
        recording: { lost: this.#recording.lost, ...faultOf(this.#recording) },
      }),
    }
  }

  tend(): void {
    this.#clocks.look(process.hrtime.bigint())
  }

  state(worker: number): Uint8Array {
    return this.#group.state(worker)
  }

  detach(): void {
    this.#places.detach()
  }

  /**
   * After `detach`: waits for frames that are under way, and brings every worker up to date. False if frames stayed away
   * for two seconds.
   */
  async settle(): Promise<boolean> {
    // Frames that the sequencer has let go reach their queue at the end of the driver's round.
    const all = (): boolean => {
      const { sprayed, sequenced } = this.figures()
      return sprayed.reduce((sum, p) => sum + p.enqueued, 0n) >= sequenced
    }
    if (!(await until(() => this.#passages.isQuiet && all()))) return false
    return flushed([this.#group])
  }

  close(): void {
    this.#held.close()
  }

  #record(path: string, names: readonly string[]): Recording {
    const all = interfaces().filter(i => names.includes(i.name))
    const byIndex = new Map(all.map(({ index, name }) => [index, name]))
    return new Recording(path, this.#group.recorded, defaultRing, byIndex)
  }
}

const faultOf = ({ fault }: Recording): { readonly fault?: string } => (fault ? { fault: fault.message } : {})
