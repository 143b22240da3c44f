// Where sockets, rings and packet memory of AF_XDP stand in the shared memory. Pure: numbers in, numbers out.
//
// Packet memory is one region that every pool registers as its own: so a frame received on one queue is sent on another,
// of another interface, without being copied, and pools of different modes stand side by side. The region is cut into
// homes of equal size, one per pool and a last one of frames that nobody receives into, for packets made by ourselves.
// Read ../../backend/wasm/rings/memory.ts first.

import { poolBytes, pools, socketBytes, targetBytes } from '../../backend/wasm/rings/memory.js'
import { descriptorBytes } from '../../device/slab.js'
import { ringBytes } from '../../sys/af-xdp.js'
import { pageSize, wholePages } from '../../sys/overlay.js'

export interface QueueNeeds {
  /** First free address; the packets' program, if there is one, has everything below. */
  readonly from: number
  /** Buffer pools: one per queue that may be open at a time, those of the kernel's interface included. */
  readonly pools: number
  /** Sockets on each pool: one, or one per worker where workers share a queue. */
  readonly socketsPerPool: number
  readonly workers: number
  /** Frames of a pool, a power of two, which is the length of all rings too; and their size, 2048 or 4096. */
  readonly frames: number
  readonly frameSize: number
  /** Packets of a batch. */
  readonly batch: number
}

/** Addresses. */
export interface SocketPlace {
  readonly block: number
  readonly receive: number
  readonly send: number
}

export interface PoolPlace {
  readonly block: number
  readonly fill: number
  readonly completion: number
  readonly sockets: readonly SocketPlace[]
  /** The pool's frames, from the start of the packet memory. */
  readonly home: number
}

export interface QueueLayout extends QueueNeeds {
  /** Pages of 64 KiB that the memory has. */
  readonly pages: number
  /** Words for stopping and watching workers, a cache line each. */
  readonly control: number
  readonly lock: number
  readonly places: readonly PoolPlace[]
  /** The pool without rings: its FILL ring, plain memory, is the list of frames that are free to be written to. */
  readonly spare: PoolPlace
  /** A pool's block that is never open: what a list has in place of a pool that is not for its worker. */
  readonly nobody: number
  /** Per worker, the list of pools for `reap`. */
  readonly lists: readonly number[]
  /** Per worker: the table of sockets that may be sent to, and room for a batch of packet descriptors. */
  readonly targets: readonly number[]
  readonly descriptors: readonly number[]
  readonly memory: number
  readonly memoryBytes: number
}

/** Entries of a worker's table of targets. */
export const mostTargets = 64
export const controlBytes = 64
/** Of all rings and homes: RX rings of less would lose packets at every pause of a batch. */
export const leastFrames = 64
export const mostFrames = 65_536

/** The layout, or why there is none. */
export function layoutQueues(needs: QueueNeeds): QueueLayout | { readonly error: string } {
  const { frames, frameSize, workers, socketsPerPool, batch } = needs
  if (!Number.isInteger(Math.log2(frames)) || frames < leastFrames || frames > mostFrames)
    return { error: `frames are a power of two from ${leastFrames} to ${mostFrames}, not ${frames}` }
  if (frameSize !== 2048 && frameSize !== 4096)
    return { error: `a frame has 2048 or 4096 bytes, not ${frameSize}` }
  let next = wholePages(needs.from)
  const take = (bytes: number, to = 64): number => {
    const at = Math.ceil(next / to) * to
    next = at + bytes
    return at
  }
  const each = <T>(n: number, make: (k: number) => T): T[] => Array.from({ length: n }, (_, k) => make(k))
  const homeBytes = frames * frameSize

  const control = take(controlBytes * (workers + 1))
  const lock = take(64)
  const listBytes = pools.first + 4 * (needs.pools + 1)
  const nobody = take(poolBytes)
  const lists = each(workers, () => take(listBytes))
  const targets = each(workers, () => take(targetBytes * mostTargets))
  const descriptors = each(workers, () => take(descriptorBytes * batch))
  const all = each(needs.pools, (k): PoolPlace => ({
    block: take(poolBytes),
    fill: take(ringBytes('fill', frames), pageSize),
    completion: take(ringBytes('completion', frames), pageSize),
    sockets: each(socketsPerPool, () => ({
      block: take(socketBytes),
      receive: take(ringBytes('receive', frames), pageSize),
      send: take(ringBytes('send', frames), pageSize),
    })),
    home: k * homeBytes,
  }))
  const spare: PoolPlace = {
    block: take(poolBytes),
    fill: take(64 + 8 * frames),
    completion: take(64),
    sockets: [],
    home: needs.pools * homeBytes,
  }
  const memory = take(0, pageSize)
  const memoryBytes = (needs.pools + 1) * homeBytes
  next += memoryBytes
  const pages = Math.ceil(next / 65_536)
  if (pages > 65_535)
    return {
      error:
        `${needs.pools + 1} times ${frames} frames of ${frameSize} bytes are ` +
        `${Math.ceil(memoryBytes / 2 ** 20)} MiB, more than one WebAssembly memory of 4 GiB holds beside the rest`,
    }
  return {
    ...needs,
    pages,
    control,
    lock,
    places: all,
    spare,
    nobody,
    lists,
    targets,
    descriptors,
    memory,
    memoryBytes,
  }
}
