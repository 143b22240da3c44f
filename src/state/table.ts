// Reference implementation of tables: obviously right, and the oracle for every backend, byte for byte.
//
// A key has two buckets of four slots (hash.ts). Insertion sweeps a little, evicts or refuses at capacity, takes the
// first free slot, and otherwise moves entries along the shortest path to a free slot (displacement.ts). The steps
// and their order are normative, docs/state.md has them in words. A slot is the byte offset of an entry from the
// object's first byte, and 0 means none. Read layout.ts first.

import { roomIn } from './displacement.js'
import { clockSlack, evictionReach, slotsPerBucket, sweepBuckets, tableHeader } from './format.js'
import { candidatesOf, hashKey } from './hash.js'
import type { Candidates, Halves } from './hash.js'
import { entryOffset } from './layout.js'
import type { HashLayout } from './layout.js'
import { add32, load32, store32 } from './memory.js'
import type { StateMemory } from './memory.js'

/** Writes an empty table. `seed` is the hash's, 0 <= seed < 2^64. */
export function clearTable(memory: StateMemory, base: number, layout: HashLayout, seed: bigint): void {
  memory.bytes.fill(0, base, base + layout.size)
  store32(memory, base + tableHeader.bucketCount, layout.bucketCount)
  memory.view.setBigUint64(base + tableHeader.seed, seed, true)
  store32(memory, base + tableHeader.capacity, layout.capacity)
}

export class Table {
  readonly memory: StateMemory
  /** Of the object's first byte. */
  readonly base: number
  readonly layout: HashLayout
  /** Takes back the number that a leaving entry holds. */
  private readonly release: ((number: number) => void) | undefined

  constructor(memory: StateMemory, base: number, layout: HashLayout, release?: (number: number) => void) {
    this.memory = memory
    this.base = base
    this.layout = layout
    this.release = release
  }

  /** Entries present, expired ones that no sweep has met included. */
  get count(): number {
    return this.header('count')
  }

  header(word: keyof typeof tableHeader): number {
    return load32(this.memory, this.base + tableHeader[word])
  }

  /** The slot of an unexpired entry with this key area (keyAreaBytes long), or 0. Changes nothing. */
  find(key: Uint8Array, now = 0): number {
    const { tag, first, second } = this.candidates(key)
    for (const bucket of [first, second])
      for (const slot of this.slotsOf(bucket))
        if (this.tagAt(slot) === tag && this.hasKey(slot, key) && !this.isExpired(slot, now)) return slot
    return 0
  }

  /**
   * Makes an entry with this key and a zero value; returns its slot, or 0 if the table refuses. The key must be
   * absent: find with the same `now` returned 0. `now` is the table's clock, `seq` the packet's number, both u32.
   */
  insert(key: Uint8Array, now = 0, seq = 0): number {
    const candidates = this.candidates(key)
    const { first, second } = candidates
    this.sweep(now)
    this.clearExpired(first, now)
    this.clearExpired(second, now)
    if (this.count >= this.layout.capacity && !this.evict(candidates, seq)) return this.refuse()
    let slot = this.freeSlot(first) || this.freeSlot(second) || roomIn(this, first, second)
    if (slot === 0) {
      if (!this.evict(candidates, seq)) return this.refuse()
      slot = this.freeSlot(first) || this.freeSlot(second)
    }
    this.memory.bytes.set(key, this.base + slot + this.layout.keyOffset)
    this.touch(slot, now, seq)
    store32(this.memory, this.base + slot, candidates.tag)
    add32(this.memory, this.base + tableHeader.count, 1)
    return slot
  }

  /** Marks an entry as used now: it will expire and be evicted later. */
  touch(slot: number, now = 0, seq = 0): void {
    const { touchedTimeOffset, touchedSeqOffset } = this.layout
    if (touchedTimeOffset >= 0) store32(this.memory, this.base + slot + touchedTimeOffset, now)
    if (touchedSeqOffset >= 0) store32(this.memory, this.base + slot + touchedSeqOffset, seq)
  }

  /** Takes an entry out, giving its number back to the pool if the table releases one. */
  remove(slot: number): void {
    const { memory, base, layout } = this
    if (layout.release && this.release) {
      const { offset, bytes } = layout.release.field
      const from = base + slot + offset
      let number = 0
      for (let i = bytes - 1; i >= 0; i--) number = number * 256 + memory.bytes[from + i]
      this.release(number)
    }
    memory.bytes.fill(0, base + slot, base + slot + layout.stride)
    add32(memory, base + tableHeader.count, -1)
  }

