/**
 * What a specification amounts to, computed from the flow sizes alone, without making a packet.
 *
 * A trace drawn from a heavy tail is known by its skew: the shares of the largest flow and the largest ten decide how
 * far sharding can scale. State them beside every number that a trace gave.
 */

import { FlowSizes, kinds } from './sizes.js'
import { resolveTrace } from './specification.js'
import type { TraceSpecification } from './specification.js'

export interface TraceDescription {
  readonly law: string
  readonly source: string
  readonly seed: number
  /** Both directions of a conversation are one flow; a flood's packets belong to none. */
  readonly flows: {
    readonly all: number
    readonly tcp: number
    readonly udp: number
    readonly knockers: number
  }
  readonly packets: {
    readonly all: number
    readonly tcp: number
    readonly udp: number
    readonly flood: number
  }
  /** Payload bytes, before any cut. */
  readonly payloadBytes: number
  /** The factor by which sizes were scaled to meet the number of packets. */
  readonly scale: number
  /** How skewed the trace is, by packets (of all, flood included) and by payload bytes. */
  readonly packetShares: Shares
  readonly byteShares: Shares
  /** Share of the flows (0..1) that have fewer than ten packets. */
  readonly underTenPackets: number
  readonly packetsPerFlow: Quantiles
  readonly bytesPerFlow: Quantiles
  /** Nanoseconds from the first packet to the last, at the mean rate. */
  readonly duration: number
  /** Points of the complementary cumulative distribution: share of flows with more packets than that. */
  readonly ccdf: readonly (readonly [packets: number, share: number])[]
}

/** Shares (0..1) of the largest flow, the largest ten, and the largest hundredth of the flows. */
export interface Shares {
  readonly top: number
  readonly topTen: number
  readonly topHundredth: number
}

export interface Quantiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Describes the trace; throws a TraceError for a bad specification. Takes time per flow, not per packet. */
export function describeTrace(specification: TraceSpecification): TraceDescription {
  const trace = resolveTrace(specification)
  const sizes = new FlowSizes(trace)
  const packetCounts = new LogCounts()
  const byteCounts = new LogCounts()
  const flows = { all: sizes.flows, tcp: 0, udp: 0, knockers: 0 }
  const packets = { all: 0, tcp: 0, udp: 0, flood: 0 }
  let payloadBytes = 0
  let underTen = 0
  while (sizes.next()) {
    const { kind, total, bytes } = sizes
    if (kind === kinds.udp) flows.udp++
    else if (kind === kinds.tcp) flows.tcp++
    else flows.knockers++
    if (kind === kinds.udp) packets.udp += total
    else packets.tcp += total
    if (total < 10) underTen++
    payloadBytes += bytes
    packetCounts.add(total)
    byteCounts.add(bytes)
  }
  const own = sizes.packets
  const flood = trace.packets > 0 ? trace.packets - own : Math.round((own * trace.flood) / (1 - trace.flood))
  packets.flood = flood
  packets.all = own + flood
  return {
    law: trace.law.name,
    source: trace.law.source,
    seed: trace.seed,
    flows,
    packets,
    payloadBytes,
    scale: sizes.scale,
    packetShares: packetCounts.shares(packets.all),
    byteShares: byteCounts.shares(payloadBytes),
    underTenPackets: underTen / flows.all,
    packetsPerFlow: packetCounts.quantiles(),
    bytesPerFlow: byteCounts.quantiles(),
    duration: ((packets.all - 1) * 1e9) / trace.rate,
    ccdf: packetCounts.ccdf(),
  }
}

/** Counts of sizes: exact below 1024 and for the largest ten, within one percent elsewhere. */
class LogCounts {
  readonly #classes = new Map<number, { count: number; sum: number }>()
  readonly #largest: number[] = []
  #all = 0

  add(size: number): void {
    const key = size < 1024 ? size : 1024 + Math.floor(Math.log2(size / 1024) * 128)
    const found = this.#classes.get(key)
    if (found) {
      found.count++
      found.sum += size
    } else this.#classes.set(key, { count: 1, sum: size })
    this.#all++
    const largest = this.#largest
    if (largest.length === 10 && size <= largest[9]) return
    largest.push(size)
    largest.sort((a, b) => b - a)
    if (largest.length > 10) largest.pop()
  }

  /** Sum of the largest `count` sizes. */
  top(count: number): number {
    if (count <= 10) return this.#largest.slice(0, count).reduce((sum, size) => sum + size, 0)
    let left = count
    let total = 0
    for (const { count, sum } of this.#sorted().toReversed()) {
      const taken = Math.min(left, count)
      total += (sum / count) * taken
      left -= taken
      if (left === 0) break
    }
    return total
  }

  shares(all: number): Shares {
    const hundredth = Math.max(1, Math.round(this.#all / 100))
    return { top: this.top(1) / all, topTen: this.top(10) / all, topHundredth: this.top(hundredth) / all }
  }

  quantiles(): Quantiles {
    return {
      p50: this.#quantile(0.5),
      p90: this.#quantile(0.9),
      p99: this.#quantile(0.99),
      max: this.#largest[0],
    }
  }

  ccdf(): [number, number][] {
    let above = this.#all
    return this.#sorted().map(({ count, sum }) => {
      above -= count
      return [sum / count, above / this.#all]
    })
  }

  #quantile(share: number): number {
    let left = share * this.#all
    for (const { count, sum } of this.#sorted()) {
      left -= count
      if (left <= 1e-9) return Math.round(sum / count)
    }
    return this.#largest[0]
  }

  #sorted(): { count: number; sum: number }[] {
    return [...this.#classes.entries()].toSorted((a, b) => a[0] - b[0]).map(entry => entry[1])
  }
}
