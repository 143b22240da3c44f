// A live run of strategy replicated in several groups: packets of interfaces are steered by a hash of their flow to the sequencer
// of their group, which sprays them over workers of its own.
//
//   interfaces, any receive queue → hash → queues of sequencers' CPUs → sequencer → queues of CPUs → workers of the group
//
// Which queue a card chose for a packet does not matter, and need not be known: the hash is ours, over fields that the
// program may be sharded by, so that all packets of an entry come by one sequencer, on one CPU. Each group is a state domain with
// numbers, a history and tables of its own; all have the run's time. Read group.ts and sharded-run.ts first.

import { setTimeout } from 'node:timers/promises'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import type { Attachment } from '../../sys/xdp.js'
import { historyLayout } from '../../wire/history.js'
import type { Replicable } from '../kernel/replicated.js'
import { loadSteering } from '../kernel/sharded.js'
import type { Shardable } from '../kernel/sharded.js'
import { Clocks } from './clocks.js'
import { hasStopped } from './figures.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { flushed, Group } from './group.js'
import type { GroupOptions } from './group.js'
import { Held } from './held.js'
import { Passages } from './passages.js'
import type { Passage } from './passages.js'
import { Places } from './places.js'
import { seat, seatsOn, sprayMaps } from './spray.js'
import type { Seat } from './spray.js'
import { until } from './until.js'
import { figuresOfWorkers } from './workers.js'

export interface GroupedRunOptions extends Omit<GroupOptions, 'queue'> {
  readonly interfaces: readonly string[]
  /** Groups; `workers` are those of each. */
  readonly groups: number
  /** The CPUs of sequencers, in turn; workers of all groups have theirs in turn, one group after the other. */
  readonly sequencerCpus: readonly number[]
  readonly mode: 'native' | 'generic'
}

/** Frames that the queue before a sequencer takes. */
const frontSize = 4096
/** Maps that all workers have, whatever their group. */
const common: readonly string[] = [mapNames.rules, mapNames.settings]

export class GroupedRun implements LiveRun {
  readonly groups: readonly Group[]
  /** Where sequencers run. */
  readonly sequencers: readonly Seat[]
  readonly #artifact: Replicable['artifact']
  readonly #start = process.hrtime.bigint()
  readonly #passages: Passages
  readonly #fronts: number
  readonly #clocks: Clocks
  readonly #places: Places
  readonly #held = new Held()

  /** Loads and attaches, to all interfaces or to none. Throws what loading and attaching throw. */
  constructor(subject: Replicable & Shardable, options: GroupedRunOptions) {
    const { interfaces, groups: count, workers, cpus, sequencerCpus, mode } = options
    const { keep } = this.#held
    const groups: Group[] = []
    this.groups = groups
    this.#artifact = subject.artifact
    try {
      while (groups.length < count) {
        const first = (groups.length * workers) % cpus.length
        const own = { ...options, cpus: [...cpus.slice(first), ...cpus.slice(0, first)], queue: undefined }
        const known = [...(groups.at(0)?.workers.workers[0].maps ?? [])].filter(([name]) =>
          common.includes(name),
        )
        const shares = groups.length > 0 && { shares: new Map(known) }
        groups.push(keep(new Group(subject, own, { start: this.#start, ...shares })))
      }
      this.sequencers = seatsOn(sequencerCpus, count)
      const fronts = sprayMaps(this.sequencers).map(keep)
      this.#fronts = fronts.length
      this.sequencers.forEach(({ cpu, layer }, g) =>
        seat(fronts[layer], cpu, frontSize, groups[g].sequencer.packets.program),
      )
      const all = groups.flatMap(g => g.workers.workers)
      const grouped = { groups: count, headerBytes: historyLayout(groups[0].workers.format).packet }
      const steering = keep(
        loadSteering(subject, all, { seats: this.sequencers, maps: fronts, grouped }, options),
      )
      this.#passages = keep(new Passages([...groups.flatMap(g => g.maps), ...fronts]))
      const views = groups.flatMap(g => g.memory.map(maps => maps.view(mapNames.runtime)))
      this.#clocks = new Clocks(views, runtime.timestamp, process.hrtime.bigint())
      this.#places = keep(new Places(steering.program, interfaces, mode))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  /** The whole state is in so many parts: a group's each. */
  get parts(): number {
    return this.groups.length
  }

  figures(): LiveFigures {
    // Before workers: what a queue is rid of they have counted then.
    const passages = this.#passages.read().sprayed
    const memory = this.groups.flatMap(g => g.memory)
    const cpus = this.groups.flatMap(g => g.cpus)
    const drops = this.groups.map(g => g.drops)
    return {
      ...figuresOfWorkers(memory, cpus, this.#artifact),
      sequenced: this.groups.reduce((sum, g) => sum + g.sequenced, 0n),
      start: this.#start,
      drivers: this.#places.counted(),
      sequencerDrops: new Map(
        [...drops[0].keys()].map(name => [name, drops.reduce((sum, d) => sum + d.get(name)!, 0n)]),
      ),
      sprayed: passages.slice(0, -this.#fronts),
      funnel: passages.slice(-this.#fronts).reduce(together),
    }
  }

  tend(): void {
    this.#clocks.look(process.hrtime.bigint())
  }

  /** The state block of a group: of its first worker that has seen all of the group's packets. */
  state(group: number): Uint8Array {
    const { workers } = this.figures()
    const { seats } = this.groups[group]
    const first = group * seats.length
    const whole = workers.slice(first, first + seats.length).findIndex(w => !hasStopped(w))
    return this.groups[group].state(Math.max(0, whole))
  }

  detach(): void {
    this.#places.detach()
  }

  /** After `detach`: waits for frames that are under way, and brings every worker up to date. */
  async settle(): Promise<boolean> {
    // Packets reach their sequencer's queue at the end of the driver's round.
    await setTimeout(5)
    const all = (): boolean => {
      const { sprayed, sequenced } = this.figures()
      return sprayed.reduce((sum, p) => sum + p.enqueued, 0n) >= sequenced
    }
    return (await until(() => this.#passages.isQuiet && all())) && flushed(this.groups)
  }

  close(): void {
    this.#held.close()
  }
}

const together = (a: Passage, b: Passage): Passage => ({
  enqueued: a.enqueued + b.enqueued,
  full: a.full + b.full,
  handled: a.handled + b.handled,
  noMemory: a.noMemory + b.noMemory,
  redirected: a.redirected + b.redirected,
  passed: a.passed + b.passed,
  dropped: a.dropped + b.dropped,
})
