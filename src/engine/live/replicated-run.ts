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
import { call, exit as leave, ldMap, mov64, r1, r2, r3 } from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { recordMap } from '../../backend/ebpf/recording.js'
import { sequencerMap } from '../../backend/ebpf/sequencer.js'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import type { BpfMap } from '../../sys/map.js'
import { createMap } from '../../sys/map.js'
import { interfaces } from '../../sys/interfaces.js'
import { LiveFrameRun } from '../../sys/live-frames.js'
import { mapMemory } from '../../sys/map-memory.js'
import type { MapMemory } from '../../sys/map-memory.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import { historyLayout } from '../../wire/history.js'
import { countedSince, driverCounts } from '../kernel/driver.js'
import type { DriverCounts } from '../kernel/driver.js'
import { frameCounters, framesMap } from '../../backend/ebpf/frame.js'
import { loadReplicated } from '../kernel/replicated.js'
import type { Replicable, ReplicatedProgram } from '../kernel/replicated.js'
import { loadSequencer, sequencerDrops } from '../kernel/sequencer.js'
import type { LoadedSequencer } from '../kernel/sequencer.js'
import type { LoadOptions } from '../kernel/load.js'
import { figuresOf } from '../kernel/figures.js'
import type { Figures } from '../kernel/figures.js'
import { defaultRing, Recording } from './recording.js'
import { Passages } from './passages.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { Seat } from './spray.js'
import type { LiveFigures, LiveRun, WorkerFigures } from './figures.js'

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
  /** The CPU of the funnel. */
  readonly funnelCpu: number
  readonly mode: 'native' | 'generic'
  /** A pcapng file for all packets that get a number. */
  readonly record?: string
}

/** Frames that the funnel's queue takes. */
const funnelSize = 4096
/** How long frames under way are waited for, in ms. */
const patience = 2000

export class ReplicatedRun implements LiveRun {
  readonly attachments: readonly Attachment[]
  readonly seats: readonly Seat[]
  readonly workers: ReplicatedProgram
  readonly sequencer: LoadedSequencer
  readonly headerBytes: number
  readonly #artifact: Replicable['artifact']
  readonly #before: readonly DriverCounts[]
  readonly #passages: Passages
  readonly #memory: readonly ReadonlyMap<string, MapMemory>[]
  readonly #own: ReadonlyMap<string, MapMemory>
  readonly #release: () => void
  readonly #funnelled: boolean
  readonly #recording: Recording | undefined
  #after: readonly DriverCounts[] | undefined

  /** Loads and attaches, to all interfaces or to none. Throws what loading and attaching throw. */
  constructor(subject: Replicable, options: ReplicatedRunOptions) {
    const { record, ...rest } = options
    const { interfaces: names, workers: count, cpus, queueSize, queue, mode, clock } = rest
    const made: { close(): void }[] = []
    const keep = <T extends { close(): void }>(object: T): T => {
      made.push(object)
      return object
    }
    this.#release = () => {
      for (const object of made.toReversed()) object.close()
      made.length = 0
    }
    this.#artifact = subject.artifact
    this.#funnelled = queue === undefined
    try {
      this.workers = keep(loadReplicated(subject, { ...options, workers: count, attachType: 'xdp_cpumap' }))
      this.headerBytes = historyLayout(this.workers.format).packet
      this.seats = seatsOn(cpus, count)
      const maps = sprayMaps(this.seats).map(keep)
      this.seats.forEach(({ cpu, layer }, w) =>
        seat(maps[layer], cpu, queueSize, this.workers.workers[w].program),
      )
      this.sequencer = keep(
        loadSequencer(subject, this.workers, {
          ...rest,
          spray: this.seats,
          maps,
          queueSize,
          stamps: clock,
          ...(record !== undefined && { record: defaultRing }),
          ...(this.#funnelled ? { attachType: 'xdp_cpumap' as const } : { queue }),
        }),
      )
      const { packets } = this.sequencer
      const funnel = this.#funnelled ? keep(new Funnel(options.funnelCpu, packets.program)) : undefined
      this.#passages = keep(new Passages([...maps, ...(funnel ? [funnel.map] : [])]))
      this.#memory = this.workers.workers.map(w => mapped(w.maps, made))
      this.#own = mapped(new Map([...packets.maps].filter(([name]) => own.includes(name))), made)
      this.#recording = record === undefined ? undefined : keep(this.#record(record, names))
      const entry = funnel?.program ?? packets.program
      const attachments: Attachment[] = []
      const before: DriverCounts[] = []
      made.push({
        close: () => {
          for (const a of attachments) a.detach()
        },
      })
      for (const name of names) {
        before.push(driverCounts(name))
        attachments.push(attachXdp(entry, name, mode))
      }
      this.attachments = attachments
      this.#before = before
    } catch (error) {
      this.#release()
      throw error
    }
  }

