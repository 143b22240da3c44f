/**
 * A sender into memory: packets are copied into a ring of buffers, as a device without a wire would take them.
 *
 * Needs no privileges: it tries a stream or a trace out, and shows what the schedule alone can do on this machine. It
 * waits by looking at the clock, on the calling thread, with pauses for the thread's other work.
 */

import { setImmediate } from 'node:timers/promises'
import type { LiveReport, LiveSpecification } from './live.js'

/** Bytes of the ring. */
const ringBytes = 1 << 20
/** Packets between two looks at the clock as fast as possible. */
const batch = 256
/** Milliseconds of sending after which the thread's other work has its turn. */
const slice = 10

export type MemorySpecification = Pick<LiveSpecification, 'packets' | 'rate' | 'times' | 'span'>

export class MemorySender {
  readonly #specification: MemorySpecification
  readonly #ring: Uint8Array
  sent = 0

  constructor(specification: MemorySpecification) {
    const longest = specification.packets.reduce((most, { length }) => Math.max(most, length), 0)
    if (longest === 0) throw new RangeError('there is no packet to send')
    this.#specification = specification
    this.#ring = new Uint8Array(ringBytes + longest)
  }

  /** Sends `count` packets, or until the signal. */
  async send(count: number, signal?: AbortSignal): Promise<LiveReport> {
    const { packets, rate, times, span = 0 } = this.#specification
    const ring = this.#ring
    const began = performance.now()
    const due = (k: number): number => {
      if (times === undefined) return rate === undefined ? 0 : (k * 1e3) / rate
      return (times[k % packets.length] + Math.floor(k / packets.length) * span) / 1e6
    }
    const paced = rate !== undefined || times !== undefined
    let sent = 0
    let at = 0
    let latest = 0
    let turned = began
    for (;;) {
      if (sent >= count || signal?.aborted) break
      const now = performance.now()
      const elapsed = now - began
      const most = Math.min(count, sent + batch)
      const from = sent
      for (; sent < most; sent++) {
        if (paced && due(sent) > elapsed) break
        const packet = packets[sent % packets.length]
        ring.set(packet, at)
        at = (at + packet.length) % ringBytes
      }
      if (paced && sent > from) latest = Math.max(latest, elapsed - due(from))
      this.sent = sent
      if (now - turned > slice) {
        await setImmediate()
        turned = performance.now()
      }
    }
    const seconds = (performance.now() - began) / 1000
    const behind = paced && sent < count ? Math.max(0, seconds - due(sent) / 1000) : 0
    return {
      sent,
      seconds,
      requested: times ? (packets.length * 1e9) / Math.max(span, 1) : rate,
      rate: sent / seconds,
      kept: behind <= Math.max(0.01 * seconds, 0.02),
      latest: Math.round(latest * 1e6),
      dropped: 0,
    }
  }

  close(): void {}
}
