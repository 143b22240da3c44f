// IPv4: RFC 791 section 3.1; DSCP RFC 2474; ECN RFC 3168; checksum updates RFC 1624.
//
// Heads up: read RFC 791 section 3.1 for the header and section 3.2 for fragments. A view exists only if the version
// is 4, the header length at least 5 words and the whole header, options included, in the packet. The fragment
// offset decides whether a transport header follows: only a packet or first fragment (offset 0) has one. The total
// length is not trusted: it may be larger than what was captured, or 0 where the sender's NIC cuts segments.

import type { Protocol } from './field.js'
import { checkLength, ipv4Text, nameOf, viewAt } from './view.js'
import type { View } from './view.js'

export const ipv4 = {
  name: 'ipv4',
  view: 'Ipv4',
  doc: 'The IPv4 header. Assigning a field keeps the header checksum and those of TCP and UDP right.',
  source: 'RFC 791 section 3.1',
  headerBytes: 20,
  fields: {
    version: { doc: 'Version; always 4 here.', bit: 0, bits: 4, type: 'u8' },
    headerLength: {
      doc: 'Header length in 32-bit words (IHL), 5 to 15; more than 5 means options.',
      bit: 4,
      bits: 4,
      type: 'u8',
    },
    dscp: {
      doc: 'Differentiated services code point (RFC 2474), 0 to 63.',
      bit: 8,
      bits: 6,
      type: 'u8',
      writable: true,
      covered: ['header'],
    },
    ecn: {
      doc: 'Explicit congestion notification (RFC 3168), 0 to 3.',
      bit: 14,
      bits: 2,
      type: 'u8',
      writable: true,
      covered: ['header'],
    },
    totalLength: {
      doc: 'Bytes of header and payload as the sender states; not checked against the packet.',
      bit: 16,
      bits: 16,
      type: 'u16',
    },
    identification: {
      doc: 'Identification shared by the fragments of one datagram.',
      bit: 32,
      bits: 16,
      type: 'u16',
      writable: true,
      covered: ['header'],
    },
    dontFragment: {
      doc: 'Do not fragment.',
      bit: 49,
      bits: 1,
      type: 'bool',
      writable: true,
      covered: ['header'],
    },
    moreFragments: { doc: 'More fragments follow.', bit: 50, bits: 1, type: 'bool' },
    fragmentOffset: {
      doc: 'Place of this fragment in the datagram, in units of 8 bytes.',
      bit: 51,
      bits: 13,
      type: 'u16',
    },
    ttl: {
      doc: 'Time to live, in hops.',
      bit: 64,
      bits: 8,
      type: 'u8',
      writable: true,
      covered: ['header'],
    },
    protocol: { doc: 'Protocol of the payload.', bit: 72, bits: 8, type: 'IpProtocol' },
    checksum: { doc: 'Header checksum as in the packet.', bit: 80, bits: 16, type: 'u16', writable: true },
    source: {
      doc: 'Source address.',
      bit: 96,
      bits: 32,
      type: 'Ipv4Address',
      writable: true,
      covered: ['header', 'pseudo'],
    },
    destination: {
      doc: 'Destination address.',
      bit: 128,
      bits: 32,
      type: 'Ipv4Address',
      writable: true,
      covered: ['header', 'pseudo'],
    },
  },
} as const satisfies Protocol

/** Protocol numbers (IANA) that hairpin names; the same registry serves IPv6. */
export const ipProtocols = {
  HopByHop: 0,
  Icmp: 1,
  Igmp: 2,
  Ipv4: 4,
  Tcp: 6,
  Udp: 17,
  Ipv6: 41,
  Routing: 43,
  Fragment: 44,
  Gre: 47,
  Esp: 50,
  Authentication: 51,
  Icmpv6: 58,
  NoNextHeader: 59,
  DestinationOptions: 60,
  Ospf: 89,
  Sctp: 132,
} as const

/** The IPv4 header at `base`; undefined if it is cut off, options included, or no IPv4 header. */
export function parseIpv4(bytes: Uint8Array, base: number): View<typeof ipv4> | undefined {
  if (!checkLength(ipv4, bytes, base)) return undefined
  const next = base + 4 * (bytes[base] & 15)
  const view = viewAt(ipv4, bytes, base, next)
  const sound = view.fields.version === 4 && view.fields.headerLength >= 5 && next <= bytes.length
  return sound ? view : undefined
}

/** One line for listings. */
export function printIpv4({ fields: f }: View<typeof ipv4>): string {
  const fragment =
    f.moreFragments || f.fragmentOffset > 0
      ? `, fragment ${f.identification} at ${8 * f.fragmentOffset}${f.moreFragments ? '+' : ''}`
      : ''
  return (
    `IPv4 ${ipv4Text(f.source)} > ${ipv4Text(f.destination)}, ${nameOf(ipProtocols, f.protocol)}, ` +
    `ttl ${f.ttl}, length ${f.totalLength}${f.headerLength > 5 ? ', options' : ''}${fragment}`
  )
}
