// The reference walkers: slow, plain, and the definition of what the compiled ones do, byte for byte.
// A walker goes through records in memory and writes one descriptor for each packet; packets that are not Ethernet
// get a synthetic Ethernet header, written over record-header bytes that are no longer needed.
// Promise: for any bytes and any control block whose addresses lie in the memory, they return and touch nothing
// outside [cursor - 64, end), the descriptors, the times and the control block. Read control.ts first.

import { control, entry, lengthOrder, maximumCaptured, stop, timeMode, type Walkers } from './control.js'
import { ethernetHeaderBytes, linkHeaderBytes, linkKind } from './linktype.js'
import { descriptor, descriptorBytes, linkFlags } from './slab.js'

/** pcapng block types that carry packets or concern the reader. */
export const blockType = {
  interface: 1,
  packet: 2,
  simplePacket: 3,
  enhancedPacket: 6,
  section: 0x0a0d0d0a,
} as const

const second = 1_000_000_000n
const etherType = { ipv4: 0x0800, ipv6: 0x86dd, none: 0 } as const

/** The reference walkers over a memory; its buffer must not be replaced while they are used. */
export function referenceWalkers(buffer: ArrayBufferLike): Walkers {
  const view = new DataView(buffer)
  return {
    pcap: (at, little) => walkPcap(view, at, little),
    pcapng: (at, little) => walkPcapng(view, at, little),
  }
}

/** Record: u32 seconds, u32 fraction, u32 captured length, u32 original length (8 more bytes when modified). */
function walkPcap(view: DataView, at: number, little: boolean): number {
  const header = view.getUint32(at + control.recordBytes, true)
  const order = view.getUint32(at + control.lengthOrder, true)
  const table = at + control.table
  const factor = view.getBigUint64(table + entry.factor, true)
  const end = view.getUint32(at + control.end, true)
  for (;;) {
    const cursor = view.getUint32(at + control.cursor, true)
    if (end - cursor < header) return more(view, at, header)
    let captured = view.getUint32(cursor + 8, little)
    let original = view.getUint32(cursor + 12, little)
    if (order === lengthOrder.swapped || (order === lengthOrder.either && captured > original)) {
      const length = captured
      captured = original
      original = length
    }
    if (captured > maximumCaptured) return stop.length
    if (end - cursor < header + captured) return more(view, at, header + captured)
    if (full(view, at)) return stop.full
    const seconds = BigInt(view.getUint32(cursor, little))
    const time = seconds * second + BigInt(view.getUint32(cursor + 4, little)) * factor
    deliver(view, at, table, cursor + header, captured, original, time)
    view.setUint32(at + control.cursor, cursor + header + captured, true)
  }
}

/** Block: u32 type, u32 total length, body, u32 total length again. */
function walkPcapng(view: DataView, at: number, little: boolean): number {
  const end = view.getUint32(at + control.end, true)
  for (;;) {
    const cursor = view.getUint32(at + control.cursor, true)
    const left = end - cursor
    if (left < 12) return more(view, at, 12)
    const type = view.getUint32(cursor, little)
    if (type === blockType.section || type === blockType.interface) return stop.host
    const total = view.getUint32(cursor + 4, little)
    if (total < 12 || total % 4 !== 0) return stop.block
    if (total > left) return more(view, at, total)
    if (view.getUint32(cursor + total - 4, little) !== total) return stop.block
    let reason: number = -1
    if (type === blockType.enhancedPacket || type === blockType.packet) {
      reason = packetBlock(view, at, little, cursor, total, type)
    } else if (type === blockType.simplePacket) {
      reason = simplePacketBlock(view, at, little, cursor, total)
    }
    if (reason !== -1) return reason
    view.setUint32(at + control.cursor, cursor + total, true)
  }
}

/** Body: u32 interface (in the obsolete form u16 interface, u16 drops), u32 high and u32 low ticks, u32 captured,
 *  u32 original, bytes padded to 4, options. Answers a stop or -1. */
