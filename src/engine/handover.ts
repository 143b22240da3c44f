// Handing the state of buckets from one worker to another: every entry whose packets will go elsewhere goes with them.
//
// Done while no worker runs, so nothing is lost and nothing is seen twice. Entries keep their times and sequence
// numbers; expired ones are left behind. A table that has no room refuses as at any insertion, and counts it.
// Uses the reference implementation of tables, so that the reference run of verify does exactly the same.

import { clockAt } from '../state/block.js'
import { leavesOf } from '../state/declaration.js'
import { loadLeaf } from '../state/field.js'
import { slotsPerBucket } from '../state/format.js'
import { entryOffset } from '../state/layout.js'
import type { ArrayLayout, HashLayout, StateLayout } from '../state/layout.js'
import type { StateMemory } from '../state/memory.js'
import { Table } from '../state/table.js'
import { bucketOf } from '../strategy/bucket.js'
import type { ShardKeys } from '../strategy/bucket.js'
import type { Move } from '../strategy/balance.js'
import type { SteeringFields } from '../strategy/steering.js'

/** A worker's state block. */
export interface Owner {
  readonly memory: StateMemory
  readonly base: number
}

export interface HandoverParts {
  readonly layout: StateLayout
  readonly keys: readonly ShardKeys[]
  readonly fields: SteeringFields
}

/** Moves what belongs to the buckets; `now` is the time of the last packet, ns. Answers how many entries moved. */
export function handOver(
  { layout, keys, fields }: HandoverParts,
  owners: readonly Owner[],
  moves: readonly Move[],
  now: bigint,
): number {
  let moved = 0
  for (const from of new Set(moves.map(m => m.from))) {
    const targets = new Map(moves.filter(m => m.from === from).map(m => [m.bucket, m.to]))
    for (const object of layout.objects) {
      const made = keys.find(k => k.object === object.name)
      if (!made) continue
      const targetOf = (leaves: readonly bigint[]): Owner | undefined => {
        const bucket = bucketOf(made, leaves, fields)
        const to = bucket === undefined ? undefined : targets.get(bucket)
        return to === undefined ? undefined : owners[to]
      }
      if (object.kind === 'table') moved += moveEntries(object, owners[from], targetOf, now)
      else if (object.kind === 'array') moved += moveElements(object, owners[from], targetOf)
    }
  }
  return moved
}

type TargetOf = (leaves: readonly bigint[]) => Owner | undefined

function moveEntries(layout: HashLayout, from: Owner, targetOf: TargetOf, now: bigint): number {
  const source = from.base + layout.offset
  const table = new Table(from.memory, source, layout)
  const clock = layout.expire ? clockAt(now, layout.expire.unit) : 0
  let moved = 0
  for (let place = 0; place < slotsPerBucket * layout.bucketCount; place++) {
    const slot = entryOffset(layout, 0, place)
    if (table.tagAt(slot) === 0) continue
    const at = source + slot
    const leaves = layout.key.flatMap(field =>
      leavesOf(field).map(leaf => loadLeaf(from.memory, at, field, leaf, 'key')),
    )
    const to = targetOf(leaves)
    if (!to) continue
    if (!table.isExpired(slot, clock)) {
      copyEntry(layout, from.memory, at, to, clock)
      moved++
    }
    table.remove(slot)
  }
  return moved
}

/** Inserts the entry at `at` into another worker's table, with everything but its place the same. */
function copyEntry(layout: HashLayout, memory: StateMemory, at: number, to: Owner, clock: number): void {
  const area = memory.bytes.slice(at + layout.keyOffset, at + layout.keyOffset + layout.keyAreaBytes)
  const { touchedSeqOffset, touchedTimeOffset, stride } = layout
  const seq = touchedSeqOffset < 0 ? 0 : memory.view.getUint32(at + touchedSeqOffset, true)
  const target = to.base + layout.offset
  const slot = new Table(to.memory, target, layout).insert(area, clock, seq)
  if (slot === 0) return
  if (touchedTimeOffset >= 0)
    to.memory.view.setUint32(
      target + slot + touchedTimeOffset,
      memory.view.getUint32(at + touchedTimeOffset, true),
      true,
    )
  const value = layout.keyOffset + layout.keyAreaBytes
  to.memory.bytes.set(memory.bytes.subarray(at + value, at + stride), target + slot + value)
}

/** Elements that are not zero; what is zero is as good as moved. */
function moveElements(layout: ArrayLayout, from: Owner, targetOf: TargetOf): number {
  let moved = 0
  for (let index = 0; index < layout.length; index++) {
    const at = from.base + layout.offset + index * layout.stride
    const element = from.memory.bytes.subarray(at, at + layout.stride)
    if (!element.some(b => b !== 0)) continue
    const to = targetOf([BigInt(index)])
    if (!to) continue
    to.memory.bytes.set(element, to.base + layout.offset + index * layout.stride)
    element.fill(0)
    moved++
  }
  return moved
}
