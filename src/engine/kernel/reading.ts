// Reading an attached program while it runs: verdicts, counters, how full its state is, and the state itself.
//
// Maps are mapped into memory once, so that a look costs no system call, however many entries there are. The program
// goes on meanwhile: every word is as it was at some moment, an entry may be half written, and while a table moves
// entries to make room one may be seen twice or be missed. A dump notices such moves, by the version in the table's
// header, and begins again; what is still unsure after that is named. Read description.ts first.

import { bucketsMap } from '../../backend/ebpf/buckets-map.js'
import { frameCounters, framesMap } from '../../backend/ebpf/frame.js'
import type { FrameCounter } from '../../backend/ebpf/frame.js'
import { placesMap } from '../../backend/ebpf/places-map.js'
import { recoveryMap } from '../../backend/ebpf/logs.js'
import { slicesMap } from '../../backend/ebpf/slices.js'
import { dumpObject, mergeDumps } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import { poolHeader, tableHeader } from '../../state/format.js'
import { layoutState } from '../../state/layout.js'
import type { StateObjectLayout } from '../../state/layout.js'
import { load32 } from '../../state/memory.js'
import type { StateMemory } from '../../state/memory.js'
import { openMap } from '../../sys/info.js'
import { mapFlags } from '../../sys/map.js'
import { mapMemory } from '../../sys/map-memory.js'
import type { MapMemory } from '../../sys/map-memory.js'
import { rebalancingOf } from './buckets.js'
import type { BucketFigures } from './buckets.js'
import { heavyFiguresOf, sliceOf, slicesWithPlaces } from './places.js'
import type { HeavyFigures } from './places.js'
import type { Description } from './description.js'
import { figuresOf, figuresTogether } from './figures.js'
import type { Figures } from './figures.js'
import { addedRecovery, recoveryOf } from './recovery.js'
import type { KernelRecovery } from './recovery.js'

/** How full an object is, from its header. Arrays and cells are not there: they are always whole. */
export type Occupancy =
  | {
      readonly name: string
      readonly kind: 'table'
      readonly capacity: number
      /** Entries present, dead ones included. */
      readonly count: number
      readonly failures: number
      readonly evictions: number
      readonly expiries: number
      readonly displacements: number
    }
  | {
      readonly name: string
      readonly kind: 'pool'
      readonly capacity: number
      /** Numbers that are taken. */
      readonly count: number
      readonly exhausted: number
      readonly rejected: number
    }

export interface ReadOptions {
  /** Of every table, so many entries with the smallest keys; all if absent. */
  readonly most?: number
}

export interface ReadState {
  readonly dump: Dump
  /** Entries were moved every time it was read: one may be there twice or be missing. */
  readonly unsure: boolean
}

/** Dumps of a table that moves entries are begun again so often. */
const attempts = 3

/** A program with its maps in memory. */
export class Reading {
  readonly description: Description
  readonly #layouts: readonly StateObjectLayout[]
  readonly #memory: ReadonlyMap<string, MapMemory>
  /** Of a program that steers or sequences packets. */
  readonly #workers: readonly ReadonlyMap<string, MapMemory>[]

  /** Use `openReading`. */
  constructor(
    description: Description,
    memory: ReadonlyMap<string, MapMemory>,
    workers: readonly ReadonlyMap<string, MapMemory>[] = [],
  ) {
    this.description = description
    this.#memory = memory
    this.#workers = workers
    const laid = layoutState(description.objects)
    this.#layouts = laid.ok ? laid.layout.objects : []
  }

  /** Nanoseconds since it was loaded: the time its packets have now. */
  age(): bigint {
    return process.hrtime.bigint() - this.description.start
  }

  figures(): Figures {
    const { counters, cpus } = this.description
    if (this.#workers.length === 0) return figuresOf(name => this.#memory.get(name)?.bytes, counters, cpus)
    return figuresTogether(this.#workers.map(w => figuresOf(name => w.get(name)?.bytes, counters, 1)))
  }

  /** Workers that stopped because frames to them were lost. */
  get stopped(): number[] {
    const { recovery } = this
    if (recovery) return recovery.stopped.map(s => s.worker)
    return this.#workers.flatMap((w, k) => (framesOf(w).get('gaps')! > 0n ? [k] : []))
  }

  /** What loss recovery did, over all workers; undefined where it is off. */
  get recovery(): KernelRecovery | undefined {
    const each = this.#workers.flatMap(w => {
      const own = w.get(recoveryMap)?.bytes
      return own ? [recoveryOf(own, framesOf(w))] : []
    })
    return each.length > 0 ? addedRecovery(each) : undefined
  }

  /** Of strategies rebalanced and hybrid: buckets that changed their worker, that are to, and that all workers have. */
  get rebalancing(): BucketFigures | HeavyFigures | undefined {
    const bytes = this.#memory.get(bucketsMap)?.bytes
    if (!bytes) return undefined
    return this.#memory.has(placesMap) ? heavyFiguresOf(bytes) : rebalancingOf(bytes)
  }

