// Runs packets held in memory and writes down what became of each one: what verify, trace and tests compare.
//
// Read packets.ts and run.ts first. Not for the packet path.

import { descriptor, descriptorBytes } from '../device/slab.js'
import type { Artifact } from './artifact.js'
import { Evidence } from './commit-order.js'
import { storeSource } from './packets.js'
import type { PacketStore } from './packets.js'
import { target } from '../backend/wasm/loops/deal.js'
import { heavyEntry } from '../backend/wasm/loops/hybrid.js'
import { keptItems } from './in-band.js'
import type { Kept } from './in-band.js'
import { slabHandover } from '../strategy/handover.js'
import { plan } from './plan.js'
import type { RunOptions } from './plan.js'
import { start } from './run.js'
import type { RunResult } from './run.js'

/** What a run did to each packet: the verdict word and a digest of the bytes it left. */
export interface Outcome {
  readonly verdicts: Uint32Array
  readonly digests: Uint32Array
}

export interface Observed extends Outcome {
  /** The worker each packet was steered to; zeros unless a hash picks it. */
  readonly worker: Uint8Array
  /** 1 for packets that the other workers replayed too, as items. */
  readonly heavy: Uint8Array
  /** By packets before it: the items that were kept for state that changed hands there, in their order. */
  readonly kept: ReadonlyMap<number, readonly Kept[]>
  /** What packets of a shared run left to tell the order in which they happened. */
  readonly evidence: Evidence
  readonly result: RunResult
  /** Addresses of the state blocks in the run's memory, one per replica or shard. */
  readonly blocks: readonly number[]
}

/** Runs all packets of the store; or says why that cannot be planned. */
export async function observe(
  artifact: Artifact,
  store: PacketStore,
  options: RunOptions,
): Promise<Observed | { readonly error: string }> {
  const { strategy, cores, rules } = options
  const planned = plan(artifact, { ...options, checking: true })
  if ('error' in planned) return planned
  const found = {
    verdicts: new Uint32Array(store.count),
    digests: new Uint32Array(store.count),
    worker: new Uint8Array(store.count),
    heavy: new Uint8Array(store.count),
    kept: new Map<number, readonly Kept[]>(),
    evidence: new Evidence(strategy.sharing ? store.count : 0, artifact.sharing.bits),
  }
  const result = await start(
    artifact,
    planned,
    strategy,
    {
      open: storeSource(store),
      ...(options.loss && { loss: options.loss }),
      ...(options.epoch && { epoch: options.epoch }),
      ...(options.revisions && { revisions: options.revisions }),
      collect(slab, count, first, memory) {
        const bytes = new Uint8Array(memory.buffer)
        const view = new DataView(memory.buffer)
        for (let i = 0; i < count; i++) {
          const at = slab.descriptors + i * descriptorBytes
          const n = Number(first - planned.firstSequence) + i
          const address = view.getUint32(at + descriptor.address, true)
          found.verdicts[n] = view.getUint32(at + descriptor.verdict, true)
          found.digests[n] = digest(bytes, address, view.getUint32(at + descriptor.length, true))
          if (strategy.sharing)
            found.evidence.read(n, view, slab.commits + slab.commitBytes * i, strategy.sharing)
        }
        if (!strategy.steered) return
        const entries = (list: number): Uint32Array =>
          new Uint32Array(memory.buffer, list + 4, view.getUint32(list, true))
        const before = Number(first - planned.firstSequence)
        if (strategy.recovery) {
          for (let i = 0; i < count; i++) {
            found.worker[before + i] = bytes[slab.effects + i] & target.workerMask
            found.heavy[before + i] = Number((bytes[slab.effects + i] & target.heavy) !== 0)
          }
          return
        }
        // Where state is asked for, those of the time before are still there, or none.
        if (planned.map.handover && view.getUint32(slab.header + slabHandover, true) !== 0)
          found.kept.set(before, keptItems(view, planned.map.handover, artifact.item!.itemBytes))
        for (let w = 0; w < cores; w++)
          for (const entry of entries(slab.lists + w * slab.listBytes)) found.worker[before + entry] = w
        if (!strategy.replicatesHeavy) return
        for (const entry of entries(slab.lists + cores * slab.listBytes)) {
          const n = before + (entry & heavyEntry.indexMask)
          found.heavy[n] = 1
          found.worker[n] = (entry >>> heavyEntry.ownerShift) & heavyEntry.ownerMask
        }
      },
    },
    rules,
  )
  return { ...found, result, blocks: planned.map.state }
}

/** FNV-1a, 32 bits: enough to notice a difference between two runs of the same code. */
export function digest(bytes: Uint8Array, from: number, length: number): number {
  let h = 0x811c9dc5
  for (let i = from; i < from + length; i++) h = Math.imul(h ^ bytes[i], 0x01000193)
  return h >>> 0
}
