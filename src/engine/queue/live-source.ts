// Live interfaces as a source of slabs: the engine of captures, with every strategy, runs on packets as they come.
//
// The calling thread is the one sequencer: it takes packets off the RX rings of all queues of all interfaces, so there is
// one order, and carries out verdicts when all workers have done a slab. Packets stay where the kernel wrote them. Between
// two slabs it forwards what the kernel sends by hp0, brings frames home and wakes the kernel.
// Read ../run.ts and turn.ts first.

import { socket as field } from '../../backend/wasm/rings/memory.js'
import type { RingLoops } from '../../backend/wasm/rings/module.js'
import type { Batch, Interface, Source } from '../../device/device.js'
import type { Slab } from '../../device/slab.js'
import { PollSet } from '../../sys/poll.js'
import { Patience } from './patience.js'
import type { Turn } from './turn.js'

export interface LiveSourceParts {
  readonly memory: WebAssembly.Memory
  readonly rings: RingLoops
  readonly turn: Turn
  /** Blocks of the sockets that packets are received from, and their descriptors to wait for. */
  readonly blocks: readonly number[]
  readonly fds: readonly number[]
  /** Packets of a slab at most. */
  readonly batch: number
  readonly origin: bigint
  /** Asked before each slab: true has the source end once nothing is left in its rings. */
  readonly ending: () => boolean
}

/** Milliseconds of a sleep. */
const sleep = 5
/** Milliseconds without a packet after which nothing is on its way any more. */
const settled = 30

export class LiveSource implements Source {
  readonly name = 'live'
  readonly fault = undefined
  readonly interfaces: readonly Interface[] = []
  readonly start: bigint | undefined
  readonly #parts: LiveSourceParts
  readonly #view: DataView
  readonly #poll: PollSet
  /** Blocks of the sockets whose packets are under way, in order. */
  readonly #open: number[] = []
  #next = 0
  #lastPacket = performance.now()
  readonly #patience = new Patience(performance.now())

  constructor(parts: LiveSourceParts) {
    this.#parts = parts
    this.#view = new DataView(parts.memory.buffer)
    this.#poll = new PollSet(parts.fds)
    this.start = BigInt(Date.now()) * 1_000_000n
  }

  read(slab: Slab): Batch {
    const { rings, turn, blocks, batch, origin } = this.#parts
    const now = process.hrtime.bigint() - origin
    turn.turn(now)
    for (let k = 0; k < blocks.length; k++) {
      const block = blocks[this.#next]
      this.#next = (this.#next + 1) % blocks.length
      const before = this.#view.getBigUint64(block + field.receivedBytes, true)
      const count = rings.receive(block, slab.descriptors, Math.min(batch, slab.capacity), now)
      if (count === 0) continue
      this.#open.push(block)
      this.#lastPacket = performance.now()
      this.#patience.found(count, this.#lastPacket)
      const bytes = Number(this.#view.getBigUint64(block + field.receivedBytes, true) - before)
      return { count, bytes, wireBytes: bytes, end: false }
    }
    const ending = this.#parts.ending()
    // While slabs are under way the engine is to collect them first.
    const time = performance.now()
    if (this.#open.length > 0 || turn.busy) this.#patience.found(0, time)
    else if (this.#patience.isOver(time)) {
      this.#poll.wait(sleep)
      this.#patience.slept(performance.now())
    }
    const end = ending && this.#open.length === 0 && performance.now() - this.#lastPacket > settled
    return { count: 0, bytes: 0, wireBytes: 0, end }
  }

  /** Carries out the verdicts of the oldest slab. */
  dispatch(slab: Slab, count: number): void {
    this.#parts.rings.dispatch(this.#open.shift()!, slab.descriptors, count)
    this.#parts.turn.wake()
  }

  close(): void {}
}
