// Devices in memory: packets from an array and packets into an array. For tests, generators and tools; per-packet
// objects make them too slow for measuring.

import { everyPacket, type Batch, type Interface, type Selection, type Sink, type Source } from './device.js'
import { ethernetHeaderBytes } from './linktype.js'
import { descriptorBytes, linkFlags, linkTypeOf, readDescriptor, writeDescriptor, type Slab } from './slab.js'

/** A packet as a value. */
export interface MemoryPacket {
  /** The captured bytes as a program sees them (synthetic Ethernet header included). */
  readonly bytes: Uint8Array
  /** Length on the wire; that of `bytes` when not given. */
  readonly original?: number
  /** Ingress device number, 0 when not given. */
  readonly device?: number
  /** ns since the run's start; must not step back. 0 when not given. */
  readonly timestamp?: bigint
}

/** What a memory sink keeps of a packet. */
export interface TakenPacket {
  readonly bytes: Uint8Array
  /** The original link header, of packets that were not Ethernet. */
  readonly header: Uint8Array
  /** Link type number of the original. */
  readonly link: number
  readonly original: number
  readonly device: number
  readonly timestamp: bigint
  /** Own absolute time in ns since 1970; 0n where the slab has no times. */
  readonly time: bigint
  readonly verdict: number
}

/** A source over packets in an array. */
export function memorySource(memory: WebAssembly.Memory, packets: readonly MemoryPacket[]): Source {
  let next = 0
  const read = (slab: Slab): Batch => {
    const view = new DataView(memory.buffer)
    const target = new Uint8Array(memory.buffer)
    let at = slab.data
    let [count, bytes, wireBytes] = [0, 0, 0]
    for (; next < packets.length && count < slab.capacity; next++, count++) {
      const packet = packets[next]
      const length = packet.bytes.length
      if (length > slab.dataBytes) throw new Error(`a packet of ${length} bytes exceeds the slab`)
      if (at + length > slab.data + slab.dataBytes) break
      target.set(packet.bytes, at)
      const original = Math.max(packet.original ?? length, length)
      const timestamp = packet.timestamp ?? 0n
      const { device = 0 } = packet
      writeDescriptor(view, slab, count, {
        address: at,
        length,
        original,
        device,
        timestamp,
        verdict: 0,
        link: 0,
      })
      if (slab.times !== 0) view.setBigUint64(slab.times + count * 8, timestamp, true)
      at += length
      bytes += length
      wireBytes += original
    }
    return { count, bytes, wireBytes, end: next === packets.length }
  }
  const interfaces: Interface[] = [{ name: 'memory', link: 1, snaplen: 0 }]
  return { name: 'memory', fault: undefined, interfaces, start: 0n, read, close() {} }
}

/** A sink that copies packets into `packets`. */
export function memorySink(memory: WebAssembly.Memory): Sink & { readonly packets: TakenPacket[] } {
  const packets: TakenPacket[] = []
  const write = (slab: Slab, count: number, selection: Selection): number => {
    const view = new DataView(memory.buffer)
    const before = packets.length
    for (let index = 0; index < count; index++) {
      if (selects(selection, view.getUint32(slab.descriptors + index * descriptorBytes + 24, true))) {
        packets.push(take(view, slab, index))
      }
    }
    return packets.length - before
  }
  return { name: 'memory', fault: undefined, packets, write, close() {} }
}

/** Reads a source to its end through one slab and answers all packets as values. */
export function collect(source: Source, memory: WebAssembly.Memory, slab: Slab): TakenPacket[] {
  const sink = memorySink(memory)
  for (;;) {
    const batch = source.read(slab)
    sink.write(slab, batch.count, everyPacket)
    if (batch.end) return sink.packets
  }
}

/** Does a selection name this verdict word? */
export function selects(selection: Selection, verdict: number): boolean {
  const number = verdict & 0xff
  if (number > 31 || ((selection.verdicts >>> number) & 1) === 0) return false
  return selection.redirect === undefined || verdict >>> 8 === selection.redirect
}

/** The packet of a descriptor as it was captured, original link header and all. */
export function capturedBytes(packet: TakenPacket): Uint8Array {
  if (packet.link === 1) return packet.bytes
  const whole = new Uint8Array(packet.header.length + packet.bytes.length - ethernetHeaderBytes)
  whole.set(packet.header)
  whole.set(packet.bytes.subarray(ethernetHeaderBytes), packet.header.length)
  return whole
}

function take(view: DataView, slab: Slab, index: number): TakenPacket {
  const found = readDescriptor(view, slab, index)
  const header = found.link & linkFlags.headerMask
  const copy = (from: number, length: number): Uint8Array =>
    new Uint8Array(new Uint8Array(view.buffer, from, length))
  return {
    bytes: copy(found.address, found.length),
    header: copy(found.address - header, header),
    link: linkTypeOf(found.link),
    original: found.original,
    device: found.device,
    timestamp: found.timestamp,
    time: slab.times === 0 ? 0n : view.getBigUint64(slab.times + index * 8, true),
    verdict: found.verdict,
  }
}
