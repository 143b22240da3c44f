// openQueue: one receive queue of one interface in user space, without a program: packets as views, for `for await`.
//
// Everything runs on the calling thread. When there is no packet, it waits on a thread of the FFI's pool, so that timers
// and other work go on; when there always is one, the event loop has its turn every few milliseconds. Read api.ts first.

import { setImmediate } from 'node:timers/promises'
import { pool as poolField, socket as field } from '../../backend/wasm/rings/memory.js'
import { ringLoops } from '../../backend/wasm/rings/module.js'
import type { RingLoops } from '../../backend/wasm/rings/module.js'
import { findInterface } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { here } from '../../sys/namespace.js'
import type { HeldNamespace } from '../../sys/namespace.js'
import { inNamespace } from '../../sys/namespace.js'
import { PollSet } from '../../sys/poll.js'
import { makeMemory } from '../make-memory.js'
import type { Queue, QueueBatch, QueueMode, QueueOptions, QueuePacket, QueueStatistics } from './api.js'
import { checkQueue, frameSizeFor } from './device.js'
import { openKernelInterface } from './kernel-interface.js'
import type { KernelInterface } from './kernel-interface.js'
import { layoutQueues } from './layout.js'
import type { QueueLayout } from './layout.js'
import { parseMatch } from './match.js'
import { CursorBatch, PacketCursor } from './packet.js'
import { Patience } from './patience.js'
import { assignPool, openPool, prepareQueues } from './pool.js'
import type { Pool } from './pool.js'
import type { Steering } from './steering.js'
import { steered } from './steered.js'
import type { Steered } from './steered.js'
import { Turn, workerSocket } from './turn.js'

/** Milliseconds of handling packets after which other work has its turn, and of one sleep at most. */
const slice = 10
const longestSleep = 100
/** Milliseconds between two looks at whether the interface is still there. */
const lookEvery = 500
/** Milliseconds that closing waits for packets on their way out. */
const lastPackets = 200

/** Opens a queue in the namespace of the calling thread. Throws a RangeError, `Unsupported` or `SystemError`. */
export async function openQueue(device: string, queue: number, options: QueueOptions = {}): Promise<Queue> {
  const match = parseMatch(options.steer ?? 'all')
  if ('error' in match) throw new RangeError(`steer '${options.steer}': ${match.error}`)
  const target = checkQueue(device, queue)
  const layout = layoutQueues({
    from: 65_536,
    pools: 2,
    socketsPerPool: 1,
    workers: 1,
    frames: options.frames ?? 4096,
    frameSize: options.frameSize ?? frameSizeFor([target]),
    batch: options.batch ?? 256,
  })
  if ('error' in layout) throw new RangeError(layout.error)
  const memory = makeMemory(layout.pages)
  const view = new DataView(memory.buffer)
  prepareQueues(view, layout)
  const home = here()
  const closing: (() => void)[] = [home.close]
  try {
    const opening = {
      pool: openPool(memory, layout, 0, {
        interfaceIndex: target.index,
        queue,
        mode: options.mode ?? 'either',
        needWakeup: options.needWakeup ?? true,
        busyPoll: options.busyPoll ?? 0,
      }),
    }
    // Both begin here, in the thread's namespace; whichever fails, the other is closed.
    const [opened, made] = await Promise.allSettled([
      opening.pool,
      openKernelInterface(memory, layout, { device: target, pools: [1] }),
    ])
    if (opened.status === 'fulfilled') closing.push(() => opened.value.close())
    if (made.status === 'fulfilled') closing.push(() => inNamespace(home.path, made.value.close))
    if (opened.status === 'rejected') throw opened.reason
    if (made.status === 'rejected') throw made.reason
    const [pool, way] = [opened.value, made.value]
    view.setUint32(layout.places[0].sockets[0].block + field.kernel, layout.places[1].sockets[0].block, true)
    const shared = steered(target, match, options.xdp ?? 'auto', home)
    closing.push(shared.release)
    shared.steering.setSockets(queue, pool.sockets)
    closing.push(() => shared.steering.setSockets(queue, undefined))
    return new OpenQueue(target, memory, layout, pool, way, shared, home, closing)
  } catch (error) {
    for (const action of closing.toReversed()) action()
    throw error
  }
}

