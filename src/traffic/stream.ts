/**
 * A stream: packets of one size that differ in who talks to whom, described by a few numbers.
 *
 * Flow k of a stream has source address + k and, beyond the addresses there are, source port + 1. All packets are
 * complete frames with right lengths and checksums (frame.ts); TCP packets carry ACK alone and open nothing.
 */

import { FrameWriter, TCP_FLAGS } from './frame.js'

export interface StreamDescription {
  /** Bytes of a frame with its check sequence, as RFC 2544 counts: 64 to 3412. */
  readonly size: number
  /** How many flows the packets belong to, one packet each, in turn. */
  readonly flows: number
  readonly udp: boolean
  /** IPv4 addresses as numbers; flow k comes from `source` + k mod `sources`. */
  readonly source: number
  readonly sources: number
  readonly destination: number
  /** Ports; the source's counts up where flows outnumber sources. */
  readonly sourcePort: number
  readonly destinationPort: number
  /** Six bytes each. */
  readonly sourceMac: Uint8Array
  readonly destinationMac: Uint8Array
}

/** Bytes of the frame check sequence, which the sender does not hold. */
export const CHECK_SEQUENCE = 4
const headers = { udp: 14 + 20 + 8, tcp: 14 + 20 + 20 }

/** Addresses from the block for benchmarks (RFC 2544, 198.18.0.0/15), locally administered hardware addresses. */
export const defaultStream: StreamDescription = {
  size: 64,
  flows: 1,
  udp: true,
  source: 0xc612_0001,
  sources: 65_536,
  destination: 0xc613_0001,
  sourcePort: 1024,
  destinationPort: 9,
  sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1),
  destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
}

/** The packets, one for each flow. */
export function streamPackets(stream: StreamDescription): Uint8Array[] {
  const { size, flows, udp, sources } = stream
  const length = size - CHECK_SEQUENCE
  const payload = Math.max(0, length - (udp ? headers.udp : headers.tcp))
  const writer = new FrameWriter(length, 0, Math.max(1, payload))
  const bytes = new Uint8Array(length + 64)
  writer.bind(bytes)
  Object.assign(writer, {
    udp,
    payload,
    flags: TCP_FLAGS.ack,
    acknowledgement: 1,
    server: stream.destination | 0,
    serverPort: stream.destinationPort,
  })
  return Array.from({ length: flows }, (_, k) => {
    writer.client = (stream.source + (k % sources)) | 0
    writer.clientPort = (stream.sourcePort + Math.floor(k / sources)) & 0xffff
    writer.sequence = k
    writer.identification = k & 0xffff
    writer.write(0)
    const packet = bytes.slice(0, length)
    packet.set(stream.destinationMac, 0)
    packet.set(stream.sourceMac, 6)
    return packet
  })
}
