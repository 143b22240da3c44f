// What a worker does again and again: takes packets from its sockets, runs the program on them, carries out the verdicts,
// and wakes the kernel where it wants to be. JavaScript runs once per batch, never per packet.
//
// Nothing here waits: a ring without room costs the packet, which is counted, and frames that were sent come home at every
// turn. Read ../../backend/wasm/rings/ and pool.ts first.

import { socket as field } from '../../backend/wasm/rings/memory.js'
import type { RingLoops } from '../../backend/wasm/rings/module.js'
import { XdpSocket } from '../../sys/af-xdp.js'
import type { QueueLayout } from './layout.js'
import { isGone } from './pool.js'
import type { Pool } from './pool.js'

/** A socket as its worker knows it; can be sent to a thread. */
export interface WorkerSocket {
  readonly k: number
  /** Number of the socket on its pool. */
  readonly s: number
  readonly fd: number
  /** Indices of 32-bit words; -1 on kernels without. */
  readonly sendFlag: number
  readonly fillFlag: number
  readonly busyPoll: boolean
  /** Whether packets are received from it. */
  readonly receives: boolean
  /** Whether they are passed on as they are: they come from the kernel's stack. */
  readonly forwards: boolean
}

/** The part of a pool that worker `s` of it gets. */
export const workerSocket = (
  pool: Pool,
  s: number,
  kind: { readonly receives: boolean; readonly forwards: boolean },
): WorkerSocket => ({
  k: pool.k,
  s,
  fd: pool.sockets[s].fd,
  sendFlag: pool.sendFlags[s],
  fillFlag: pool.fillFlags,
  busyPoll: pool.options.busyPoll > 0,
  ...kind,
})

/** Runs the program on a batch of descriptors. */
export type RunBatch = (descriptors: number, count: number) => void

interface Open extends WorkerSocket {
  readonly block: number
  readonly pending: number
  readonly socket: XdpSocket
}

export class Turn {
  readonly #rings: RingLoops
  readonly #words: Uint32Array
  readonly #layout: QueueLayout
  readonly #descriptors: number
  readonly #list: number
  readonly #run: RunBatch
  readonly #sockets: Open[] = []
  /** Calls to wake the kernel that failed because an interface is down or has gone. */
  failures = 0

  constructor(
    memory: WebAssembly.Memory,
    rings: RingLoops,
    layout: QueueLayout,
    worker: number,
    run: RunBatch,
  ) {
    this.#rings = rings
    this.#words = new Uint32Array(memory.buffer)
    this.#layout = layout
    this.#descriptors = layout.descriptors[worker]
    this.#list = layout.lists[worker]
    this.#run = run
  }

  get sockets(): readonly WorkerSocket[] {
    return this.#sockets
  }

  open(socket: WorkerSocket): void {
    const { block } = this.#layout.places[socket.k].sockets[socket.s]
    this.#sockets.push({
      ...socket,
      block,
      pending: (block + field.pending) >>> 2,
      socket: new XdpSocket(socket.fd),
    })
  }

  close(k: number): void {
    const kept = this.#sockets.filter(open => open.k !== k)
    this.#sockets.splice(0, this.#sockets.length, ...kept)
  }

  /** Handles at most a batch of each socket; answers how many packets there were. `now` is their timestamp. */
  turn(now: bigint): number {
    let total = 0
    for (const { receives, forwards, block } of this.#sockets) {
      if (!receives) continue
      const count = this.#rings.receive(block, this.#descriptors, this.#layout.batch, now)
      if (count === 0) continue
      if (!forwards) this.#run(this.#descriptors, count)
      this.#rings.dispatch(block, this.#descriptors, count)
      total += count
    }
    this.#rings.reap(this.#list)
    this.wake()
    return total
  }

  /** Wakes the kernel where something was posted or it has asked for it. */
  wake(): void {
    for (const open of this.#sockets) {
      if (this.#words[open.pending] !== 0) {
        this.#words[open.pending] = 0
        if (open.sendFlag < 0 || (this.#words[open.sendFlag] & 1) !== 0) this.#wakeSend(open)
      }
      if (open.receives && (open.busyPoll || (open.fillFlag >= 0 && (this.#words[open.fillFlag] & 1) !== 0)))
        open.socket.wakeReceive()
    }
  }

  #wakeSend(open: Open): void {
    try {
      // Where it sends only so many at a time, the rest is for the next turn.
      if (!open.socket.wake()) this.#words[open.pending] = 1
    } catch (error) {
      if (!isGone(error)) throw error
      this.failures++
    }
  }

  /** Whether a ring still has packets that the kernel is to be woken for. */
  get busy(): boolean {
    return this.#sockets.some(({ pending }) => this.#words[pending] !== 0)
  }
}