  /** Everything counted so far. In the namespace of the interfaces. */
  figures(): LiveFigures {
    const drivers =
      this.#after ??
      this.attachments.map((a, k) => countedSince(driverCounts(a.interfaceName), this.#before[k]))
    const all = this.#passages.read()
    const funnel = this.#funnelled ? all.at(-1) : undefined
    const sprayed = funnel ? all.slice(0, -1) : all
    const each = this.#memory.map(memory => this.#figuresOf(memory))
    return {
      verdicts: added(each.map(f => f.verdicts)),
      counters: added(each.map(f => f.counters)),
      sequenced: this.#word(runtime.sequence),
      start: this.#word(runtime.start),
      drivers,
      sequencerDrops: sequencerDrops(this.#own.get(sequencerMap)!.bytes),
      ...(this.#recording && {
        recording: { lost: this.#recording.lost, ...faultOf(this.#recording) },
      }),
      ...(funnel && { funnel }),
      sprayed,
      workers: this.#memory.map((memory, w) => this.#worker(memory, this.seats[w].cpu, each[w].packets)),
    }
  }

  /** The state block of a worker, as it is. */
  state(worker: number): Uint8Array {
    const { objects, size } = this.#artifact.stateLayout
    const block = new Uint8Array(size)
    for (const o of objects) block.set(this.#memory[worker].get(o.name)!.bytes.subarray(0, o.size), o.offset)
    return block
  }

  /** Takes programs off their interfaces, if those are there. */
  detach(): void {
    if (this.#after) return
    for (const a of this.attachments) a.detach()
    this.#after ??= this.attachments.map((a, k) =>
      countedSince(driverCounts(a.interfaceName), this.#before[k]),
    )
  }

  /**
   * After `detach`: waits for frames that are under way, and brings every worker up to date. False if frames stayed away
   * for two seconds.
   */
  async settle(): Promise<boolean> {
    const quiet = (): boolean => this.#passages.read().every(p => p.enqueued - p.full === p.handled)
    if (!(await until(() => quiet() && this.#handled() >= this.#sent()))) return false
    const flushes = (): bigint =>
      this.figures().workers.reduce((sum, w) => sum + w.frames.get('flushes')!, 0n)
    const before = flushes()
    const { flush } = this.sequencer
    const data = new Uint8Array(new ArrayBuffer(60))
    new LiveFrameRun(flush.program, { data }).run(this.seats.length)
    return until(() => flushes() - before >= BigInt(this.seats.length))
  }

  close(): void {
    this.#release()
  }

  #record(path: string, names: readonly string[]): Recording {
    const all = interfaces().filter(i => names.includes(i.name))
    const byIndex = new Map(all.map(({ index, name }) => [index, name]))
    return new Recording(path, this.#own.get(recordMap)!.bytes, defaultRing, byIndex)
  }

  /** Frames that reached a worker, and frames that were sent to one. */
  #handled(): bigint {
    return this.figures().workers.reduce((sum, w) => sum + w.handled, 0n)
  }
  #sent(): bigint {
    return this.#word(runtime.sequence) - this.figures().sprayed.reduce((sum, p) => sum + p.full, 0n)
  }

  #word(offset: number): bigint {
    const { bytes } = this.#own.get(mapNames.runtime)!
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(offset, true)
  }

  #figuresOf(memory: ReadonlyMap<string, MapMemory>): Figures {
    const names = this.#artifact.counters.map(c => c.name)
    return figuresOf(name => memory.get(name)?.bytes, names, 1)
  }

  #worker(memory: ReadonlyMap<string, MapMemory>, cpu: number, packets: bigint): WorkerFigures {
    const view = (name: string): DataView => {
      const { bytes } = memory.get(name)!
      return new DataView(bytes.buffer, bytes.byteOffset)
    }
    const counted = view(framesMap)
    const frames = new Map(frameCounters.map((name, k) => [name, counted.getBigUint64(8 * k, true)]))
    const refused = [...frames].reduce((sum, [name, n]) => (notDrops.includes(name) ? sum : sum + n), 0n)
    const last = view(mapNames.runtime).getBigUint64(runtime.sequence, true)
    return { cpu, packets, frames, last, handled: packets + refused }
  }
}

/** Of what a worker counts of its frames: what is no packet dropped. */
const notDrops: readonly string[] = ['flushes', 'gaps']
/** Maps of a sequencer that are its own and can be read in place. */
const own: readonly string[] = [sequencerMap, mapNames.runtime, recordMap]

function mapped(maps: ReadonlyMap<string, BpfMap>, made: { close(): void }[]): Map<string, MapMemory> {
  const memory = new Map<string, MapMemory>()
  for (const [name, map] of maps) {
    if (name === 'hairpin') continue
    const view = mapMemory(map)
    memory.set(name, view)
    made.push({ close: () => view.unmap() })
  }
  return memory
}

const faultOf = ({ fault }: Recording): { readonly fault?: string } => (fault ? { fault: fault.message } : {})

const added = (maps: readonly ReadonlyMap<string, bigint>[]): Map<string, bigint> =>
  new Map([...(maps[0] ?? [])].map(([name]) => [name, maps.reduce((sum, m) => sum + m.get(name)!, 0n)]))

async function until(done: () => boolean): Promise<boolean> {
  const end = performance.now() + patience
  while (!done()) {
    if (performance.now() > end) return false
    await setTimeout(1)
  }
  return true
}

/** Sends every packet through one CPU's queue, whose program is the sequencer. */
class Funnel {
  readonly map: BpfMap
  readonly program: BpfProgram

  constructor(cpu: number, sequencer: BpfProgram) {
    this.map = createMap({ type: 'cpumap', name: 'funnel', keySize: 4, valueSize: 8, maxEntries: cpu + 1 })
    try {
      seat(this.map, cpu, funnelSize, sequencer)
      const code = [ldMap(r1, 'funnel'), mov64.imm(r2, cpu), mov64.imm(r3, 1), call('redirect_map'), leave()]
      const instructions = link(encode(code), new Map([['funnel', this.map.fd]]))
      this.program = loadProgram({ type: 'xdp', name: 'hairpin_funnel', instructions, licence: 'Apache-2.0' })
    } catch (error) {
      this.map.close()
      throw error
    }
  }

  close(): void {
    this.program.close()
    this.map.close()
  }
}
