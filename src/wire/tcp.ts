// TCP: RFC 9293 section 3.1; ECN flags RFC 3168.
//
// Heads up: read RFC 9293 section 3.1. A view exists only if the data offset is at least 5 words and the whole
// header, options included, lies in the packet; options are reached by raw reads from byte 20 on.

import type { Protocol } from './field.js'
import { checkLength, viewAt } from './view.js'
import type { View } from './view.js'

const bit = (doc: string, at: number) =>
  ({ doc, bit: at, bits: 1, type: 'bool', writable: true, covered: ['transport'] }) as const

export const tcp = {
  name: 'tcp',
  view: 'Tcp',
  doc: 'The TCP header. Assigning a field keeps the checksum right.',
  source: 'RFC 9293 section 3.1',
  headerBytes: 20,
  fields: {
    sourcePort: {
      doc: 'Source port.',
      bit: 0,
      bits: 16,
      type: 'Port',
      writable: true,
      covered: ['transport'],
    },
    destinationPort: {
      doc: 'Destination port.',
      bit: 16,
      bits: 16,
      type: 'Port',
      writable: true,
      covered: ['transport'],
    },
    sequenceNumber: {
      doc: 'Sequence number of the first payload byte, or of the SYN; wraps at 2^32.',
      bit: 32,
      bits: 32,
      type: 'u32',
      writable: true,
      covered: ['transport'],
    },
    acknowledgementNumber: {
      doc: 'Next sequence number expected from the peer, if `ack` is set; wraps at 2^32.',
      bit: 64,
      bits: 32,
      type: 'u32',
      writable: true,
      covered: ['transport'],
    },
    dataOffset: { doc: 'Header length in 32-bit words, 5 to 15.', bit: 96, bits: 4, type: 'u8' },
    flags: {
      doc: 'The eight flags as one number: CWR 128, ECE 64, URG 32, ACK 16, PSH 8, RST 4, SYN 2, FIN 1.',
      bit: 104,
      bits: 8,
      type: 'u8',
      writable: true,
      covered: ['transport'],
    },
    cwr: bit('Congestion window reduced (RFC 3168).', 104),
    ece: bit('ECN echo (RFC 3168).', 105),
    urg: bit('The urgent pointer is significant.', 106),
    ack: bit('The acknowledgement number is significant.', 107),
    psh: bit('Push.', 108),
    rst: bit('Reset the connection.', 109),
    syn: bit('Synchronise sequence numbers.', 110),
    fin: bit('The sender has no more data.', 111),
    window: {
      doc: 'Receive window, before scaling (RFC 7323), in bytes.',
      bit: 112,
      bits: 16,
      type: 'u16',
      writable: true,
      covered: ['transport'],
    },
    checksum: { doc: 'Checksum as in the packet.', bit: 128, bits: 16, type: 'u16', writable: true },
    urgentPointer: {
      doc: 'Offset of the urgent data, if `urg` is set.',
      bit: 144,
      bits: 16,
      type: 'u16',
      writable: true,
      covered: ['transport'],
    },
  },
} as const satisfies Protocol

/** Values of single bits of `flags`. */
export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const

/** The TCP header at `base`; undefined if it is cut off, options included, or its length is impossible. */
export function parseTcp(bytes: Uint8Array, base: number): View<typeof tcp> | undefined {
  if (!checkLength(tcp, bytes, base)) return undefined
  const words = bytes[base + 12] >> 4
  const next = base + 4 * words
  return words >= 5 && next <= bytes.length ? viewAt(tcp, bytes, base, next) : undefined
}

/** One line for listings. */
export function printTcp({ fields: f }: View<typeof tcp>): string {
  const set = Object.entries(tcpFlags).filter(([, bit]) => f.flags & bit)
  const flags = set.map(([name]) => name.toUpperCase()).join(' ') || 'no flags'
  return (
    `TCP ${f.sourcePort} > ${f.destinationPort}, ${flags}, sequence ${f.sequenceNumber}` +
    `${f.ack ? `, acknowledges ${f.acknowledgementNumber}` : ''}, window ${f.window}` +
    `${f.dataOffset > 5 ? ', options' : ''}`
  )
}