  /** Clears expired entries in the next two buckets of the cursor's round; nothing if the table does not expire. */
  sweep(now: number): void {
    if (!this.layout.expire) return
    const { bucketCount } = this.layout
    const cursor = this.header('sweep')
    for (let i = 0; i < sweepBuckets; i++) this.clearExpired((cursor + i) % bucketCount, now)
    store32(this.memory, this.base + tableHeader.sweep, (cursor + sweepBuckets) % bucketCount)
  }

  isExpired(slot: number, now: number): boolean {
    const { expire, touchedTimeOffset } = this.layout
    if (!expire) return false
    const age = (now - load32(this.memory, this.base + slot + touchedTimeOffset)) >>> 0
    return age >= expire.after && age < 2 ** 32 - clockSlack
  }

  /** Where a key may live. */
  candidates(key: Uint8Array): Candidates {
    return candidatesOf(hashKey(key, 0, this.layout.keyAreaBytes, this.seed), this.layout.bucketCount)
  }

  /** Where the key of an entry may live. */
  candidatesAt(slot: number): Candidates {
    const { keyOffset, keyAreaBytes, bucketCount } = this.layout
    const at = this.base + slot + keyOffset
    return candidatesOf(hashKey(this.memory.bytes, at, keyAreaBytes, this.seed), bucketCount)
  }

  /** The slots of a bucket, in order. */
  slotsOf(bucket: number): number[] {
    return Array.from({ length: slotsPerBucket }, (_, i) => entryOffset(this.layout, bucket, i))
  }

  /** The first free slot of a bucket, or 0. */
  freeSlot(bucket: number): number {
    return this.slotsOf(bucket).find(slot => this.tagAt(slot) === 0) ?? 0
  }

  /** The tag of an entry; 0 means free. */
  tagAt(slot: number): number {
    return load32(this.memory, this.base + slot)
  }

  /** Every occupied slot, in the order of the buckets. */
  *occupied(): Generator<number> {
    for (let bucket = 0; bucket < this.layout.bucketCount; bucket++)
      for (const slot of this.slotsOf(bucket)) if (this.tagAt(slot) !== 0) yield slot
  }

  private get seed(): Halves {
    const at = this.base + tableHeader.seed
    return { low: load32(this.memory, at), high: load32(this.memory, at + 4) }
  }

  private hasKey(slot: number, key: Uint8Array): boolean {
    const at = this.base + slot + this.layout.keyOffset
    for (let i = 0; i < this.layout.keyAreaBytes; i++) if (this.memory.bytes[at + i] !== key[i]) return false
    return true
  }

  private clearExpired(bucket: number, now: number): void {
    for (const slot of this.slotsOf(bucket)) {
      if (this.tagAt(slot) === 0 || !this.isExpired(slot, now)) continue
      this.remove(slot)
      add32(this.memory, this.base + tableHeader.expiries, 1)
    }
  }

  private refuse(): number {
    add32(this.memory, this.base + tableHeader.failures, 1)
    return 0
  }

  /** Removes the oldest entry near a key; false if the table does not evict or there is none. */
  private evict({ first, second }: Candidates, seq: number): boolean {
    if (this.layout.evict === 'none') return false
    let victim = this.oldest([...this.slotsOf(first), ...this.slotsOf(second)], seq)
    for (let i = 1; victim === 0 && i <= evictionReach; i++)
      victim = this.oldest(this.slotsOf((second + i) % this.layout.bucketCount), seq)
    if (victim === 0) return false
    this.remove(victim)
    add32(this.memory, this.base + tableHeader.evictions, 1)
    return true
  }

  /** The occupied slot touched longest ago, by sequence number modulo 2^32; the first one of equals; 0 if none. */
  private oldest(slots: readonly number[], seq: number): number {
    let found = 0
    let greatest = -1
    for (const slot of slots) {
      if (this.tagAt(slot) === 0) continue
      const age = (seq - load32(this.memory, this.base + slot + this.layout.touchedSeqOffset)) >>> 0
      if (age <= greatest) continue
      greatest = age
      found = slot
    }
    return found
  }
}
