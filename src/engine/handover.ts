// The state of shards, and how it changes hands: a bucket's entries go to another worker, a heavy key's are copied to all,
// or kept by one again.
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
import type { Move } from '../strategy/balance.js'
import { hashOf } from '../strategy/bucket.js'
import type { ShardKeys } from '../strategy/bucket.js'
import type { SteeringFields } from '../strategy/steering.js'
import { indirectionEntries } from '../strategy/toeplitz.js'

/** A worker's state block. */
export interface Owner {
  readonly memory: StateMemory
  readonly base: number
}

export interface ShardParts {
  readonly layout: StateLayout
  readonly keys: readonly ShardKeys[]
  readonly fields: SteeringFields
}

/** What changes at the end of an epoch, in this order. Keys are known by the hash that steers their packets. */
export interface Change {
  /** Keys that one worker has alone again. */
  readonly demoted: readonly number[]
  readonly moves: readonly Move[]
  /** Keys that all workers have from now on. */
  readonly promoted: readonly number[]
}

/** The blocks of all workers, with who owns which bucket. */
export class Shards {
  /** Hashes of the keys that every worker has. */
  readonly heavy = new Set<number>()
  /** The worker of each bucket. */
  readonly owners: number[]
  private readonly parts: ShardParts
  private readonly blocks: readonly Owner[]

  constructor(parts: ShardParts, blocks: readonly Owner[]) {
    this.parts = parts
    this.blocks = blocks
    this.owners = Array.from({ length: indirectionEntries }, (_, bucket) => bucket % blocks.length)
  }

  /**
   * In the stream of packets, where the state is asked for: what each worker has of what moves or is to be heavy. `now` is
   * the time of the last packet, ns, here and when it is taken in.
   */
  answers({ moves, promoted }: Change, now: bigint): Answers {
    const moving = new Map(moves.map(m => [m.bucket, m.to]))
    return this.blocks.map((block, w) => {
      const found: Answer[] = []
      const targets = (hash: number): number[] | undefined => {
        if (promoted.includes(hash)) return this.blocks.map((_, k) => k).filter(k => k !== w)
        const to = this.heavy.has(hash) ? undefined : moving.get(hash % indirectionEntries)
        return to === undefined || to === w ? undefined : [to]
      }
      this.visit(block, now, (object, at, hash, clock, index) => {
        const to = targets(hash)
        const { stride } = object
        if (to) found.push({ object, to, clock, index, bytes: block.memory.bytes.slice(at, at + stride) })
        return false
      })
      return found
    })
  }

  /** Where the answers come into the stream: old owners delete what has moved, and others take in what is theirs. */
  takeIn({ moves, promoted }: Change, answers: Answers): void {
    const moving = new Map(moves.map(m => [m.bucket, m.to]))
    for (const hash of promoted) this.heavy.add(hash)
    this.blocks.forEach((block, w) => {
      this.visit(block, undefined, (_object, _at, hash) => {
        const to = this.heavy.has(hash) ? undefined : moving.get(hash % indirectionEntries)
        return to !== undefined && to !== w
      })
      for (const { object, to, clock, index, bytes } of answers.flat()) {
        if (!to.includes(w)) continue
        const from = { bytes, view: new DataView(bytes.buffer) }
        if (object.kind === 'table') copyEntry(object, from, 0, block, clock)
        else block.memory.bytes.set(bytes, block.base + object.offset + index * object.stride)
      }
    })
    for (const { bucket, to } of moves) this.owners[bucket] = to
  }

  /**
   * Every entry and element that is not zero, with its hash, its table's clock at `now` and its index; expired ones are left out
   * if there is a `now`. Those for which the visitor answers true are deleted.
   */
  private visit({ memory, base }: Owner, now: bigint | undefined, visitor: Visitor): void {
    const { layout, keys, fields } = this.parts
    for (const object of layout.objects) {
      const made = keys.find(k => k.object === object.name)
      if (!made || object.kind === 'pool') continue
      const first = base + object.offset
      if (object.kind === 'table') {
        const table = new Table(memory, first, object)
        const clock = object.expire && now !== undefined ? clockAt(now, object.expire.unit) : 0
        for (let place = 0; place < slotsPerBucket * object.bucketCount; place++) {
          const slot = entryOffset(object, 0, place)
          if (table.tagAt(slot) === 0) continue
          const leaves = object.key.flatMap(field =>
            leavesOf(field).map(leaf => loadLeaf(memory, first + slot, field, leaf, 'key')),
          )
          const hash = hashOf(made, leaves, fields)
          if (hash === undefined || (now !== undefined && table.isExpired(slot, clock))) continue
          if (visitor(object, first + slot, hash, clock, 0)) table.remove(slot)
        }
      } else
        for (let index = 0; index < object.length; index++) {
          const at = first + index * object.stride
          const element = memory.bytes.subarray(at, at + object.stride)
          if (!element.some(b => b !== 0)) continue
          const hash = hashOf(made, [BigInt(index)], fields)
          if (hash !== undefined && visitor(object, at, hash, 0, index)) element.fill(0)
        }
    }
  }

