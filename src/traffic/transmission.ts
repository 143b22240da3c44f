/**
 * One transmission from first packet to drained device, and what became of it: the rate that was requested, the one
 * that was offered to the device, and the one that left it.
 *
 * A packet counts as completed when the device says that it sent it. After the last packet the device has `drain`
 * milliseconds to complete the rest. Read live.ts for who sends.
 */

import { setTimeout } from 'node:timers/promises'
import type { LiveReport } from './live.js'
import { meanWireBits } from './wire-rate.js'

/** How far from what was requested a rate may be. */
export const RATE_TOLERANCE = 0.01

export interface Sender {
  send(count: number, signal?: AbortSignal): Promise<LiveReport>
  /** What the device has sent and dropped since it exists; absent where there is none. */
  completions?(): { readonly sent: number; readonly dropped: number }
}

export interface Order {
  /** Packets; Infinity for as many as the time allows. */
  readonly count: number
  /** Seconds after which it ends anyway. */
  readonly seconds: number
  /** Milliseconds that the device has for the rest. */
  readonly drain: number
  readonly signal?: AbortSignal
}

export interface Rate {
  readonly packets: number
  /** Bits a second at layer 2 and layer 1. */
  readonly layer2: number
  readonly layer1: number
}

export interface Transmission {
  readonly sent: number
  readonly seconds: number
  /** Null as fast as possible. */
  readonly requested: Rate | null
  readonly offered: Rate
  /** Null where nobody counts completions. */
  readonly onWire: Rate | null
  /** Offered and on the wire over requested, less one; null without a request. */
  readonly deviation: { readonly offered: number; readonly onWire: number | null } | null
  readonly withinTolerance: boolean
  readonly completed: number | null
  readonly dropped: number
  /** Sent, and neither completed nor dropped; below 0 if others sent from the device too. */
  readonly unaccounted: number | null
  /** ns by which the latest packet left after its time. */
  readonly latest: number
  readonly drainMilliseconds: number
}

/** Sends, drains, and says what happened. `packets` are those sent in turn. */
export async function transmit(
  sender: Sender,
  packets: readonly Uint8Array[],
  order: Order,
  tolerance = RATE_TOLERANCE,
): Promise<Transmission> {
  const before = sender.completions?.()
  const over = new AbortController()
  const end = (): void => over.abort()
  order.signal?.addEventListener('abort', end)
  const timer = Number.isFinite(order.seconds) ? globalThis.setTimeout(end, 1000 * order.seconds) : undefined
  let report: LiveReport
  try {
    const count = Number.isFinite(order.count) ? order.count : Number.MAX_SAFE_INTEGER
    report = await sender.send(count, over.signal)
  } finally {
    clearTimeout(timer)
    order.signal?.removeEventListener('abort', end)
  }
  const began = performance.now()
  let counted = before && difference(sender.completions!(), before)
  while (counted && counted.sent + counted.dropped < report.sent && performance.now() - began < order.drain) {
    await setTimeout(1)
    counted = difference(sender.completions!(), before!)
  }
  const bits = meanWireBits(packets)
  const rateOf = (perSecond: number): Rate => ({
    packets: perSecond,
    layer2: perSecond * bits.layer2,
    layer1: perSecond * bits.layer1,
  })
  const { requested, seconds } = report
  const offered = report.rate
  const onWire = counted ? counted.sent / seconds : null
  const off = (rate: number): number => rate / requested! - 1
  const deviation =
    requested === undefined ? null : { offered: off(offered), onWire: onWire === null ? null : off(onWire) }
  return {
    sent: report.sent,
    seconds,
    requested: requested === undefined ? null : rateOf(requested),
    offered: rateOf(offered),
    onWire: onWire === null ? null : rateOf(onWire),
    deviation,
    withinTolerance:
      deviation === null ||
      (Math.abs(deviation.offered) <= tolerance && Math.abs(deviation.onWire ?? 0) <= tolerance),
    completed: counted?.sent ?? null,
    dropped: counted?.dropped ?? report.dropped,
    unaccounted: counted ? report.sent - counted.sent - counted.dropped : null,
    latest: report.latest,
    drainMilliseconds: performance.now() - began,
  }
}

const difference = (
  now: { readonly sent: number; readonly dropped: number },
  before: { readonly sent: number; readonly dropped: number },
): { sent: number; dropped: number } => ({
  sent: now.sent - before.sent,
  dropped: now.dropped - before.dropped,
})