  /** Names of the state objects, in the program's order. */
  get names(): string[] {
    return this.#layouts.map(({ name }) => name)
  }

  occupancies(): Occupancy[] {
    return this.#layouts.flatMap((layout): Occupancy[] => {
      const memories = this.#statesOf(layout)
      if (memories.length === 0 || layout.kind === 'array') return []
      const { name } = layout
      const word = (offset: number): number => memories.reduce((sum, m) => sum + load32(m, offset), 0)
      if (layout.kind === 'pool') {
        const { available, exhausted, rejected } = poolHeader
        const count = layout.count * memories.length - word(available)
        const counted = { exhausted: word(exhausted), rejected: word(rejected) }
        return [{ name, kind: 'pool', capacity: layout.count * memories.length, count, ...counted }]
      }
      const { count, failures, evictions, expiries, displacements } = tableHeader
      return [
        {
          name,
          kind: 'table',
          capacity: layout.capacity * memories.length,
          count: word(count),
          failures: word(failures),
          evictions: word(evictions),
          expiries: word(expiries),
          displacements: word(displacements),
        },
      ]
    })
  }

  /**
   * An object by its name, as it is now: what has expired is left out. Of the first replica, or of all shards or groups together.
   * Undefined if there is none.
   */
  read(name: string, options: ReadOptions = {}): ReadState | undefined {
    const layout = this.#layouts.find(l => l.name === name)
    const reads = layout ? this.#statesOf(layout).map(memory => this.#readFrom(memory, layout, options)) : []
    if (reads.length < 2) return reads[0]
    const [dump] = mergeDumps(reads.map(r => [r.dump]))
    return { dump, unsure: reads.some(r => r.unsure) }
  }

  #readFrom(memory: StateMemory, layout: StateObjectLayout, { most }: ReadOptions): ReadState {
    for (let attempt = 1; ; attempt++) {
      const before = load32(memory, tableHeader.version)
      const dump = dumpObject(memory, 0, layout, this.age(), most)
      const still = layout.kind !== 'table' || load32(memory, tableHeader.version) === before
      if ((still && before % 2 === 0) || layout.kind !== 'table') return { dump, unsure: false }
      if (attempt === attempts) return { dump, unsure: true }
    }
  }

  /** Bytes of a map that is no state object, `.settings` and the like, in place; undefined if there is none. */
  bytes(map: string): Uint8Array | undefined {
    return this.#memory.get(map)?.bytes
  }

  close(): void {
    for (const maps of [this.#memory, ...this.#workers]) for (const memory of maps.values()) memory.unmap()
  }

  /** Where the object is: once of each group of replicas, which are alike, or once in each shard. */
  #statesOf({ name, offset, size }: StateObjectLayout): StateMemory[] {
    const { headerBytes, groups = 1, slices } = this.description
    if (slices !== undefined) {
      const all = this.#memory.get(slicesMap)?.bytes
      if (!all) return []
      const workers = this.#workers.length
      const [buckets, places] = [bucketsMap, placesMap].map(map => this.#memory.get(map)?.bytes)
      const count = places ? slicesWithPlaces(workers) : slices
      return Array.from({ length: slices }, (_, k) => {
        const slice = buckets && places ? sliceOf({ buckets, places, workers }, k) : k
        const at = (slice * all.length) / count + offset
        return memoryOf(all.subarray(at, at + size))
      })
    }
    const all = this.#workers.length === 0 ? [this.#memory] : this.#workers
    const alike = headerBytes === undefined ? 1 : all.length / groups
    return all.flatMap((maps, k) => {
      if (k % alike !== 0) return []
      const bytes = maps.get(name)?.bytes
      return bytes ? [memoryOf(bytes)] : []
    })
  }
}

const memoryOf = (bytes: Uint8Array): StateMemory => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
})

/** Maps what a program has into memory. What has gone meanwhile reads as nothing. */
export function openReading(description: Description): Reading {
  const opened: Map<string, MapMemory>[] = []
  const open = (maps: ReadonlyMap<string, number>): Map<string, MapMemory> => {
    const memory = new Map<string, MapMemory>()
    opened.push(memory)
    for (const [name, id] of maps) {
      const map = openMap(id)
      if (map && map.flags & mapFlags.MMAPABLE) memory.set(name, mapMemory(map))
      map?.close()
    }
    return memory
  }
  try {
    return new Reading(description, open(description.maps), description.workers?.map(open))
  } catch (error) {
    for (const maps of opened) for (const mapped of maps.values()) mapped.unmap()
    throw error
  }
}

/** What a worker counted of its frames. */
function framesOf(worker: ReadonlyMap<string, MapMemory>): Map<FrameCounter, bigint> {
  const bytes = worker.get(framesMap)?.bytes
  const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return new Map(frameCounters.map((name, k) => [name, view?.getBigUint64(8 * k, true) ?? 0n]))
}
