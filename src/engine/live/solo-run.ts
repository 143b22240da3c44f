// A live run without workers of our own: the program stands on the interfaces, and the driver's CPUs run it. Strategy
// single, where packets come one after the other, or shared, where all CPUs have one state.

import { setTimeout } from 'node:timers/promises'
import { mapFlags } from '../../sys/map.js'
import { mapMemory } from '../../sys/map-memory.js'
import type { MapMemory } from '../../sys/map-memory.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import { countedSince, driverCounts } from '../kernel/driver.js'
import type { DriverCounts } from '../kernel/driver.js'
import { figuresOf } from '../kernel/figures.js'
import { load } from '../kernel/load.js'
import type { LoadOptions, Loadable, LoadedProgram } from '../kernel/load.js'
import type { LiveFigures, LiveRun } from './figures.js'

export interface SoloRunOptions extends LoadOptions {
  readonly interfaces: readonly string[]
  readonly mode: 'native' | 'generic'
}

export class SoloRun implements LiveRun {
  readonly attachments: readonly Attachment[]
  readonly #artifact: Loadable['artifact']
  readonly #loaded: LoadedProgram
  readonly #memory = new Map<string, MapMemory>()
  readonly #before: readonly DriverCounts[]
  #after: readonly DriverCounts[] | undefined

  /** Loads and attaches, to all interfaces or to none. Throws what loading and attaching throw. */
  constructor(subject: Loadable, options: SoloRunOptions) {
    this.#artifact = subject.artifact
    this.#loaded = load(subject, options)
    const attachments: Attachment[] = []
    this.attachments = attachments
    try {
      for (const [name, map] of this.#loaded.maps)
        if (map.flags & mapFlags.MMAPABLE && name !== '.lock') this.#memory.set(name, mapMemory(map))
      const before: DriverCounts[] = []
      for (const name of options.interfaces) {
        before.push(driverCounts(name))
        attachments.push(attachXdp(this.#loaded.program, name, options.mode))
      }
      this.#before = before
    } catch (error) {
      this.close()
      throw error
    }
  }

  figures(): LiveFigures {
    const drivers =
      this.#after ??
      this.attachments.map((a, k) => countedSince(driverCounts(a.interfaceName), this.#before[k]))
    const { start, cpus } = this.#loaded.description
    const names = this.#artifact.counters.map(c => c.name)
    const { packets, verdicts, counters, byCpu } = figuresOf(
      name => this.#memory.get(name)?.bytes,
      names,
      cpus,
    )
    return {
      verdicts,
      counters,
      sequenced: packets,
      start,
      drivers,
      sequencerDrops: new Map(),
      sprayed: [],
      workers: byCpu.flatMap((n, cpu) =>
        n > 0n ? [{ cpu, packets: n, frames: new Map(), handled: n }] : [],
      ),
    }
  }

  state(): Uint8Array {
    const { objects, size } = this.#artifact.stateLayout
    const block = new Uint8Array(size)
    for (const o of objects) block.set(this.#memory.get(o.name)!.bytes.subarray(0, o.size), o.offset)
    return block
  }

  detach(): void {
    if (this.#after) return
    for (const a of this.attachments) a.detach()
    this.#after = this.attachments.map((a, k) => countedSince(driverCounts(a.interfaceName), this.#before[k]))
  }

  /** A packet that a CPU is still at has its verdict in a moment. */
  async settle(): Promise<boolean> {
    await setTimeout(5)
    return true
  }

  close(): void {
    for (const a of this.attachments) a.detach()
    for (const memory of this.#memory.values()) memory.unmap()
    this.#memory.clear()
    this.#loaded.close()
  }
}
