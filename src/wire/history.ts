// The history that the sequencer puts in front of a packet when packets cross a wire: State-Compute Replication,
// section 3.3.1 and Fig. 4a of the paper. The normative text is docs/history-format.md.
//
// Heads up: read docs/history-format.md first. A frame is [outer Ethernet][header][effect bitmap][packet properties]
// [items][original packet]; which properties are there the flags say, how long an item is the receiver must know. The
// header is big-endian as every protocol here; items are what the compiler made of them (little-endian). Items stand
// in a ring: slot `index` is the oldest.
//
// Promises: parse never throws and reads no byte beyond the bytes. Worker programs have a compiled reader; this one is
// for tools, tests and for those who implement a sequencer.

import type { Protocol } from './field.js'
import { checkLength, nameOf, viewAt, writeBits } from './view.js'
import type { View } from './view.js'

export const history = {
  name: 'history',
  view: 'History',
  doc: 'The header of a packet that carries its history.',
  source: 'docs/history-format.md',
  headerBytes: 7,
  fields: {
    sequence: { doc: "The packet's number, modulo 2^32; the first one is 1.", bit: 0, bits: 32, type: 'u32' },
    version: { doc: 'Version of this format: 1.', bit: 32, bits: 4, type: 'u8' },
    flush: {
      doc: 'There is no original packet: the sequence number is of the next one.',
      bit: 36,
      bits: 1,
      type: 'bool',
    },
    hasLength: { doc: "The packet's original length is present.", bit: 37, bits: 1, type: 'bool' },
    hasDevice: { doc: "The packet's ingress device is present.", bit: 38, bits: 1, type: 'bool' },
    hasTimestamp: { doc: "The packet's timestamp is present.", bit: 39, bits: 1, type: 'bool' },
    slots: {
      doc: 'Items in the ring, 0 to 255: at least the number of workers less one.',
      bit: 40,
      bits: 8,
      type: 'u8',
    },
    index: {
      doc: 'Slot of the oldest item, below `slots` (0 if there is none).',
      bit: 48,
      bits: 8,
      type: 'u8',
    },
  },
} as const satisfies Protocol

export const historyVersion = 1
/** EtherType of the outer Ethernet header: IEEE 802, local experimental EtherType 1. */
export const historyEtherType = 0x88b5
/** Bytes of the outer Ethernet header, where there is one. */
export const outerBytes = 14

/** Bytes of a timestamp in a frame: the low 48 bits. */
export const timestampBytes = 6

/** What sequencer and workers agree on. */
export interface HistoryFormat {
  readonly slots: number
  /** Bytes of an item, 0 or more; items follow each other without padding. */
  readonly itemBytes: number
  /** Which properties of the packet the program needs beside its bytes. */
  readonly timestamp?: boolean
  readonly device?: boolean
  readonly originalLength?: boolean
}

/** Offsets from the header's first byte; -1 for what is not there. */
export interface HistoryLayout {
  readonly effects: number
  readonly timestamp: number
  readonly device: number
  readonly originalLength: number
  readonly items: number
  /** The original packet's first byte: the size of all that was put in front, the outer Ethernet header apart. */
  readonly packet: number
}

/** Where everything stands. */
export function historyLayout(format: HistoryFormat): HistoryLayout {
  let at = history.headerBytes
  const place = (present: boolean | undefined, bytes: number): number => {
    if (!present) return -1
    at += bytes
    return at - bytes
  }
  const effects = place(true, Math.ceil(format.slots / 8))
  const timestamp = place(format.timestamp, timestampBytes)
  const device = place(format.device, 2)
  const originalLength = place(format.originalLength, 4)
  const items = place(true, format.slots * format.itemBytes)
  return { effects, timestamp, device, originalLength, items, packet: at }
}

/** What a frame with history says. */
export interface History {
  readonly sequence: number
  readonly flush: boolean
  readonly timestamp?: bigint
  readonly device?: number
  readonly originalLength?: number
  /** Oldest first. `effect` false: the packet had no effect on the state, and its item means nothing. */
  readonly items: readonly { readonly effect: boolean; readonly bytes: Uint8Array }[]
}

/** A parsed header; `next` is the original packet's first byte. */
export interface HistoryView extends View<typeof history> {
  readonly history: History
}

