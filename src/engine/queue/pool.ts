// One queue of one interface, open for AF_XDP: its sockets, with their rings over the shared memory, and its frames.
//
// Effects begin here: opening binds sockets to the queue of an interface in the namespace of the calling thread, and
// gives all frames of the pool's home to the kernel. Packets come only when something redirects them (steering.ts).
// Read layout.ts first.

import { pool as poolField, pools, socket as socketField } from '../../backend/wasm/rings/memory.js'
import { openXdpSocket } from '../../sys/af-xdp.js'
import type { Ring, XdpSocket, XdpSocketStatistics } from '../../sys/af-xdp.js'
import { errno } from '../../sys/errno.js'
import { SystemError } from '../../sys/failure.js'
import type { QueueLayout } from './layout.js'

export interface PoolOptions {
  readonly interfaceIndex: number
  readonly queue: number
  /** Number of the interface to programs; its index if left out. */
  readonly device?: number
  readonly mode: 'copy' | 'zeroCopy' | 'either'
  readonly needWakeup: boolean
  /** Microseconds; 0 for interrupts. */
  readonly busyPoll: number
}

/** How a pool really works, as the kernel tells it. */
export interface PoolMode {
  readonly zeroCopy: boolean
  readonly needWakeup: boolean
  /** Microseconds in force; 0 for interrupts, also where the driver gives nothing to poll. */
  readonly busyPoll: number
  /** Packets that one call sends at most, in copy mode. */
  readonly sendBudget: number
}

/** An open pool. */
export interface Pool {
  /** Number of the pool in the layout. */
  readonly k: number
  readonly options: PoolOptions
  readonly sockets: readonly XdpSocket[]
  readonly mode: PoolMode
  /** Positions of the flags of TX and FILL rings, as indices of 32-bit words. */
  readonly sendFlags: readonly number[]
  readonly fillFlags: number
  /** Sum over the sockets. */
  statistics(): XdpSocketStatistics
  close(): void
}

/** Packets that the kernel sends per call if nobody asks for more (TX_BATCH_SIZE in net/xdp/xsk.c). */
const usualSendBudget = 32
/** Packets of one round of busy polling. */
const busyPollBudget = 64

/** Opens pool `k` of the layout. Resolves when the queue is free, at most a second later. */
export async function openPool(
  memory: WebAssembly.Memory,
  layout: QueueLayout,
  k: number,
  options: PoolOptions,
): Promise<Pool> {
  const { frames, frameSize } = layout
  const { buffer } = memory
  const place = layout.places[k]
  const view = new DataView(buffer)
  const sockets: XdpSocket[] = []
  const closing = (): void => {
    view.setUint32(place.block + poolField.open, 0, true)
    for (const socket of sockets.toReversed()) socket.close()
  }
  try {
    let sendBudget = usualSendBudget
    const sends: Ring[] = []
    let fill: Ring | undefined
    // Before anything is waited for: sockets belong to the namespace that the thread is in now.
    for (const _ of place.sockets) sockets.push(openXdpSocket())
    for (const [s, at] of place.sockets.entries()) {
      const socket = sockets[s]
      const first = s === 0 ? undefined : sockets[0]
      if (first === undefined) {
        socket.registerMemory({ buffer, offset: layout.memory, length: layout.memoryBytes, frameSize })
        fill = socket.makeRing('fill', frames, buffer, place.fill)
        const completion = socket.makeRing('completion', frames, buffer, place.completion)
        writePool(view, place.block, fill, completion)
      }
      const receive = socket.makeRing('receive', frames, buffer, at.receive)
      const send = socket.makeRing('send', frames, buffer, at.send)
      if (socket.allowSending(frames)) sendBudget = frames
      if (options.busyPoll > 0) socket.preferBusyPoll(options.busyPoll, busyPollBudget)
      const { interfaceIndex, queue, mode, needWakeup } = options
      await socket.bindWhenFree({
        interfaceIndex,
        queue,
        mode,
        needWakeup,
        ...(first && { sharedWith: first }),
      })
      writeSocket(view, at.block, receive, send, layout, place.block, options)
      sends.push(send)
    }
    fillHome(view, layout, k)
    const [socket] = sockets
    const { zeroCopy } = socket
    const flagged = sends[0].flags >= 0 && (view.getUint32(sends[0].flags, true) & 1) !== 0
    return {
      k,
      options,
      sockets,
      // In copy mode the kernel shows its wish at once; a driver may have none yet.
      mode: {
        zeroCopy,
        needWakeup: options.needWakeup && (flagged || zeroCopy),
        // Asked for again: what there is to poll may be known later.
        get busyPoll() {
          return socket.closed ? 0 : socket.busyPoll
        },
        sendBudget,
      },
      sendFlags: sends.map(ring => (ring.flags < 0 ? -1 : ring.flags >>> 2)),
      fillFlags: fill!.flags < 0 ? -1 : fill!.flags >>> 2,
      statistics: () => sockets.map(s => s.statistics()).reduce(added),
      close: closing,
    }
  } catch (error) {
    closing()
    throw error
  }
}

