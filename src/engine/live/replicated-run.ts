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

import { setTimeout } from 'node:timers/promises'
import { recordMap } from '../../backend/ebpf/recording.js'
import { ringEntriesFor } from '../../backend/ebpf/ring.js'
import { sequencerMap } from '../../backend/ebpf/sequencer-map.js'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import { interfaces } from '../../sys/interfaces.js'
import { LiveFrameRun } from '../../sys/live-frames.js'
import type { BpfProgram } from '../../sys/program.js'
import type { Attachment } from '../../sys/xdp.js'
import type { LoadOptions } from '../kernel/load.js'
import { loadReplicated, logEntriesFor } from '../kernel/replicated.js'
import type { Replicable, ReplicatedProgram } from '../kernel/replicated.js'
import { creditOf, loadSequencer, sequencerDrops } from '../kernel/sequencer.js'
import type { LoadedSequencer } from '../kernel/sequencer.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Funnel } from './funnel.js'
import { Passages } from './passages.js'
import type { LiveHistory } from './plan.js'
import { Clocks } from './clocks.js'
import { Held } from './held.js'
import { Places } from './places.js'
import { defaultRing, Recording } from './recording.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { Seat } from './spray.js'
import type { SteeredTable } from './table.js'
import { figuresOfWorkers, MappedMaps, stateOf } from './workers.js'

export interface ReplicatedRunOptions extends Pick<LoadOptions, 'settings' | 'rules' | 'seed'> {
  readonly interfaces: readonly string[]
  /** Workers, and the CPUs they run on in turn. */
  readonly workers: number
  readonly cpus: readonly number[]
  /** Items in front of each packet; one less than workers if left out. */
  readonly slots?: number
  readonly queueSize: number
  readonly clock: 'exact' | 'coarse'
  /** The receive queue that all packets come by; undefined: there are several, or several interfaces. */
  readonly queue: number | undefined
  /** The card's table, where it has them come by that queue; put back when the run ends. */
  readonly table?: SteeredTable
  /** The CPU of the funnel. */
  readonly funnelCpu: number
  readonly mode: 'native' | 'generic'
  /** A pcapng file for all packets that get a number. */
  readonly record?: string
  /** Items in front of packets (if left out), or in memory that sequencer and workers have. */
  readonly history?: LiveHistory
  /** Recovery from frames that are lost behind the sequencer (docs/recovery.md). */
  readonly recovery?: boolean
  /** Frames that the sequencer takes a worker's queue to have room for; its size if left out. More overflow it. */
  readonly admitted?: number
  /** What stands in a worker's queue in its place and goes on in it: something that loses frames, to try what then is. */
  readonly before?: (worker: BpfProgram, w: number) => BpfProgram
}

/** How long frames under way are waited for, in ms. */
const patience = 2000
/** Maps of a sequencer that are its own and can be read in place. */
const own: readonly string[] = [sequencerMap, mapNames.runtime, recordMap]

export class ReplicatedRun implements LiveRun {
  readonly seats: readonly Seat[]
  readonly workers: ReplicatedProgram
  readonly sequencer: LoadedSequencer
  readonly #artifact: Replicable['artifact']
  readonly #places: Places
  readonly #clocks: Clocks
  readonly #passages: Passages
  readonly #memory: readonly MappedMaps[]
  readonly #own: MappedMaps
  readonly #held = new Held()
  readonly #recovers: boolean
  readonly #recording: Recording | undefined

