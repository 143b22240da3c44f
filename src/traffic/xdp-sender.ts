/**
 * A sender over AF_XDP: packets out of a chosen send queue of a device, by a socket whose rings lie in memory of ours.
 *
 * It works where live frames do not: any device, any queue, no program at the other end. A driver that does not implement
 * AF_XDP copies each packet into a kernel buffer, about 2 Mpps; live frames are some four times faster there. Up to as many
 * different packets as there are frames stand in the packet memory once and are sent from there again and again. Paced
 * by looking at the clock, so rates are kept in the mean. A packet is completed when the kernel gives its frame back.
 */

import { setImmediate } from 'node:timers/promises'
import { openXdpSocket, ringBytes } from '../sys/af-xdp.js'
import type { Ring, XdpSocket } from '../sys/af-xdp.js'
import { findInterface } from '../sys/interfaces.js'
import type { LiveReport, LiveSpecification } from './live.js'

const frames = 4096
const page = 4096
/** Packets between two system calls at most. */
const batch = 256
/** Milliseconds of sending after which the thread's other work has its turn. */
const slice = 10

export interface XdpSpecification extends Omit<LiveSpecification, 'burst'> {
  readonly queue: number
}

export class XdpSender {
  sent = 0
  readonly #specification: XdpSpecification
  readonly #socket: XdpSocket
  readonly #interfaceIndex: number
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #send: Ring
  readonly #completion: Ring
  readonly #memory: number
  readonly #frameSize: number
  /** Packets stand in the memory already. */
  readonly #laidOut: boolean
  #completed = 0
  #produced = 0

  private constructor(specification: XdpSpecification, socket: XdpSocket, index: number) {
    const { packets } = specification
    const longest = packets.reduce((most, { length }) => Math.max(most, length), 0)
    this.#specification = specification
    this.#socket = socket
    this.#interfaceIndex = index
    this.#frameSize = longest <= 2048 ? 2048 : 4096
    const sizes = (['send', 'completion', 'fill'] as const).map(kind => ringBytes(kind, frames))
    const rings = sizes.reduce((a, b) => a + b, page)
    const pages = Math.ceil((rings + frames * this.#frameSize) / 65_536)
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    this.#memory = rings
    this.#bytes = new Uint8Array(buffer)
    this.#words = new Int32Array(buffer)
    const length = frames * this.#frameSize
    socket.registerMemory({ buffer, offset: rings, length, frameSize: this.#frameSize })
    this.#send = socket.makeRing('send', frames, buffer, page)
    this.#completion = socket.makeRing('completion', frames, buffer, page + sizes[0])
    socket.makeRing('fill', frames, buffer, page + sizes[0] + sizes[1])
    this.#laidOut = packets.length <= frames
    if (this.#laidOut)
      packets.forEach((packet, k) => this.#bytes.set(packet, this.#memory + k * this.#frameSize))
  }

  /** Opens a socket in the namespace of the calling thread; bind it next. A RangeError for what cannot be sent. */
  static open(specification: XdpSpecification): XdpSender {
    const { packets, device, queue } = specification
    const found = findInterface(device)
    if (found === undefined) throw new RangeError(`there is no device ${device} in this namespace`)
    if (queue >= found.sendQueues)
      throw new RangeError(`${found.name} has ${found.sendQueues} send queues, from 0`)
    const wrong = packets.find(({ length }) => length < 14 || length > 4096)
    if (packets.length === 0 || wrong)
      throw new RangeError(`a packet has 14 to 4096 bytes, not ${wrong?.length ?? 0}`)
    const socket = openXdpSocket()
    try {
      return new XdpSender(specification, socket, found.index)
    } catch (error) {
      socket.close()
      throw error
    }
  }

  /** Takes the queue, as soon as a socket that was closed a moment ago has given it back. */
  async bind(): Promise<void> {
    const { queue } = this.#specification
    const interfaceIndex = this.#interfaceIndex
    await this.#socket.bindWhenFree({ interfaceIndex, queue, mode: 'either', needWakeup: true })
    this.#socket.allowSending(batch)
  }

  /** Packets whose frames the kernel gave back. */
  completions(): { readonly sent: number; readonly dropped: number } {
    this.#reap()
    if (this.#completed < this.#produced) this.#socket.wake()
    return { sent: this.#completed, dropped: 0 }
  }

  /** Sends `count` packets, or until the signal. */
  async send(count: number, signal?: AbortSignal): Promise<LiveReport> {
    const { packets, rate, times, span = 0 } = this.#specification
    const began = performance.now()
    const due = (k: number): number => {
      if (times === undefined) return rate === undefined ? 0 : (k * 1e3) / rate
      return (times[k % packets.length] + Math.floor(k / packets.length) * span) / 1e6
    }
    const paced = rate !== undefined || times !== undefined
    let turned = began
    let latest = 0
    this.sent = 0
    for (;;) {
      if (this.sent >= count || signal?.aborted) break
      this.#reap()
      const now = performance.now()
      const free = frames - (this.#produced - this.#completed)
      const most = Math.min(count - this.sent, free, batch)
      const lateness = paced ? now - began - due(this.sent) : 0
      let n = 0
      for (; n < most; n++) {
        if (paced && due(this.sent + n) > now - began) break
        this.#place(this.sent + n)
      }
      if (n > 0) {
        latest = Math.max(latest, lateness)
        this.sent += n
        Atomics.store(this.#words, this.#send.producer / 4, this.#produced | 0)
      }
      if (n > 0 || free === 0) this.#socket.wake()
      if (now - turned > slice) {
        await setImmediate()
        turned = performance.now()
      }
    }
    const seconds = (performance.now() - began) / 1000
    const behind = paced && this.sent < count ? Math.max(0, seconds - due(this.sent) / 1000) : 0
    return {
      sent: this.sent,
      seconds,
      requested: times ? (packets.length * 1e9) / Math.max(span, 1) : rate,
      rate: this.sent / seconds,
      kept: behind <= Math.max(0.01 * seconds, 0.02),
      latest: Math.round(latest * 1e6),
      dropped: 0,
    }
  }

  close(): void {
    this.#socket.close()
  }

  /** Writes the descriptor of packet k, and its bytes where they are not there yet. */
  #place(k: number): void {
    const { packets } = this.#specification
    const packet = packets[k % packets.length]
    const frame = this.#laidOut ? k % packets.length : this.#produced % frames
    const address = frame * this.#frameSize
    if (!this.#laidOut) this.#bytes.set(packet, this.#memory + address)
    const slot = (this.#send.first + 16 * (this.#produced & (frames - 1))) / 4
    this.#words[slot] = address
    this.#words[slot + 1] = 0
    this.#words[slot + 2] = packet.length
    this.#words[slot + 3] = 0
    this.#produced++
  }

  #reap(): void {
    const producer = Atomics.load(this.#words, this.#completion.producer / 4)
    this.#completed += (producer - this.#completed) | 0
    Atomics.store(this.#words, this.#completion.consumer / 4, producer)
  }
}