const added = (a: XdpSocketStatistics, b: XdpSocketStatistics): XdpSocketStatistics => ({
  dropped: a.dropped + b.dropped,
  invalidReceived: a.invalidReceived + b.invalidReceived,
  invalidSent: a.invalidSent + b.invalidSent,
  receiveRingFull: a.receiveRingFull + b.receiveRingFull,
  // Of rings that the sockets share.
  fillRingEmpty: a.fillRingEmpty,
  sendRingEmpty: a.sendRingEmpty + b.sendRingEmpty,
})

function writePool(view: DataView, block: number, fill: Ring, completion: Ring): void {
  const set = (field: number, value: number): void => view.setUint32(block + field, value, true)
  set(poolField.fillProducer, fill.producer)
  set(poolField.fillFirst, fill.first)
  set(poolField.fillMask, fill.entries - 1)
  set(poolField.fillWritten, 0)
  set(poolField.completionProducer, completion.producer)
  set(poolField.completionConsumer, completion.consumer)
  set(poolField.completionFirst, completion.first)
  set(poolField.completionMask, completion.entries - 1)
  set(poolField.open, 1)
}

function writeSocket(
  view: DataView,
  block: number,
  receive: Ring,
  send: Ring,
  layout: QueueLayout,
  pool: number,
  { interfaceIndex, device = interfaceIndex }: PoolOptions,
): void {
  const set = (field: number, value: number): void => view.setUint32(block + field, value, true)
  set(socketField.receiveProducer, receive.producer)
  set(socketField.receiveConsumer, receive.consumer)
  set(socketField.receiveFirst, receive.first)
  set(socketField.receiveMask, receive.entries - 1)
  set(socketField.sendProducer, send.producer)
  set(socketField.sendConsumer, send.consumer)
  set(socketField.sendFirst, send.first)
  set(socketField.sendMask, send.entries - 1)
  set(socketField.sendWritten, 0)
  set(socketField.pending, 0)
  set(socketField.memory, layout.memory)
  set(socketField.device, device)
  set(socketField.pool, pool)
  set(socketField.lock, layout.socketsPerPool > 1 ? layout.lock : 0)
}

/** Gives the frames of a pool's home to the kernel. */
function fillHome(view: DataView, layout: QueueLayout, k: number): void {
  const { block, home } = layout.places[k]
  const first = view.getUint32(block + poolField.fillFirst, true)
  for (let n = 0; n < layout.frames; n++)
    view.setBigUint64(first + 8 * n, BigInt(home + n * layout.frameSize), true)
  view.setUint32(block + poolField.fillWritten, layout.frames, true)
  const producer = view.getUint32(block + poolField.fillProducer, true)
  Atomics.store(new Uint32Array(view.buffer), producer >>> 2, layout.frames)
}

/** Writes what all pools have in common: the lists for `reap`, and the spare frames that belong to no queue. */
export function prepareQueues(view: DataView, layout: QueueLayout): void {
  const set = (at: number, value: number): void => view.setUint32(at, value, true)
  const { spare, frames, frameSize } = layout
  for (const list of layout.lists) {
    set(list + pools.count, layout.places.length + 1)
    set(list + pools.shift, Math.log2(frames * frameSize))
    // Workers that share a queue share its FILL and COMPLETION rings.
    set(list + pools.lock, layout.socketsPerPool > 1 ? layout.lock : 0)
    for (let k = 0; k <= layout.places.length; k++) set(list + pools.first + 4 * k, layout.nobody)
  }
  // Spare frames are the first worker's.
  set(layout.lists[0] + pools.first + 4 * layout.places.length, spare.block)
  set(spare.block + poolField.fillProducer, spare.fill)
  set(spare.block + poolField.fillFirst, spare.fill + 64)
  set(spare.block + poolField.fillMask, frames - 1)
  set(spare.block + poolField.fillWritten, frames)
  set(spare.block + poolField.completionProducer, spare.completion)
  set(spare.block + poolField.completionConsumer, spare.completion)
  set(spare.block + poolField.open, 1)
  set(spare.fill, frames)
  for (let n = 0; n < frames; n++)
    view.setBigUint64(spare.fill + 64 + 8 * n, BigInt(spare.home + n * frameSize), true)
}

/** Lets a worker drain a pool's COMPLETION ring; several may only where pools have a lock. */
export function assignPool(view: DataView, layout: QueueLayout, worker: number, k: number): void {
  view.setUint32(layout.lists[worker] + pools.first + 4 * k, layout.places[k].block, true)
}

/** Whether an error says that the device went away, or down, while it was in use. */
export const isGone = (error: unknown): boolean =>
  error instanceof SystemError && [errno.ENXIO, errno.ENODEV, errno.ENETDOWN].includes(error.errno)