  /** Loads and attaches, to all interfaces or to none. Throws what loading and attaching throw. */
  constructor(subject: Replicable, options: ReplicatedRunOptions) {
    const { record, table, ...rest } = options
    const { interfaces: names, workers: count, cpus, queueSize, queue, mode, clock, recovery = false } = rest
    const { admitted = queueSize, before = (worker: BpfProgram) => worker } = rest
    const { keep } = this.#held
    this.#artifact = subject.artifact
    this.#recovers = recovery && rest.history !== 'reference'
    try {
      const sizes = {
        ...(recovery && { logEntries: logEntriesFor(count, admitted) }),
        ...(rest.history === 'reference' && { ring: ringEntriesFor(count, creditOf(count, admitted)) }),
      }
      this.workers = keep(loadReplicated(subject, { ...rest, ...sizes, attachType: 'xdp_cpumap' }))
      this.seats = seatsOn(cpus, count)
      const maps = sprayMaps(this.seats).map(keep)
      this.seats.forEach(({ cpu, layer }, w) =>
        seat(maps[layer], cpu, queueSize, before(this.workers.workers[w].program, w)),
      )
      this.sequencer = keep(
        loadSequencer(subject, this.workers, {
          ...rest,
          spray: this.seats,
          maps,
          queueSize: admitted,
          stamps: clock,
          ...(record !== undefined && { record: defaultRing }),
          ...(queue === undefined ? { attachType: 'xdp_cpumap' as const } : { queue }),
        }),
      )
      const { packets } = this.sequencer
      const funnel = queue === undefined ? keep(new Funnel(options.funnelCpu, packets)) : undefined
      this.#passages = keep(new Passages(maps, funnel?.map))
      this.#memory = this.workers.workers.map(w => keep(new MappedMaps(w.maps)))
      this.#own = keep(new MappedMaps(packets.maps, own))
      this.#recording = record === undefined ? undefined : keep(this.#record(record, names))
      const views = this.#memory.map(maps => maps.view(mapNames.runtime))
      this.#clocks = new Clocks(views, runtime.timestamp, process.hrtime.bigint())
      this.#places = keep(new Places(funnel?.program ?? packets.program, names, mode, table))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  /** Everything counted so far. In the namespace of the interfaces. */
  figures(): LiveFigures {
    const cpus = this.seats.map(s => s.cpu)
    return {
      // Before workers: what a queue is rid of they have counted then.
      ...this.#passages.read(),
      ...figuresOfWorkers(this.#memory, cpus, this.#artifact),
      sequenced: this.#word(runtime.sequence),
      start: this.#word(runtime.start),
      drivers: this.#places.counted(),
      sequencerDrops: sequencerDrops(this.#own.bytes(sequencerMap)!),
      ...(this.#recording && {
        recording: { lost: this.#recording.lost, ...faultOf(this.#recording) },
      }),
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
    const flushes = (): bigint =>
      this.figures().workers.reduce((sum, w) => sum + w.frames.get('flushes')!, 0n)
    const before = flushes()
    flushWorkers(this.sequencer, this.seats.length)
    const isFlushed = await until(() => flushes() - before >= BigInt(this.seats.length))
    if (this.#recovers) this.workers.finish()
    return isFlushed
  }

  close(): void {
    this.#held.close()
  }

  #record(path: string, names: readonly string[]): Recording {
    const all = interfaces().filter(i => names.includes(i.name))
    const byIndex = new Map(all.map(({ index, name }) => [index, name]))
    return new Recording(path, this.#own.bytes(recordMap)!, defaultRing, byIndex)
  }

  #word(offset: number): bigint {
    return this.#own.view(mapNames.runtime).getBigUint64(offset, true)
  }
}

const faultOf = ({ fault }: Recording): { readonly fault?: string } => (fault ? { fault: fault.message } : {})

/** Has a sequencer that no packet comes to any more send each worker a frame without a packet. */
export function flushWorkers({ flush }: LoadedSequencer, workers: number): void {
  new LiveFrameRun(flush.program, { data: new Uint8Array(new ArrayBuffer(60)) }).run(workers)
}

/** Waits for a condition; false if it does not come true within two seconds. */
export async function until(done: () => boolean): Promise<boolean> {
  const end = performance.now() + patience
  while (!done()) {
    if (performance.now() > end) return false
    await setTimeout(1)
  }
  return true
}
