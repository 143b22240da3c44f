// Workers of a live run as user space sees them: their maps in memory, what they count, and their state.

import { frameCounters, framesMap } from '../../backend/ebpf/frame.js'
import { recoveryMap } from '../../backend/ebpf/logs.js'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import { mapFlags } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import { mapMemory } from '../../sys/map-memory.js'
import type { MapMemory } from '../../sys/map-memory.js'
import type { KernelArtifact } from '../artifact.js'
import { descriptionMap } from '../kernel/description.js'
import { figuresOf, figuresTogether } from '../kernel/figures.js'
import { addedRecovery, recoveryOf } from '../kernel/recovery.js'
import type { FrameReason, LiveFigures, WorkerFigures } from './figures.js'

/** Of what a worker counts of its frames: what is no packet dropped. */
const notDrops: readonly string[] = ['flushes', 'gaps']

/** Maps of one program in memory, by name. */
export class MappedMaps {
  readonly #memory = new Map<string, MapMemory>()

  /** Those that can be mapped; of `names` only, if there are any. */
  constructor(maps: ReadonlyMap<string, BpfMap>, names?: readonly string[]) {
    try {
      for (const [name, map] of maps)
        if (map.flags & mapFlags.MMAPABLE && name !== descriptionMap && (names?.includes(name) ?? true))
          this.#memory.set(name, mapMemory(map))
    } catch (error) {
      this.close()
      throw error
    }
  }

  bytes(name: string): Uint8Array | undefined {
    return this.#memory.get(name)?.bytes
  }

  view(name: string): DataView {
    const { bytes } = this.#memory.get(name)!
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  close(): void {
    for (const memory of this.#memory.values()) memory.unmap()
    this.#memory.clear()
  }
}

/** What workers on these CPUs did, each and all together. */
export function figuresOfWorkers(
  memory: readonly MappedMaps[],
  cpus: readonly number[],
  artifact: KernelArtifact,
): Pick<LiveFigures, 'verdicts' | 'counters' | 'workers' | 'recovery'> {
  const names = artifact.counters.map(c => c.name)
  const each = memory.map(maps => figuresOf(name => maps.bytes(name), names, 1))
  const { verdicts, counters, byCpu } = figuresTogether(each)
  const workers = memory.map((maps, w) => workerFigures(maps, cpus[w], byCpu[w]))
  const recoveries = workers.flatMap(w => w.recovery ?? [])
  return {
    verdicts,
    counters,
    workers,
    ...(recoveries.length > 0 && { recovery: addedRecovery(recoveries) }),
  }
}

/** What a worker on this CPU did, of which `packets` got a verdict; without frames, that is all. */
function workerFigures(maps: MappedMaps, cpu: number, packets: bigint): WorkerFigures {
  if (!maps.bytes(framesMap)) return { cpu, packets, frames: new Map(), handled: packets }
  const counted = maps.view(framesMap)
  const seen = new Map(frameCounters.map((name, k) => [name, counted.getBigUint64(8 * k, true)]))
  const own = maps.bytes(recoveryMap)
  const recovery = own && recoveryOf(own, seen)
  const frames = new Map<FrameReason, bigint>(seen)
  if (recovery) frames.set('unrecoverable', BigInt(recovery.drops.unrecoverable))
  const refused = [...frames].reduce((sum, [name, n]) => (notDrops.includes(name) ? sum : sum + n), 0n)
  // With recovery, what its state includes is behind the last frame that came, while something is looked for.
  const last = recovery?.last ?? maps.view(mapNames.runtime).getBigUint64(runtime.sequence, true)
  return { cpu, packets, frames, last, handled: packets + refused, ...(recovery && { recovery }) }
}

/** A copy of a worker's state block. */
export function stateOf(maps: MappedMaps, { stateLayout: { objects, size } }: KernelArtifact): Uint8Array {
  const block = new Uint8Array(size)
  for (const o of objects) block.set(maps.bytes(o.name)!.subarray(0, o.size), o.offset)
  return block
}
