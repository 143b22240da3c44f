// A state domain of a live run: one sequencer, and the workers that it sprays frames over, with the maps between them. A
// run of strategy replicated has one, or several where shards of flows have one each (grouped-run.ts).
//
// Nothing is attached here: what has packets come to `sequencer` is the run's affair. Read spray.ts and
// ../kernel/sequencer.ts first.

import { recordMap } from '../../backend/ebpf/recording.js'
import { ringEntriesFor } from '../../backend/ebpf/ring.js'
import { sequencerMap } from '../../backend/ebpf/sequencer-map.js'
import type { SequencerCounter } from '../../backend/ebpf/sequencer-map.js'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import { LiveFrameRun } from '../../sys/live-frames.js'
import type { BpfMap } from '../../sys/map.js'
import type { BpfProgram } from '../../sys/program.js'
import type { LoadOptions } from '../kernel/load.js'
import { loadReplicated, logEntriesFor } from '../kernel/replicated.js'
import type { Replicable, ReplicatedProgram } from '../kernel/replicated.js'
import { creditOf, loadSequencer, sequencerDrops } from '../kernel/sequencer.js'
import type { LoadedSequencer } from '../kernel/sequencer.js'
import type { WorkerFigures } from './figures.js'
import { Held } from './held.js'
import type { LiveHistory } from './plan.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { Seat } from './spray.js'
import { until } from './until.js'
import { figuresOfWorkers, MappedMaps, stateOf } from './workers.js'

export interface GroupOptions extends Pick<LoadOptions, 'settings' | 'rules' | 'seed'> {
  /** Workers, and the CPUs they run on in turn. */
  readonly workers: number
  readonly cpus: readonly number[]
  /** Items in front of each packet; one less than workers if left out. */
  readonly slots?: number
  readonly queueSize: number
  readonly clock: 'exact' | 'coarse'
  /** The receive queue that all packets come by; undefined: the sequencer is the program of a CPU's queue. */
  readonly queue: number | undefined
  /** Items in front of packets (if left out), or in memory that sequencer and workers have. */
  readonly history?: LiveHistory
  /** Recovery from frames that are lost behind the sequencer (docs/recovery.md). */
  readonly recovery?: boolean
  /** Frames that the sequencer takes a worker's queue to have room for; its size if left out. More overflow it. */
  readonly admitted?: number
  /** What stands in a worker's queue in its place and goes on in it: something that loses frames, to try what then is. */
  readonly before?: (worker: BpfProgram, w: number) => BpfProgram
}

export interface GroupPlace {
  /** Bytes of the ring that packets are recorded in; none if left out. */
  readonly record?: number
  /** Rules and settings that another group has made. */
  readonly shares?: ReadonlyMap<string, BpfMap>
  /** When the run began, ns of the kernel's monotonic clock; with its first packet if left out. */
  readonly start?: bigint
}

/** Maps of a sequencer that are its own and can be read in place. */
const own: readonly string[] = [sequencerMap, mapNames.runtime, recordMap]

export class Group {
  readonly seats: readonly Seat[]
  readonly workers: ReplicatedProgram
  readonly sequencer: LoadedSequencer
  /** The maps that frames are sprayed through. */
  readonly maps: readonly BpfMap[]
  /** Of workers. */
  readonly memory: readonly MappedMaps[]
  readonly #artifact: Replicable['artifact']
  readonly #own: MappedMaps
  readonly #recovers: boolean
  readonly #held = new Held()

  /** Loads. Throws what loading throws. */
  constructor(subject: Replicable, options: GroupOptions, { record, shares, start }: GroupPlace = {}) {
    const { workers: count, cpus, queueSize, queue, clock, recovery = false } = options
    const { admitted = queueSize, before = (worker: BpfProgram) => worker } = options
    const { keep } = this.#held
    this.#artifact = subject.artifact
    this.#recovers = recovery && options.history !== 'reference'
    try {
      const sizes = {
        ...(recovery && { logEntries: logEntriesFor(count, admitted) }),
        ...(options.history === 'reference' && { ring: ringEntriesFor(count, creditOf(count, admitted)) }),
      }
      const loading = { ...options, ...sizes, ...(shares && { shares }), attachType: 'xdp_cpumap' } as const
      this.workers = keep(loadReplicated(subject, loading))
      this.seats = seatsOn(cpus, count)
      this.maps = sprayMaps(this.seats).map(keep)
      this.seats.forEach(({ cpu, layer }, w) =>
        seat(this.maps[layer], cpu, queueSize, before(this.workers.workers[w].program, w)),
      )
      this.sequencer = keep(
        loadSequencer(subject, this.workers, {
          ...options,
          spray: this.seats,
          maps: this.maps,
          queueSize: admitted,
          stamps: clock,
          ...(record !== undefined && { record }),
          ...(start !== undefined && { hasBegun: true }),
          ...(queue === undefined ? { attachType: 'xdp_cpumap' as const } : { queue }),
        }),
      )
      this.memory = this.workers.workers.map(w => keep(new MappedMaps(w.maps)))
      this.#own = keep(new MappedMaps(this.sequencer.packets.maps, own))
      if (start !== undefined) this.#runtime.setBigUint64(runtime.start, start, true)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Packets that got a number. */
  get sequenced(): bigint {
    return this.#runtime.getBigUint64(runtime.sequence, true)
  }

  /** When the first packet came, ns of the kernel's monotonic clock; before that, when the sequencer was loaded. */
  get start(): bigint {
    return this.#runtime.getBigUint64(runtime.start, true)
  }

  get drops(): Map<SequencerCounter, bigint> {
    return sequencerDrops(this.#own.bytes(sequencerMap)!)
  }

  /** The ring that packets are recorded in. */
  get recorded(): Uint8Array {
    return this.#own.bytes(recordMap)!
  }

  get cpus(): readonly number[] {
    return this.seats.map(s => s.cpu)
  }

  state(worker: number): Uint8Array {
    return stateOf(this.memory[worker], this.#artifact)
  }

  /** Once no packet comes any more: has each worker get a frame without a packet. */
  flush(): void {
    flushWorkers(this.sequencer, this.seats.length)
  }

  /** Frames without a packet that workers have got. */
  get flushed(): bigint {
    const { workers } = figuresOfWorkers(this.memory, this.cpus, this.#artifact)
    return workers.reduce((sum, w: WorkerFigures) => sum + w.frames.get('flushes')!, 0n)
  }

  /** After that: has workers go on with what they still look for. */
  finish(): void {
    if (this.#recovers) this.workers.finish()
  }

  close(): void {
    this.#held.close()
  }

  get #runtime(): DataView {
    return this.#own.view(mapNames.runtime)
  }
}

/** Has a sequencer that no packet comes to any more send each worker a frame without a packet. */
export function flushWorkers({ flush }: LoadedSequencer, workers: number): void {
  new LiveFrameRun(flush.program, { data: new Uint8Array(new ArrayBuffer(60)) }).run(workers)
}

/** Brings all workers of groups up to date, to which no packet comes any more. False if frames stayed away. */
export async function flushed(groups: readonly Group[]): Promise<boolean> {
  const before = groups.map(g => g.flushed)
  for (const group of groups) group.flush()
  const isDone = await until(() => groups.every((g, k) => g.flushed - before[k] >= BigInt(g.seats.length)))
  for (const group of groups) group.finish()
  return isDone
}
