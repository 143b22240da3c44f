// AF_XDP sockets: packets between a device's queue and memory of ours. Linux 4.18; a wake-up flag since 5.4.
//
// Order: a socket, its packet memory (or that of another socket), ring sizes, rings mapped over the same buffer, bind,
// and an entry in an XSKMAP (`xskmapValue`). The rings are used by whoever owns the buffer; this module only sets up.
// One fill ring belongs to one queue of one device: two sockets on it must take turns.

import { setTimeout as pause } from 'node:timers/promises'
import { Descriptor } from './descriptor.js'
import { errno } from './errno.js'
import { checked, SystemError, Unsupported } from './failure.js'
import type { Explanation } from './failure.js'
import { kernel } from './kernel.js'
import type { Bytes } from './kernel.js'
import { mapOver, wholePages } from './overlay.js'
import type { Mapping } from './overlay.js'
import { Structure } from './structure.js'

const AF_XDP = 44
const SOCK_RAW_CLOEXEC = 3 | 0x8_0000
const SOL_XDP = 283
const option = {
  mmapOffsets: 1,
  receive: 2,
  send: 3,
  memory: 4,
  fill: 5,
  completion: 6,
  statistics: 7,
  options: 8,
  sendBudget: 9,
} as const
const SOL_SOCKET = 1
const socketOption = { busyPoll: 46, napi: 56, preferBusyPoll: 69, busyPollBudget: 70 } as const
const nothing = new Uint8Array(new ArrayBuffer(0))
const MSG_DONTWAIT = 0x40
const bindFlags = { shared: 1, copy: 2, zeroCopy: 4, needWakeup: 8 } as const

/** Rings of a socket, in the order of the kernel's table of offsets. */
const ringKinds = ['receive', 'send', 'fill', 'completion'] as const
export type RingKind = (typeof ringKinds)[number]

const fileOffsets: Readonly<Record<RingKind, bigint>> = {
  receive: 0n,
  send: 0x8000_0000n,
  fill: 0x1_0000_0000n,
  completion: 0x1_8000_0000n,
}

/** Bytes of an entry: a descriptor {u64 address, u32 length, u32 options}, or an address alone. */
const entryBytes: Readonly<Record<RingKind, number>> = { receive: 16, send: 16, fill: 8, completion: 8 }

/** Memory for packets, inside a buffer that stays where it is. */
export interface PacketMemory {
  readonly buffer: ArrayBufferLike
  /** Both multiples of the page size. */
  readonly offset: number
  readonly length: number
  /** Bytes of a frame: 2048 or 4096. */
  readonly frameSize: number
  /** Bytes kept free before each packet, besides the kernel's 256. */
  readonly headroom?: number
}

/** A ring in the buffer; positions are byte offsets in it. */
export interface Ring extends Mapping {
  readonly entries: number
  /** u32, free-running. */
  readonly producer: number
  readonly consumer: number
  /** u32; bit 0: the kernel wants to be woken. -1 on kernels before 5.4. */
  readonly flags: number
  /** The first entry. */
  readonly first: number
}

/** How a socket is bound. */
export interface Binding {
  readonly interfaceIndex: number
  readonly queue: number
  /** Whether packets are copied; `either` takes what the driver offers. */
  readonly mode: 'copy' | 'zeroCopy' | 'either'
  /** The kernel says when it wants to be woken, instead of being called each time. */
  readonly needWakeup?: boolean
  /** A bound socket whose packet memory this one uses; then mode and wake-up are those of the other. */
  readonly sharedWith?: XdpSocket
}

/** Counters of a socket. */
export interface XdpSocketStatistics {
  readonly dropped: bigint
  readonly invalidReceived: bigint
  readonly invalidSent: bigint
  readonly receiveRingFull: bigint
  readonly fillRingEmpty: bigint
  readonly sendRingEmpty: bigint
}

/** An AF_XDP socket. */
export class XdpSocket extends Descriptor {
  readonly #rings: Ring[] = []

  /** Lets the kernel write packets into this memory. */
  registerMemory(memory: PacketMemory): void {
    const bytes = new Uint8Array(memory.buffer, memory.offset, memory.length)
    const registration = new Structure(32)
      .pointer(0, bytes)
      .u64(8, BigInt(memory.length))
      .u32(16, memory.frameSize)
      .u32(20, memory.headroom ?? 0)
    const result = registration.during(value => kernel().setsockopt(this.fd, SOL_XDP, option.memory, value))
    checked(result, 'setsockopt(XDP_UMEM_REG)', error => explainMemory(error, memory))
  }

