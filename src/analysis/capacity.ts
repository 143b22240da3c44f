// How many workers a frame of a given size serves, when each packet carries the items of those that went to the other
// workers since. The formula is that of docs/history-format.md, "How much fits":
//
//     outer + header + ceil((n - 1) / 8) + properties + (n - 1) × item + original ≤ frame
//
// With the item sizes of the paper's Table 1 it gives what the paper reports: 7 workers for its token bucket and heavy
// hitter (18 bytes in 192) and its connection tracker (30 in 256), and at least the 14 that it had for the others.

import { historyLayout, outerBytes } from '../wire/history.js'
import type { HistoryFormat } from '../wire/history.js'

/** What the formula takes for granted; sizes in bytes. */
export interface CapacityAssumptions {
  /** The outer Ethernet header; 0 if the sequencer is on the NIC. */
  readonly outer: number
  /** What must be left of the original packet: Ethernet, IPv4 and TCP headers. */
  readonly original: number
  /** The most workers considered: the paper's testbed had 14. */
  readonly mostWorkers: number
}

export const paperAssumptions: CapacityAssumptions = { outer: outerBytes, original: 54, mostWorkers: 14 }

/** Which properties of a packet travel beside its bytes, because the program reads them. */
export type Properties = Pick<HistoryFormat, 'timestamp' | 'device' | 'originalLength'>

/** Bytes that serving n workers takes in a frame, the original packet's headers included. */
export function frameBytes(
  workers: number,
  itemBytes: number,
  properties: Properties = {},
  { outer, original }: CapacityAssumptions = paperAssumptions,
): number {
  const slots = workers - 1
  return outer + historyLayout({ slots, itemBytes, ...properties }).packet + original
}

/** The most workers that a frame of that size serves; 0 if not even the headers fit. */
export function maxWorkers(
  frame: number,
  itemBytes: number,
  properties: Properties = {},
  assumptions: CapacityAssumptions = paperAssumptions,
): number {
  let n = 0
  while (n < assumptions.mostWorkers && frameBytes(n + 1, itemBytes, properties, assumptions) <= frame) n++
  return n
}

/** The frame sizes that reports show: those the paper measured with. */
export const reportedFrames = [192, 256] as const

/** The formula with its numbers, for people. */
export function capacityFormula(
  itemBytes: number,
  properties: Properties = {},
  { outer, original, mostWorkers }: CapacityAssumptions = paperAssumptions,
): string {
  const header = historyLayout({ slots: 0, itemBytes: 0 }).packet
  const extra = historyLayout({ slots: 0, itemBytes: 0, ...properties }).packet - header
  const parts = [
    outer > 0 && `${outer} outer Ethernet`,
    `${header} header`,
    '⌈(n − 1) / 8⌉ effect bits',
    extra > 0 && `${extra} packet properties`,
    `(n − 1) × ${itemBytes} items`,
    `${original} original headers`,
  ].filter(p => p !== false)
  return `${parts.join(' + ')} ≤ frame, n ≤ ${mostWorkers}`
}

/** What a sequencer in XDP has in front of a packet; sizes in bytes. */
export interface HeadroomAssumptions {
  /** XDP_PACKET_HEADROOM: what drivers leave. */
  readonly headroom: number
  /** What the kernel keeps of it: a veth, and every frame on its way to another CPU, has struct xdp_frame there. */
  readonly reserved: number
  /** The outer Ethernet header: none from CPU to CPU of one machine. */
  readonly outer: number
  /** The most workers considered: a frame's effect bits fit one register. */
  readonly mostWorkers: number
  /** The MTU for which growth is shown: that of Ethernet. */
  readonly mtu: number
}

export const xdpAssumptions: HeadroomAssumptions = {
  headroom: 256,
  reserved: 40,
  outer: 0,
  mostWorkers: 64,
  mtu: 1500,
}

/** Bytes put in front of a packet for n workers. */
export const headerBytes = (
  workers: number,
  itemBytes: number,
  properties: Properties = {},
  { outer }: Pick<HeadroomAssumptions, 'outer'> = xdpAssumptions,
): number => frameBytes(workers, itemBytes, properties, { outer, original: 0, mostWorkers: workers })

/** The most workers whose history fits into the headroom. */
export function maxWorkersInHeadroom(
  itemBytes: number,
  properties: Properties = {},
  assumptions: HeadroomAssumptions = xdpAssumptions,
): number {
  const { headroom, reserved, outer, mostWorkers } = assumptions
  return maxWorkers(headroom - reserved, itemBytes, properties, { outer, original: 0, mostWorkers })
}

/** The formula behind it, for people. */
export function headroomFormula(
  itemBytes: number,
  properties: Properties = {},
  { headroom, reserved, outer, mostWorkers }: HeadroomAssumptions = xdpAssumptions,
): string {
  const sum = capacityFormula(itemBytes, properties, { outer, original: 0, mostWorkers })
  return sum.replace(
    ' + 0 original headers ≤ frame',
    ` ≤ ${headroom} headroom − ${reserved} struct xdp_frame`,
  )
}
