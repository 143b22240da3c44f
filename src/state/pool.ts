// Reference implementation of pools: a queue of free numbers, longest free first.
//
// The header counts, the ring behind it holds the free numbers from `head` on. Bytes of the ring that hold no free
// number keep what stood there last, in every backend. The empty pool asks its expiring tables first: that is the
// business of the caller who has a clock (docs/state.md, "take"). Read layout.ts first.

import { noNumber, poolHeader } from './format.js'
import type { PoolLayout } from './layout.js'
import { add32, load32, store32 } from './memory.js'
import type { StateMemory } from './memory.js'

/** Writes the initial pool: every number free, in rising order. */
export function clearPool(memory: StateMemory, base: number, layout: PoolLayout): void {
  memory.bytes.fill(0, base, base + layout.size)
  store32(memory, base + poolHeader.available, layout.count)
  store32(memory, base + poolHeader.size, layout.count)
  store32(memory, base + poolHeader.first, layout.first)
  for (let i = 0; i < layout.count; i++) store32(memory, base + layout.ringOffset + 4 * i, layout.first + i)
}

export class Pool {
  readonly memory: StateMemory
  /** Of the object's first byte. */
  readonly base: number
  readonly layout: PoolLayout

  constructor(memory: StateMemory, base: number, layout: PoolLayout) {
    this.memory = memory
    this.base = base
    this.layout = layout
  }

  /** Numbers that are free. */
  get available(): number {
    return load32(this.memory, this.base + poolHeader.available)
  }

  /** The number that has been free the longest, now taken; noNumber if none is. */
  take(): number {
    const { memory, base, layout } = this
    if (this.available === 0) {
      add32(memory, base + poolHeader.exhausted, 1)
      return noNumber
    }
    const head = load32(memory, base + poolHeader.head)
    store32(memory, base + poolHeader.head, head + 1 === layout.count ? 0 : head + 1)
    add32(memory, base + poolHeader.available, -1)
    return load32(memory, this.ringAt(head))
  }

  /** Gives a number back. One that is not the pool's, or that comes when all are free, is counted and ignored. */
  give(number: number): void {
    const { memory, base, layout } = this
    if (number < layout.first || number > layout.last || this.available === layout.count) {
      add32(memory, base + poolHeader.rejected, 1)
      return
    }
    const head = load32(memory, base + poolHeader.head)
    store32(memory, this.ringAt((head + this.available) % layout.count), number)
    add32(memory, base + poolHeader.available, 1)
  }

  /** The free numbers in the order they will be taken. */
  free(): number[] {
    const head = load32(this.memory, this.base + poolHeader.head)
    return Array.from({ length: this.available }, (_, i) =>
      load32(this.memory, this.ringAt((head + i) % this.layout.count)),
    )
  }

  private ringAt(index: number): number {
    return this.base + this.layout.ringOffset + 4 * index
  }
}