function packetBlock(
  view: DataView,
  at: number,
  little: boolean,
  cursor: number,
  total: number,
  type: number,
): number {
  if (total < 32) return stop.block
  const number =
    type === blockType.packet ? view.getUint16(cursor + 8, little) : view.getUint32(cursor + 8, little)
  const captured = view.getUint32(cursor + 20, little)
  if (captured > maximumCaptured || captured > total - 32) return stop.length
  if (number >= view.getUint32(at + control.interfaces, true)) return stop.interface
  const from = at + control.table + number * entry.bytes
  if (view.getUint32(from + entry.kind, true) === linkKind.unsupported) return stop.link
  if (full(view, at)) return stop.full
  const ticks =
    (BigInt(view.getUint32(cursor + 12, little)) << 32n) | BigInt(view.getUint32(cursor + 16, little))
  const original = view.getUint32(cursor + 24, little)
  deliver(view, at, from, cursor + 28, captured, original, nanoseconds(view, from, ticks))
  return -1
}

/** Body: u32 original length, bytes. No time of its own: it takes that of the packet before. Answers a stop or -1. */
function simplePacketBlock(
  view: DataView,
  at: number,
  little: boolean,
  cursor: number,
  total: number,
): number {
  if (total < 16) return stop.block
  const from = at + control.table
  if (view.getUint32(at + control.interfaces, true) === 0) return stop.interface
  if (view.getUint32(from + entry.kind, true) === linkKind.unsupported) return stop.link
  const original = view.getUint32(cursor + 8, little)
  const snaplen = view.getUint32(from + entry.snaplen, true)
  let captured = snaplen === 0 ? original : Math.min(original, snaplen)
  captured = Math.min(captured, total - 16)
  if (captured > maximumCaptured) return stop.length
  if (full(view, at)) return stop.full
  const started = view.getUint32(at + control.started, true) === 1
  const time = view.getBigInt64(at + control.start, true) + view.getBigInt64(at + control.last, true)
  deliver(view, at, from, cursor + 12, captured, original, started ? time : undefined)
  return -1
}

/** Ticks of an interface as ns since 1970, modulo 2^64. */
function nanoseconds(view: DataView, from: number, ticks: bigint): bigint {
  const mode = view.getUint32(from + entry.mode, true)
  const factor = view.getBigUint64(from + entry.factor, true)
  const offset = view.getBigInt64(from + entry.offset, true)
  if (mode === timeMode.multiply) return ticks * factor + offset
  if (mode === timeMode.divide) return ticks / factor + offset
  const shift = BigInt(view.getUint32(from + entry.shift, true))
  let fraction = ticks & ((1n << shift) - 1n)
  let bits = shift
  if (bits > 32n) {
    fraction >>= bits - 32n
    bits = 32n
  }
  return (ticks >> shift) * second + ((fraction * second) >> bits) + offset
}

/** Writes one descriptor; `time` is absolute ns, undefined for a packet that has none and none before it. */
function deliver(
  view: DataView,
  at: number,
  from: number,
  address: number,
  captured: number,
  original: number,
  time: bigint | undefined,
): void {
  if (original < captured) {
    original = captured
    add(view, at + control.repaired, 1)
  }
  add(view, at + control.bytes, captured)
  add(view, at + control.wireBytes, original)
  const out = view.getUint32(at + control.descriptor, true)
  const kind = view.getUint32(from + entry.kind, true)
  let link = 0
  if (kind !== linkKind.ethernet) {
    const header = Math.min(linkHeaderBytes[kind], captured)
    const type = typeOf(view, kind, address, captured, original)
    link = linkFlags.synthetic | header | (view.getUint32(from + entry.type, true) << linkFlags.typeShift)
    address = replaceHeader(view, address, header, type)
    captured += ethernetHeaderBytes - header
    original = Math.min(original + ethernetHeaderBytes - header, 0xffff_ffff)
  }
  view.setUint32(out + descriptor.address, address, true)
  view.setUint32(out + descriptor.length, captured, true)
  view.setUint32(out + descriptor.original, original, true)
  view.setUint32(out + descriptor.device, view.getUint32(from + entry.device, true), true)
  view.setBigInt64(out + descriptor.timestamp, relativeTime(view, at, time), true)
  view.setUint32(out + descriptor.verdict, 0, true)
  view.setUint32(out + descriptor.link, link, true)
  view.setUint32(at + control.descriptor, out + descriptorBytes, true)
  const times = view.getUint32(at + control.times, true)
  if (times !== 0) {
    view.setBigInt64(times, time ?? 0n, true)
    view.setUint32(at + control.times, times + 8, true)
  }
}