  /** Carries a change out; `now` is the time of the last packet, ns. Answers how many entries moved or were copied. */
  apply({ demoted, moves, promoted }: Change, now: bigint): number {
    for (const hash of demoted) {
      this.heavy.delete(hash)
      const owner = this.ownerOf(hash)
      this.blocks.forEach((block, w) => {
        if (w !== owner) this.each(block, h => (h === hash ? [] : undefined), now)
      })
    }
    let entries = 0
    for (const from of new Set(moves.map(m => m.from))) {
      const targets = new Map(moves.filter(m => m.from === from).map(m => [m.bucket, this.blocks[m.to]]))
      const targetOf = (hash: number): Owner[] | undefined => {
        const to = this.heavy.has(hash) ? undefined : targets.get(hash % indirectionEntries)
        return to && [to]
      }
      entries += this.each(this.blocks[from], targetOf, now)
    }
    for (const { bucket, to } of moves) this.owners[bucket] = to
    for (const hash of promoted) {
      const owner = this.ownerOf(hash)
      const others = this.blocks.filter((_, w) => w !== owner)
      entries += this.each(this.blocks[owner], h => (h === hash ? others : undefined), now, true)
      this.heavy.add(hash)
    }
    return entries
  }

  /** True if every table of every worker takes entries without throwing others out. */
  get roomy(): boolean {
    return this.parts.layout.objects.every(
      object =>
        object.kind !== 'table' ||
        this.blocks.every(
          ({ memory, base }) => new Table(memory, base + object.offset, object).count < object.capacity,
        ),
    )
  }

  private ownerOf(hash: number): number {
    return this.owners[hash % indirectionEntries]
  }

  /**
   * Every entry of a block for whose hash there are targets is copied to them, and taken out unless it is `kept`.
   * Answers how many were copied.
   */
  private each(from: Owner, targetsOf: TargetsOf, now: bigint, kept = false): number {
    const { layout, keys, fields } = this.parts
    let moved = 0
    for (const object of layout.objects) {
      const made = keys.find(k => k.object === object.name)
      if (!made) continue
      const targets = (leaves: readonly bigint[]): readonly Owner[] | undefined => {
        const hash = hashOf(made, leaves, fields)
        return hash === undefined ? undefined : targetsOf(hash)
      }
      if (object.kind === 'table') moved += tableEntries(object, from, targets, now, kept)
      else if (object.kind === 'array') moved += arrayElements(object, from, targets, kept)
    }
    return moved
  }
}

/** What one worker answered: copies of entries and elements, and who is to have them. */
interface Answer {
  readonly object: HashLayout | ArrayLayout
  readonly to: readonly number[]
  readonly clock: number
  readonly index: number
  readonly bytes: Uint8Array
}
export type Answers = readonly (readonly Answer[])[]

type Visitor = (
  object: HashLayout | ArrayLayout,
  at: number,
  hash: number,
  clock: number,
  index: number,
) => boolean

type TargetsOf = (hash: number) => readonly Owner[] | undefined
type Targets = (leaves: readonly bigint[]) => readonly Owner[] | undefined

function tableEntries(layout: HashLayout, from: Owner, targets: Targets, now: bigint, kept: boolean): number {
  const source = from.base + layout.offset
  const table = new Table(from.memory, source, layout)
  const clock = layout.expire ? clockAt(now, layout.expire.unit) : 0
  let moved = 0
  for (let place = 0; place < slotsPerBucket * layout.bucketCount; place++) {
    const slot = entryOffset(layout, 0, place)
    if (table.tagAt(slot) === 0) continue
    const at = source + slot
    const to = targets(
      layout.key.flatMap(field => leavesOf(field).map(leaf => loadLeaf(from.memory, at, field, leaf, 'key'))),
    )
    if (!to) continue
    if (!table.isExpired(slot, clock))
      for (const owner of to) {
        copyEntry(layout, from.memory, at, owner, clock)
        moved++
      }
    if (!kept) table.remove(slot)
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
  if (touchedTimeOffset >= 0) {
    const touched = memory.view.getUint32(at + touchedTimeOffset, true)
    to.memory.view.setUint32(target + slot + touchedTimeOffset, touched, true)
  }
  const value = layout.keyOffset + layout.keyAreaBytes
  to.memory.bytes.set(memory.bytes.subarray(at + value, at + stride), target + slot + value)
}

/** Elements that are not zero; what is zero is as good as moved. */
function arrayElements(layout: ArrayLayout, from: Owner, targets: Targets, kept: boolean): number {
  let moved = 0
  for (let index = 0; index < layout.length; index++) {
    const at = from.base + layout.offset + index * layout.stride
    const element = from.memory.bytes.subarray(at, at + layout.stride)
    if (!element.some(b => b !== 0)) continue
    const to = targets([BigInt(index)])
    if (!to) continue
    for (const owner of to) {
      owner.memory.bytes.set(element, owner.base + layout.offset + index * layout.stride)
      moved++
    }
    if (!kept) element.fill(0)
  }
  return moved
}