/** The history at `base`, of items of `itemBytes`; undefined if it is cut off or contradicts itself. */
export function parseHistory(bytes: Uint8Array, base: number, itemBytes: number): HistoryView | undefined {
  if (!checkLength(history, bytes, base)) return undefined
  const { fields } = viewAt(history, bytes, base)
  const { slots, index, sequence, flush } = fields
  if (fields.version !== historyVersion || (slots > 0 ? index >= slots : index !== 0)) return undefined
  const format = {
    slots,
    itemBytes,
    timestamp: fields.hasTimestamp,
    device: fields.hasDevice,
    originalLength: fields.hasLength,
  }
  const layout = historyLayout(format)
  const next = base + layout.packet
  if (next > bytes.length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + base)
  const items = Array.from({ length: slots }, (_, k) => {
    const slot = (index + k) % slots
    const start = base + layout.items + slot * itemBytes
    const effect = ((bytes[base + layout.effects + (slot >> 3)] >> (slot & 7)) & 1) === 1
    return { effect, bytes: bytes.slice(start, start + itemBytes) }
  })
  return {
    protocol: history,
    base,
    next,
    fields,
    history: {
      sequence,
      flush,
      ...(format.timestamp && { timestamp: bigEndian48(view, layout.timestamp) }),
      ...(format.device && { device: view.getUint16(layout.device) }),
      ...(format.originalLength && { originalLength: view.getUint32(layout.originalLength) }),
      items,
    },
  }
}

/**
 * What to put in front of a packet, the outer Ethernet header apart. `index` is the slot the oldest item shall have.
 * Items are cut or padded with zeros to `itemBytes`.
 */
export function writeHistory(content: History, itemBytes: number, index = 0): Uint8Array {
  const { sequence, flush, timestamp, device, originalLength, items } = content
  const slots = items.length
  const layout = historyLayout({
    slots,
    itemBytes,
    timestamp: timestamp !== undefined,
    device: device !== undefined,
    originalLength: originalLength !== undefined,
  })
  const bytes = new Uint8Array(layout.packet)
  const values: { readonly [name in keyof typeof history.fields]: number | boolean } = {
    sequence,
    version: historyVersion,
    flush,
    hasLength: originalLength !== undefined,
    hasDevice: device !== undefined,
    hasTimestamp: timestamp !== undefined,
    slots,
    index,
  }
  for (const [name, field] of Object.entries(history.fields))
    writeBits(bytes, 0, field, BigInt(values[name as keyof typeof values]))
  const view = new DataView(bytes.buffer)
  if (timestamp !== undefined) {
    view.setUint16(layout.timestamp, Number((timestamp >> 32n) & 0xffffn))
    view.setUint32(layout.timestamp + 2, Number(timestamp & 0xffff_ffffn))
  }
  if (device !== undefined) view.setUint16(layout.device, device)
  if (originalLength !== undefined) view.setUint32(layout.originalLength, originalLength)
  items.forEach((item, k) => {
    const slot = (index + k) % slots
    if (item.effect) bytes[layout.effects + (slot >> 3)] |= 1 << (slot & 7)
    bytes.set(item.bytes.subarray(0, itemBytes), layout.items + slot * itemBytes)
  })
  return bytes
}

/** Ethernet, IPv4 and TCP without options: what of an original packet must remain in a frame of fixed size. */
export const smallestPacket = 54

/**
 * Workers that a frame of `frameBytes` can serve: each packet carries an item of every other worker's last packet.
 * The largest n with outer Ethernet + header(n - 1 slots) + (n - 1) items + smallest packet <= frame.
 */
export function workersThatFit(
  frameBytes: number,
  format: Omit<HistoryFormat, 'slots'>,
  outer = true,
): number {
  const fits = (slots: number): boolean =>
    (outer ? outerBytes : 0) + historyLayout({ ...format, slots }).packet + smallestPacket <= frameBytes
  if (!fits(0)) return 0
  let slots = 0
  while (slots < 255 && fits(slots + 1)) slots++
  return slots + 1
}

/** The sequence number in full, from the last one seen; right unless 2^31 or more packets were lost between. */
export const fullSequence = (last: bigint, sequence: number): bigint =>
  last + BigInt.asIntN(32, BigInt(sequence) - BigInt.asUintN(32, last))

/** The timestamp in full, from the last one seen; right unless 2^48 ns (78 hours) lie between. */
export const fullTimestamp = (last: bigint, timestamp: bigint): bigint =>
  last + BigInt.asUintN(48, timestamp - last)

function bigEndian48(view: DataView, at: number): bigint {
  return (BigInt(view.getUint16(at)) << 32n) | BigInt(view.getUint32(at + 2))
}

/** One line for listings. */
export function printHistory({ fields: f, history: h }: HistoryView): string {
  const effects = h.items.filter(i => i.effect).length
  const kind = nameOf({ flush: 1, packet: 0 }, Number(f.flush))
  return (
    `History of ${kind} ${f.sequence}: ${f.slots} items from slot ${f.index}, ${effects} with effect` +
    `${h.timestamp !== undefined ? `, at ${h.timestamp} ns` : ''}`
  )
}
