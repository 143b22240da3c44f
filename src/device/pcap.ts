// The pcap file header (draft-ietf-opsawg-pcap): magic numbers of every variant that is read, and the header that
// is written. Records are the walkers' business (walk.ts).

import { lengthOrder } from './control.js'

/** Bytes of the file header. */
export const pcapHeaderBytes = 24

/** Bytes of a record header as written, and as read in all variants but the modified one. */
export const pcapRecordBytes = 16

const magic = { microseconds: 0xa1b2c3d4, nanoseconds: 0xa1b23c4d, modified: 0xa1b2cd34 } as const

/** What a pcap file header says. */
export interface PcapHeader {
  readonly little: boolean
  readonly nanosecond: boolean
  /** 16, or 24 for Kuznetzov's modified format. */
  readonly recordBytes: number
  readonly lengthOrder: number
  readonly link: number
  readonly snaplen: number
  /** Oddities that do not stop the reading, each a clause. */
  readonly notes: readonly string[]
}

/** Is this the magic number of a pcap file? Needs 4 bytes. */
export function isPcap(bytes: DataView): boolean {
  return bytes.byteLength >= 4 && orderOf(bytes) !== undefined
}

/** Parses a file header of at least 24 bytes that `isPcap` accepted. */
export function parsePcapHeader(bytes: DataView): PcapHeader {
  const little = orderOf(bytes) ?? true
  const value = bytes.getUint32(0, little)
  const major = bytes.getUint16(4, little)
  const minor = bytes.getUint16(6, little)
  const zone = bytes.getInt32(8, little)
  const network = bytes.getUint32(20, little)
  const notes: string[] = []
  if (major !== 2) notes.push(`pcap version ${major}.${minor} is read as 2.4`)
  if (zone !== 0) notes.push(`the time zone field is ${zone}; times are read as UTC`)
  return {
    little,
    nanosecond: value === magic.nanoseconds,
    recordBytes: value === magic.modified ? 24 : pcapRecordBytes,
    lengthOrder: lengthOrderOf(major, minor),
    link: network & 0xffff,
    snaplen: bytes.getUint32(16, little),
    notes,
  }
}

/** Writes a version 2.4 little-endian file header. */
export function writePcapHeader(into: DataView, link: number, snaplen: number, nanosecond: boolean): void {
  into.setUint32(0, nanosecond ? magic.nanoseconds : magic.microseconds, true)
  into.setUint16(4, 2, true)
  into.setUint16(6, 4, true)
  into.setUint32(8, 0, true)
  into.setUint32(12, 0, true)
  into.setUint32(16, snaplen, true)
  into.setUint32(20, link, true)
}

/** Until version 2.2 the original length came first; in 2.3 some writers did and some did not. */
function lengthOrderOf(major: number, minor: number): number {
  if (major !== 2 || minor > 3) return lengthOrder.normal
  return minor === 3 ? lengthOrder.either : lengthOrder.swapped
}

/** True for little-endian, false for big-endian, undefined when it is no pcap magic. */
function orderOf(bytes: DataView): boolean | undefined {
  for (const little of [true, false]) {
    const value = bytes.getUint32(0, little)
    if (value === magic.microseconds || value === magic.nanoseconds || value === magic.modified) return little
  }
  return undefined
}
