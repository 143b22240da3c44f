/**
 * What the tests of `traffic/` share: a plain frame parser and checksum, written apart from the code that makes the
 * frames, so that the two judge each other. Tests only; nothing here is fast.
 */

import { DESCRIPTOR_BYTES, makeTrace } from './trace.js'
import type { TraceSpecification } from './specification.js'

export interface ParsedFrame {
  readonly bytes: Uint8Array
  readonly captured: number
  readonly length: number
  /** Nanoseconds since the first packet. */
  readonly time: number
  readonly version: 4 | 6
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  readonly ipHeader: Uint8Array
  readonly pseudoHeader: Uint8Array
  /** Transport header and payload, and where in the frame they end by the IP header. */
  readonly segment: Uint8Array
  readonly end: number
  readonly sequence: number
  readonly acknowledgement: number
  readonly flags: number
  readonly payload: number
  readonly identification: number
}

/** The Internet checksum over all parts together (each of even length but the last). */
export function checksum(parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts)
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] << 8) | (i + 1 < bytes.length ? bytes[i + 1] : 0)
    if (sum > 0xffff) sum = (sum & 0xffff) + 1
  }
  return ~sum & 0xffff
}

/** Parses an Ethernet frame of TCP or UDP without IP options. */
export function parseFrame(bytes: Uint8Array, length: number, time: number): ParsedFrame {
  const frame = Buffer.from(bytes)
  const v6 = frame.readUInt16BE(12) === 0x86dd
  const l4 = v6 ? 54 : 34
  const end = 14 + (v6 ? 40 + frame.readUInt16BE(18) : frame.readUInt16BE(16))
  const protocol = frame[v6 ? 20 : 23]
  const [from, width] = v6 ? [22, 16] : [26, 4]
  const address = (at: number) => [...frame.subarray(at, at + width)].join('.')
  const tail = Buffer.from([(end - l4) >> 8, (end - l4) & 255, 0, protocol])
  const addresses = frame.subarray(from, from + 2 * width)
  const segment = frame.subarray(l4, end)
  const tcp = protocol === 6
  return {
    bytes: new Uint8Array(bytes),
    captured: bytes.length,
    length,
    time,
    version: v6 ? 6 : 4,
    protocol,
    source: address(from),
    destination: address(from + width),
    sourcePort: frame.readUInt16BE(l4),
    destinationPort: frame.readUInt16BE(l4 + 2),
    ipHeader: frame.subarray(14, l4),
    pseudoHeader: v6
      ? Buffer.concat([
          addresses,
          Buffer.from([0, 0]),
          tail.subarray(0, 2),
          Buffer.from([0, 0]),
          tail.subarray(2),
        ])
      : Buffer.concat([addresses, Buffer.from([0, protocol]), tail.subarray(0, 2)]),
    segment,
    end,
    sequence: tcp ? frame.readUInt32BE(l4 + 4) : 0,
    acknowledgement: tcp ? frame.readUInt32BE(l4 + 8) : 0,
    flags: tcp ? frame[l4 + 13] : 0,
    payload: end - l4 - (tcp ? (frame[l4 + 12] >> 4) * 4 : 8),
    identification: v6 ? 0 : frame.readUInt16BE(18),
  }
}

/** All packets of a trace, fetched `batch` at a time. */
export function readTrace(specification: TraceSpecification, batch: number): ParsedFrame[] {
  const trace = makeTrace(specification)
  const region = new Uint8Array(256 << 10)
  const descriptors = new Uint8Array(DESCRIPTOR_BYTES * batch)
  const view = new DataView(descriptors.buffer)
  const frames: ParsedFrame[] = []
  for (;;) {
    const count = trace.writeTo(region, descriptors)
    if (count === 0) return frames
    for (let i = 0; i < count; i++) {
      const at = view.getUint32(i * DESCRIPTOR_BYTES, true)
      const bytes = region.subarray(at, at + view.getUint32(i * DESCRIPTOR_BYTES + 4, true))
      const time = Number(view.getBigUint64(i * DESCRIPTOR_BYTES + 16, true))
      frames.push(parseFrame(bytes, view.getUint32(i * DESCRIPTOR_BYTES + 8, true), time))
    }
  }
}