/** Time since the first packet, clamped so that it never steps back. */
function relativeTime(view: DataView, at: number, time: bigint | undefined): bigint {
  if (time === undefined) return 0n
  if (view.getUint32(at + control.started, true) === 0) {
    view.setUint32(at + control.started, 1, true)
    view.setBigInt64(at + control.start, time, true)
  }
  const last = view.getBigInt64(at + control.last, true)
  const since = BigInt.asIntN(64, time - view.getBigInt64(at + control.start, true))
  if (since < last) {
    add(view, at + control.clamped, 1)
    return last
  }
  view.setBigInt64(at + control.last, since, true)
  return since
}

/** The EtherType that says what follows the link header; 0 when that is nothing an Ethernet frame can say. */
function typeOf(view: DataView, kind: number, address: number, captured: number, original: number): number {
  if (kind === linkKind.rawIpv4) return etherType.ipv4
  if (kind === linkKind.rawIpv6) return etherType.ipv6
  if (captured < Math.max(1, linkHeaderBytes[kind])) return etherType.none
  if (kind === linkKind.rawIp) return versionType(view.getUint8(address) >>> 4)
  if (kind === linkKind.loopback) return familyType(view.getUint32(address, true))
  return kind === linkKind.cooked1
    ? protocolType(view.getUint16(address + 14, false), original - 16)
    : protocolType(view.getUint16(address, false), original - 20)
}

function versionType(version: number): number {
  return version === 4 ? etherType.ipv4 : version === 6 ? etherType.ipv6 : etherType.none
}

/** Address families: 2 is IPv4 everywhere; IPv6 is 10 on Linux, 24, 28 and 30 on the BSDs. Either byte order. */
function familyType(value: number): number {
  const family = value > 0xffff ? swap(value) : value
  if (family === 2) return etherType.ipv4
  return family === 10 || family === 24 || family === 28 || family === 30 ? etherType.ipv6 : etherType.none
}

/** Cooked protocol field: an EtherType, or 1 and 4 for frames whose Ethernet header holds a length. */
function protocolType(protocol: number, payload: number): number {
  if (protocol === 1 || protocol === 4) return Math.min(payload, 1500)
  return protocol < 0x600 ? etherType.none : protocol
}

/** Moves the link header 14 bytes down and writes an Ethernet header after it; answers that header's address. */
function replaceHeader(view: DataView, address: number, header: number, type: number): number {
  const down = address - ethernetHeaderBytes
  for (let index = 0; index < header; index++) view.setUint8(down + index, view.getUint8(address + index))
  const start = down + header
  for (let index = 0; index < 12; index++) view.setUint8(start + index, 0)
  view.setUint16(start + 12, type, false)
  return start
}

function more(view: DataView, at: number, need: number): number {
  view.setUint32(at + control.need, need, true)
  return stop.more
}

function full(view: DataView, at: number): boolean {
  return view.getUint32(at + control.descriptor, true) === view.getUint32(at + control.descriptorEnd, true)
}

function add(view: DataView, at: number, amount: number): void {
  view.setBigUint64(at, view.getBigUint64(at, true) + BigInt(amount), true)
}

function swap(value: number): number {
  return (
    ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff0000) | ((value & 0xff) << 24)) >>> 0
  )
}
