// The state of shards, and how it changes hands: a bucket's entries go to another worker, a heavy key's are copied to all,
// or kept by one again.
//
// `apply` is done while no worker runs, so nothing is lost and nothing is seen twice. `answers` and `takeIn` are what workers do
// in the stream of packets by compiled code (in-band.ts), for the reference run of verify. Entries keep their times and sequence
// numbers; expired ones are not copied. A table that has no room refuses as at any insertion, and counts it.
// Uses the reference implementation of tables, not the compiled one.

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
      this.visit(block, now, ({ object, at, hash, clock, index, isExpired }) => {
        const to = isExpired ? undefined : targets(hash)
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
      this.visit(block, undefined, ({ hash }) => {
        const to = this.heavy.has(hash) ? undefined : moving.get(hash % indirectionEntries)
        return to !== undefined && to !== w
      })
      for (const { object, to, clock, index, bytes } of answers.flat()) {
        if (!to.includes(w)) continue
        copy(object, { bytes, view: new DataView(bytes.buffer) }, 0, block, clock, index)
      }
    })
    for (const { bucket, to } of moves) this.owners[bucket] = to
  }

  /**
   * Every entry and element that is not zero, with its hash, its table's clock at `now` and its index; without a `now` none is
   * expired. Those for which the visitor answers true are deleted.
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
          if (hash === undefined) continue
          const isExpired = now !== undefined && table.isExpired(slot, clock)
          if (visitor({ object, at: first + slot, hash, clock, index: 0, isExpired })) table.remove(slot)
        }
      } else
        for (let index = 0; index < object.length; index++) {
          const at = first + index * object.stride
          const element = memory.bytes.subarray(at, at + object.stride)
          if (!element.some(b => b !== 0)) continue
          const hash = hashOf(made, [BigInt(index)], fields)
          if (hash === undefined) continue
          if (visitor({ object, at, hash, clock: 0, index, isExpired: false })) element.fill(0)
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
    let copied = 0
    this.visit(from, now, ({ object, at, hash, clock, index, isExpired }) => {
      const targets = targetsOf(hash)
      if (!targets) return false
      if (!isExpired)
        for (const to of targets) {
          copy(object, from.memory, at, to, clock, index)
          copied++
        }
      return !kept
    })
    return copied
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

interface Visited {
  readonly object: HashLayout | ArrayLayout
  /** Address of the entry or element. */
  readonly at: number
  readonly hash: number
  readonly clock: number
  readonly index: number
  readonly isExpired: boolean
}
type Visitor = (visited: Visited) => boolean

type TargetsOf = (hash: number) => readonly Owner[] | undefined

/** Puts what stands at `at` into another worker's state. */
function copy(
  object: HashLayout | ArrayLayout,
  memory: StateMemory,
  at: number,
  to: Owner,
  clock: number,
  index: number,
): void {
  if (object.kind === 'table') copyEntry(object, memory, at, to, clock)
  else
    to.memory.bytes.set(
      memory.bytes.subarray(at, at + object.stride),
      to.base + object.offset + index * object.stride,
    )
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