  /** Makes a ring of `entries` (a power of two) and maps it over the buffer at `offset`, a multiple of the page size. */
  makeRing(kind: RingKind, entries: number, buffer: ArrayBufferLike, offset: number): Ring {
    const size = new Structure(4).u32(0, entries).bytes
    checked(
      kernel().setsockopt(this.fd, SOL_XDP, option[kind], size),
      `setsockopt(XDP ${kind} ring)`,
      error =>
        error === errno.EINVAL
          ? { reason: `${entries} is no power of two, or the ring is there already` }
          : {},
    )
    const places = new Structure(128)
    const length = kernel().getsockopt(this.fd, SOL_XDP, option.mmapOffsets, places.bytes)
    checked(length, 'getsockopt(XDP_MMAP_OFFSETS)')
    const fields = length === 128 ? 4 : 3
    const at = (field: number): number =>
      Number(places.read64(8 * (fields * ringKinds.indexOf(kind) + field)))
    const object = { fd: this.fd, fileOffset: fileOffsets[kind], what: `the ${kind} ring` }
    const mapped = mapOver(object, buffer, offset, wholePages(at(2) + entries * entryBytes[kind]))
    const ring = {
      ...mapped,
      entries,
      producer: offset + at(0),
      consumer: offset + at(1),
      flags: fields === 4 ? offset + at(3) : -1,
      first: offset + at(2),
    }
    this.#rings.push(ring)
    return ring
  }

  /** Binds the socket to a queue; EBUSY where one with memory of its own is, or was some milliseconds ago. */
  bind(binding: Binding): void {
    const { interfaceIndex, queue, mode, needWakeup, sharedWith } = binding
    const wanted = (mode === 'either' ? 0 : bindFlags[mode]) | (needWakeup ? bindFlags.needWakeup : 0)
    const address = new Structure(16)
      .u16(0, AF_XDP)
      .u16(2, sharedWith === undefined ? wanted : bindFlags.shared)
      .u32(4, interfaceIndex)
      .u32(8, queue)
      .u32(12, sharedWith?.fd ?? 0)
    const result = kernel().bind(this.fd, address.bytes)
    if (-result === errno.EOPNOTSUPP && mode === 'zeroCopy')
      throw new Unsupported(
        `AF_XDP without copying on interface ${interfaceIndex}`,
        'a driver that implements it',
        'one that does not',
        'let packets be copied',
      )
    checked(result, `bind of an AF_XDP socket to queue ${queue} of interface ${interfaceIndex}`, explainBind)
  }

  /** Binds as soon as a socket that was closed before has given the queue back; waits at most `patience` milliseconds. */
  async bindWhenFree(binding: Binding, patience = 1000): Promise<void> {
    for (const end = performance.now() + patience; ;) {
      try {
        return this.bind(binding)
      } catch (error) {
        const taken = error instanceof SystemError && error.errno === errno.EBUSY
        if (!taken || performance.now() > end) throw error
        await pause(5)
      }
    }
  }

  /** Whether packets really go without copying. Linux 5.3. */
  get zeroCopy(): boolean {
    const value = new Structure(4)
    return (
      kernel().getsockopt(this.fd, SOL_XDP, option.options, value.bytes) >= 4 && (value.read32(0) & 1) !== 0
    )
  }

  /** Makes the kernel look at the send and fill rings. False if it wants to be asked again. */
  wake(): boolean {
    const result = kernel().send(this.fd, null, MSG_DONTWAIT)
    if (result >= 0) return true
    if ([errno.EAGAIN, errno.EBUSY, errno.ENOBUFS, errno.EINTR].includes(-result)) return false
    throw new SystemError('send on an AF_XDP socket', -result, {
      reason: -result === errno.ENETDOWN ? 'the device is down' : undefined,
    })
  }

  /** Makes the kernel look at the receive and fill rings: of a driver that fills them itself and wants to be woken. */
  wakeReceive(): void {
    kernel().receive(this.fd, nothing, MSG_DONTWAIT)
  }

  /** Lets one `wake` send up to `packets` in copy mode, instead of 32. Whether the kernel can: Linux 6.17. */
  allowSending(packets: number): boolean {
    return (
      kernel().setsockopt(this.fd, SOL_XDP, option.sendBudget, new Structure(4).u32(0, packets).bytes) >= 0
    )
  }

