// What the maps of a program contain before its first packet: empty tables, full pools, settings, rules, a clock.

import { mapNames, runtime, runtimeBytes } from '../../backend/ebpf/target.js'
import { clearBlock } from '../../state/block.js'
import { stateMemory } from '../../state/memory.js'
import type { KernelArtifact } from '../artifact.js'

export interface FirstState {
  readonly settings: ReadonlyMap<string, bigint>
  /** The rules block. */
  readonly rules?: Uint8Array
  readonly seed: bigint
}

/** Bytes by the name of the map; maps that are not named begin as zeros. `start` is the kernel's clock, ns. */
export function firstContents(
  artifact: KernelArtifact,
  { settings, rules, seed }: FirstState,
  start: bigint,
): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  const block = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
  clearBlock(block, 0, artifact.stateLayout, seed)
  for (const { name, offset, size } of artifact.stateLayout.objects)
    found.set(name, block.bytes.subarray(offset, offset + size))
  if (rules) found.set(mapNames.rules, rules)
  if (artifact.settings.length) {
    const values = artifact.settings.map(s => BigInt.asUintN(64, settings.get(s.name) ?? s.default))
    found.set(mapNames.settings, new Uint8Array(BigUint64Array.from(values).buffer))
  }
  const kept = new DataView(new ArrayBuffer(runtimeBytes))
  kept.setBigUint64(runtime.seed, seed, true)
  kept.setBigUint64(runtime.start, start, true)
  kept.setBigUint64(runtime.sequence, BigInt.asUintN(64, -1n), true)
  found.set(mapNames.runtime, new Uint8Array(kept.buffer))
  return found
}