class OpenQueue implements Queue {
  readonly device: string
  readonly queue: number
  readonly mode: QueueMode
  readonly memory: Uint8Array
  readonly #target: NetworkInterface
  readonly #layout: QueueLayout
  readonly #view: DataView
  readonly #rings: RingLoops
  readonly #turn: Turn
  readonly #pool: Pool
  readonly #steering: Steering
  readonly #home: HeldNamespace
  readonly #closing: (() => void)[]
  readonly #cursor: PacketCursor
  readonly #batch: CursorBatch
  readonly #poll: PollSet
  #made = 0
  #closed = false
  #up = true
  #looked = performance.now()
  #gone: Error | undefined
  #final: QueueStatistics | undefined

  constructor(
    target: NetworkInterface,
    memory: WebAssembly.Memory,
    layout: QueueLayout,
    pool: Pool,
    way: KernelInterface,
    shared: Steered,
    home: HeldNamespace,
    closing: (() => void)[],
  ) {
    this.device = target.name
    this.queue = pool.options.queue
    const { zeroCopy, needWakeup } = pool.mode
    this.mode = {
      xdp: shared.mode,
      zeroCopy,
      needWakeup,
      get busyPoll() {
        return pool.mode.busyPoll
      },
    }
    this.memory = new Uint8Array(memory.buffer, layout.memory, layout.memoryBytes)
    this.#target = target
    this.#layout = layout
    this.#view = new DataView(memory.buffer)
    this.#rings = ringLoops(memory)
    this.#turn = new Turn(memory, this.#rings, layout, 0, () => {})
    for (const open of [pool, ...way.pools]) {
      assignPool(this.#view, layout, 0, open.k)
      this.#turn.open(workerSocket(open, 0, { receives: open === pool, forwards: false }))
    }
    this.#pool = pool
    this.#steering = shared.steering
    this.#home = home
    this.#closing = closing
    this.#cursor = new PacketCursor(memory.buffer, layout.memory)
    this.#batch = new CursorBatch(this.#cursor, layout.descriptors[0])
    this.#poll = new PollSet([pool.sockets[0].fd])
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<QueueBatch> {
    const { descriptors, batch, places } = this.#layout
    const { block } = places[0].sockets[0]
    let turned = performance.now()
    const patience = new Patience(turned)
    while (!this.#closed) {
      const count = this.#rings.receive(block, descriptors[0], batch, 0n)
      if (count > 0) {
        this.#batch.length = count
        try {
          yield this.#batch
        } finally {
          this.#batch.length = 0
          if (!this.#closed) this.#rings.dispatch(block, descriptors[0], count)
        }
        if (this.#closed) return
      }
      this.#rings.reap(this.#layout.lists[0])
      this.#turn.wake()
      const now = performance.now()
      this.#look(now)
      if (now - turned > slice) {
        await setImmediate()
        turned = performance.now()
      }
      if (count > 0 || this.#turn.busy) patience.found(count, now)
      if (!patience.isOver(now)) continue
      await this.#poll.waitLater(longestSleep)
      turned = performance.now()
      patience.slept(turned)
    }
  }

  inject(packet: QueuePacket | Uint8Array): boolean {
    if (packet === this.#cursor) {
      this.#cursor.decide('pass')
      return true
    }
    return this.#make(packet as Uint8Array, 1)
  }

  transmit(packet: QueuePacket | Uint8Array): boolean {
    if (packet === this.#cursor) {
      this.#cursor.decide('transmit')
      return true
    }
    return this.#make(packet as Uint8Array, 0)
  }

  /** Posts a frame of our own to the socket of pool `k`: a copy, in a spare frame. */
  #make(bytes: Uint8Array, k: number): boolean {
    const { spare, frames, frameSize, places } = this.#layout
    if (this.#closed) return false
    if (bytes.length < 14 || bytes.length > frameSize)
      throw new RangeError(`a packet has 14 to ${frameSize} bytes, not ${bytes.length}`)
    const view = this.#view
    const written = view.getUint32(spare.block + poolField.fillWritten, true)
    const taken = this.#spareTaken
    const { block } = places[k].sockets[0]
    const at = view.getUint32(block + field.sendWritten, true)
    const consumer = view.getUint32(view.getUint32(block + field.sendConsumer, true), true)
    if (taken === written || (at - consumer) >>> 0 > view.getUint32(block + field.sendMask, true))
      return false
    const address = view.getUint32(spare.fill + 64 + 8 * (taken & (frames - 1)), true)
    this.#spareTaken = (taken + 1) >>> 0
    this.memory.set(bytes, address)
    const entry =
      view.getUint32(block + field.sendFirst, true) + 16 * (at & view.getUint32(block + field.sendMask, true))
    view.setBigUint64(entry, BigInt(address), true)
    view.setBigUint64(entry + 8, BigInt(bytes.length), true)
    view.setUint32(block + field.sendWritten, at + 1, true)
    Atomics.store(
      new Uint32Array(view.buffer, view.getUint32(block + field.sendProducer, true), 1),
      0,
      at + 1,
    )
    view.setUint32(block + field.pending, view.getUint32(block + field.pending, true) + 1, true)
    view.setBigUint64(block + field.posted, view.getBigUint64(block + field.posted, true) + 1n, true)
    this.#made++
    this.#turn.wake()
    this.#rings.reap(this.#layout.lists[0])
    return true
  }
  #spareTaken = 0

  /** Ends the iteration with a reason if the interface has gone. */
  #look(now: number): void {
    if (this.#gone) throw this.#gone
    if (now - this.#looked < lookEvery) return
    this.#looked = now
    const found = inNamespace(this.#home.path, () => findInterface(this.#target.index))
    this.#up = found?.up === true
    if (found) return
    this.#gone = new Error(`interface ${this.device} has gone: it was deleted or moved to another namespace`)
    throw this.#gone
  }

  statistics(): QueueStatistics {
    if (this.#final) return this.#final
    const { block } = this.#layout.places[0].sockets[0]
    const count = (at: number): number => Number(this.#view.getBigUint64(block + at, true))
    const { taken } = this.#steering.counts(this.queue)
    const lost = this.#pool.statistics()
    return {
      taken,
      elsewhere: this.#steering.elsewhere(),
      received: count(field.received),
      receivedBytes: count(field.receivedBytes),
      // A packet that nobody decided about has no verdict.
      dropped: count(field.dropped) + count(field.aborted),
      injected: count(field.passed),
      transmitted: count(field.transmitted),
      sendRingFull: count(field.sendRingFull),
      frameMissing: Number(lost.dropped),
      receiveRingFull: Number(lost.receiveRingFull),
      fillRingEmpty: Number(lost.fillRingEmpty),
      made: this.#made,
      up: this.#up,
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    // What was posted last is still sent.
    const { places, lists } = this.#layout
    for (const end = performance.now() + lastPackets; performance.now() < end;) {
      this.#turn.wake()
      this.#rings.reap(lists[0])
      const open = places.some(({ block, sockets }) => {
        const posted = this.#view.getBigUint64(sockets[0].block + field.posted, true)
        return posted !== this.#view.getBigUint64(block + poolField.completed, true)
      })
      if (!open) break
      await setImmediate()
    }
    this.#final = this.statistics()
    for (const action of this.#closing.toReversed()) action()
  }
}
