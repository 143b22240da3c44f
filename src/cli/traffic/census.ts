// What a capture holds: packets, sizes, rates, protocols, flows and how uneven they are.

import { descriptor, descriptorBytes } from '../../device/slab.js'
import type { Slab } from '../../device/slab.js'
import { FlowTable, flowOf } from './flows.js'

/** Shares (0..1) of the largest flow, the largest ten, the largest hundredth of the flows. */
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

export interface Summary {
  readonly packets: number
  /** Captured, and on the wire. */
  readonly bytes: number
  readonly wireBytes: number
  /** Packets of which the capture has only the beginning. */
  readonly cut: number
  /** Seconds from the first packet to the last. */
  readonly seconds: number
  /** Mean over that time; null for captures that take no time. */
  readonly packetsPerSecond: number | null
  readonly bitsPerSecond: number | null
  /** Of the second with the most packets, counted from the first packet. */
  readonly busiest: { readonly second: number; readonly packets: number; readonly bits: number }
  /** Frame sizes on the wire. */
  readonly frames: Quantiles & { readonly min: number }
  readonly protocols: readonly { readonly name: string; readonly packets: number; readonly bytes: number }[]
  readonly flows: {
    readonly count: number
    /** Packets that belong to one. */
    readonly packets: number
    readonly packetShares: Shares
    readonly byteShares: Shares
    /** Share of the flows that have fewer than ten packets. */
    readonly underTenPackets: number
    readonly packetsPerFlow: Quantiles
    /** Share of flows with more packets than that. */
    readonly ccdf: readonly (readonly [packets: number, share: number])[]
  }
}

/** Frame sizes above this are counted as this. */
const largestFrame = 262_144
const nanoseconds = 1e9

export class Census {
  readonly flows = new FlowTable()
  private packets = 0
  private bytes = 0
  private wireBytes = 0
  private cut = 0
  private last = 0n
  private readonly sizes = new Map<number, number>()
  private readonly protocols = new Map<string, { packets: number; bytes: number }>()
  private readonly seconds = new Map<number, { packets: number; bits: number }>()

  /** Counts the first `count` packets of a slab. */
  take(memory: WebAssembly.Memory, slab: Slab, count: number): void {
    const view = new DataView(memory.buffer)
    const all = Buffer.from(memory.buffer)
    for (let i = 0; i < count; i++) {
      const at = slab.descriptors + i * descriptorBytes
      const captured = view.getUint32(at + descriptor.length, true)
      const wire = view.getUint32(at + descriptor.original, true)
      const time = view.getBigUint64(at + descriptor.timestamp, true)
      this.last = time
      this.packets++
      this.bytes += captured
      this.wireBytes += wire
      if (captured < wire) this.cut++
      const size = Math.min(wire, largestFrame)
      this.sizes.set(size, (this.sizes.get(size) ?? 0) + 1)
      const second = Math.floor(Number(time) / nanoseconds)
      const tally = this.seconds.get(second)
      if (tally) {
        tally.packets++
        tally.bits += 8 * wire
      } else this.seconds.set(second, { packets: 1, bits: 8 * wire })
      const { protocol, flow } = flowOf(all, view.getUint32(at + descriptor.address, true), captured)
      const counted = this.protocols.get(protocol)
      if (counted) {
        counted.packets++
        counted.bytes += wire
      } else this.protocols.set(protocol, { packets: 1, bytes: wire })
      if (flow !== undefined) this.flows.add(flow, wire)
    }
  }

  summary(): Summary {
    const seconds = Number(this.last) / nanoseconds
    let busiest = { second: 0, packets: 0, bits: 0 }
    for (const [second, tally] of this.seconds)
      if (tally.packets > busiest.packets) busiest = { second, ...tally }
    const sizes = [...this.sizes].toSorted((a, b) => a[0] - b[0])
    return {
      packets: this.packets,
      bytes: this.bytes,
      wireBytes: this.wireBytes,
      cut: this.cut,
      seconds,
      packetsPerSecond: seconds > 0 ? (this.packets - 1) / seconds : null,
      bitsPerSecond: seconds > 0 ? (8 * this.wireBytes) / seconds : null,
      busiest,
      frames: { min: sizes[0]?.[0] ?? 0, ...weightedQuantiles(sizes, this.packets) },
      protocols: [...this.protocols]
        .map(([name, n]) => ({ name, ...n }))
        .toSorted((a, b) => b.packets - a.packets || (a.name < b.name ? -1 : 1)),
      flows: this.flowSummary(),
    }
  }

  private flowSummary(): Summary['flows'] {
    const packets = Float64Array.from(this.flows.packets).toSorted()
    const bytes = Float64Array.from(this.flows.bytes).toSorted()
    const all = packets.reduce((sum, n) => sum + n, 0)
    return {
      count: packets.length,
      packets: all,
      packetShares: sharesOf(packets),
      byteShares: sharesOf(bytes),
      underTenPackets: packets.length ? below(packets, 10) / packets.length : 0,
      packetsPerFlow: quantilesOf(packets),
      ccdf: ccdfOf(packets),
    }
  }
}

/** Of values in ascending order. */
function sharesOf(sorted: Float64Array): Shares {
  const all = sorted.reduce((sum, n) => sum + n, 0)
  const top = (n: number): number =>
    all === 0 ? 0 : sorted.subarray(Math.max(0, sorted.length - n)).reduce((sum, x) => sum + x, 0) / all
  return { top: top(1), topTen: top(10), topHundredth: top(Math.max(1, Math.round(sorted.length / 100))) }
}

function quantilesOf(sorted: Float64Array): Quantiles {
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** Of values with how often each occurs, ascending. */
function weightedQuantiles(sorted: readonly (readonly [number, number])[], all: number): Quantiles {
  const at = (share: number): number => {
    let left = Math.max(1, Math.ceil(share * all))
    for (const [value, count] of sorted) {
      left -= count
      if (left <= 0) return value
    }
    return 0
  }
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** How many values lie below. */
function below(sorted: Float64Array, limit: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle] < limit) low = middle + 1
    else high = middle
  }
  return low
}

/** At 1, 2, 5, 10, 20 and so on, up to the largest flow. */
function ccdfOf(sorted: Float64Array): [number, number][] {
  const points: [number, number][] = []
  const most = sorted.at(-1) ?? 0
  for (let decade = 1; decade <= most; decade *= 10)
    for (const step of [1, 2, 5]) {
      const packets = decade * step
      if (packets > most) break
      points.push([packets, (sorted.length - below(sorted, packets + 1)) / sorted.length])
    }
  return points
}
