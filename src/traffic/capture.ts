/**
 * Classic pcap files in memory, as far as `traffic/` needs them: to put further packets between those of a capture.
 *
 * Both byte orders, micro- and nanoseconds. The parser never throws: a file that it cannot take gives a `problem`,
 * a file that ends in the middle of a record gives the records before it. Streaming, pcapng and other link types are
 * the business of `device/`.
 */

import { FILE_HEADER_BYTES, RECORD_HEADER_BYTES } from './pcapfile.js'

export interface CaptureRecord {
  /** Nanoseconds since 1970; exact, so a big integer. */
  readonly time: bigint
  /** The record with its header, as it lies in the file. */
  readonly bytes: Uint8Array
}

export interface Capture {
  readonly littleEndian: boolean
  readonly nanoseconds: boolean
  readonly linkType: number
  readonly header: Uint8Array
  readonly records: readonly CaptureRecord[]
}

/** Reads a classic pcap file. */
export function readCapture(file: Uint8Array): Capture | { readonly problem: string } {
  if (file.length < FILE_HEADER_BYTES)
    return { problem: `${file.length} bytes are too few for a pcap header` }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const magic = view.getUint32(0, true)
  const littleEndian = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d
  const nanoseconds = magic === 0xa1b23c4d || magic === 0x4d3cb2a1
  if (!littleEndian && magic !== 0xd4c3b2a1 && magic !== 0x4d3cb2a1) {
    return { problem: `magic number 0x${magic.toString(16)} is not that of classic pcap` }
  }
  const linkType = view.getUint32(20, littleEndian) & 0x0fff_ffff
  const records: CaptureRecord[] = []
  let at = FILE_HEADER_BYTES
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const end = at + RECORD_HEADER_BYTES + view.getUint32(at + 8, littleEndian)
    if (end > file.length) break
    const seconds = BigInt(view.getUint32(at, littleEndian))
    const fraction = BigInt(view.getUint32(at + 4, littleEndian))
    records.push({
      time: seconds * 1_000_000_000n + fraction * (nanoseconds ? 1n : 1000n),
      bytes: file.subarray(at, end),
    })
    at = end
  }
  return { littleEndian, nanoseconds, linkType, header: file.subarray(0, FILE_HEADER_BYTES), records }
}

/** A record in the capture's byte order and time resolution (a finer time is cut). */
export function makeRecord(capture: Capture, time: bigint, frame: Uint8Array, length: number): CaptureRecord {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + frame.length)
  const view = new DataView(bytes.buffer)
  const fraction = Number(time % 1_000_000_000n)
  view.setUint32(0, Number(time / 1_000_000_000n), capture.littleEndian)
  view.setUint32(4, capture.nanoseconds ? fraction : Math.floor(fraction / 1000), capture.littleEndian)
  view.setUint32(8, frame.length, capture.littleEndian)
  view.setUint32(12, length, capture.littleEndian)
  bytes.set(frame, RECORD_HEADER_BYTES)
  return { time, bytes }
}

/** The file: the capture's header, its records and `added`, by time; at equal times the capture's own come first. */
export function mergeRecords(capture: Capture, added: readonly CaptureRecord[]): Uint8Array {
  const later = added.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  const parts: Uint8Array[] = [capture.header]
  let next = 0
  for (const record of capture.records) {
    while (next < later.length && later[next].time < record.time) parts.push(later[next++].bytes)
    parts.push(record.bytes)
  }
  for (; next < later.length; next++) parts.push(later[next].bytes)
  return new Uint8Array(Buffer.concat(parts))
}