  /** Has the kernel process packets when this thread asks for them, in place of interrupts. Linux 5.11. */
  preferBusyPoll(microseconds: number, budget: number): void {
    for (const [name, value] of [
      [socketOption.preferBusyPoll, 1],
      [socketOption.busyPoll, microseconds],
      [socketOption.busyPollBudget, budget],
    ])
      checked(
        kernel().setsockopt(this.fd, SOL_SOCKET, name, new Structure(4).u32(0, value).bytes),
        'setsockopt(SO_BUSY_POLL)',
        error => (error === errno.ENOPROTOOPT ? { reason: 'busy polling needs Linux 5.11' } : {}),
      )
  }

  /**
   * Microseconds of busy polling in force; 0 for none, and as long as there is nothing to poll. What is polled is the NAPI
   * that the driver has named for the queue: known when the socket is bound since Linux 6.14, with its first packet before
   * 6.13. A driver that names none, as veth, is never polled, though the kernel takes the options and shows them.
   */
  get busyPoll(): number {
    const value = new Structure(4)
    const read = (name: number): number =>
      kernel().getsockopt(this.fd, SOL_SOCKET, name, value.bytes) >= 4 ? value.read32(0) : 0
    if (read(socketOption.preferBusyPoll) !== 1 || read(socketOption.napi) === 0) return 0
    return read(socketOption.busyPoll)
  }

  statistics(): XdpSocketStatistics {
    const answer = new Structure(48)
    checked(
      kernel().getsockopt(this.fd, SOL_XDP, option.statistics, answer.bytes),
      'getsockopt(XDP_STATISTICS)',
    )
    const [dropped, invalidReceived, invalidSent, receiveRingFull, fillRingEmpty, sendRingEmpty] = Array.from(
      { length: 6 },
      (_, k) => answer.read64(8 * k),
    )
    return { dropped, invalidReceived, invalidSent, receiveRingFull, fillRingEmpty, sendRingEmpty }
  }

  /** Takes the rings out of the buffer and closes the socket; the rings hold the queue as long as they are mapped. */
  override close(): void {
    for (const ring of this.#rings) ring.unmap()
    super.close()
  }
}

/** Opens a socket in the namespace of the calling thread. */
export function openXdpSocket(): XdpSocket {
  const fd = kernel().socket(AF_XDP, SOCK_RAW_CLOEXEC, 0)
  if (-fd === errno.EAFNOSUPPORT)
    throw new Unsupported('AF_XDP', 'Linux 4.18 with CONFIG_XDP_SOCKETS', 'a kernel without it')
  if (-fd === errno.EPERM)
    throw new Unsupported('AF_XDP', 'the capability CAP_NET_RAW', 'an unprivileged user', 'run it as root')
  return new XdpSocket(checked(fd, 'socket(AF_XDP)'))
}

/** The value of an XSKMAP entry for a socket. */
export function xskmapValue(socket: XdpSocket): Bytes {
  return new Structure(4).u32(0, socket.fd).bytes
}

/** Bytes of the buffer that a ring takes at most, in whole pages. */
export function ringBytes(kind: RingKind, entries: number): number {
  // The positions and flags before the entries take 3 cache lines of at most 128 bytes, padded to 4.
  return wholePages(512 + entries * entryBytes[kind])
}

function explainMemory(error: number, { length, frameSize }: PacketMemory): Explanation {
  switch (error) {
    case errno.EINVAL:
      return { reason: `frames have 2048 or 4096 bytes, not ${frameSize}, and memory begins at a page` }
    case errno.ENOBUFS:
    case errno.EPERM:
      return {
        reason: `${length} bytes are more than this process may lock`,
        remedy: 'raise ulimit -l, or run it as root',
      }
    case errno.EBUSY:
      return { reason: 'the socket has packet memory already' }
    default:
      return {}
  }
}

function explainBind(error: number): Explanation {
  switch (error) {
    case errno.EBUSY:
      return {
        reason: 'another socket with memory of its own has the queue',
        remedy: 'close it, or take another queue',
      }
    case errno.EINVAL:
      return {
        reason:
          'the device has no such queue, a ring is missing, or a shared socket asked for a mode of its own',
      }
    case errno.ENODEV:
      return { reason: 'there is no such interface in this namespace' }
    case errno.ENETDOWN:
      return { reason: 'the device is down', remedy: 'ip link set dev … up' }
    case errno.EOPNOTSUPP:
      return { reason: 'the device has no AF_XDP in this mode' }
    default:
      return {}
  }
}
