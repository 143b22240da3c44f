// IPv6: RFC 8200 section 3 (header) and section 4 (extension headers).
//
// Heads up: read RFC 8200 section 4.1 for the order of extension headers. Hop-by-hop options, routing, fragment and
// destination options are looked through, at most four of them; a fifth, or one that leaves the packet, leaves the
// packet without a transport header. So does a fragment header with an offset other than 0. Authentication and ESP
// are transport protocols here. Not supported: the pseudo-header of a packet under way with a routing header has the
// last destination (section 8.1); checksum updates take this header's.

import type { Protocol } from './field.js'
import { ipProtocols } from './ipv4.js'
import { checkLength, ipv6Text, nameOf, viewAt } from './view.js'
import type { View } from './view.js'

export const ipv6 = {
  name: 'ipv6',
  view: 'Ipv6',
  doc: 'The IPv6 header. Assigning an address keeps the checksums of TCP, UDP and ICMPv6 right.',
  source: 'RFC 8200 section 3',
  headerBytes: 40,
  fields: {
    version: { doc: 'Version; always 6 here.', bit: 0, bits: 4, type: 'u8' },
    dscp: {
      doc: 'Differentiated services code point (RFC 2474), 0 to 63.',
      bit: 4,
      bits: 6,
      type: 'u8',
      writable: true,
    },
    ecn: {
      doc: 'Explicit congestion notification (RFC 3168), 0 to 3.',
      bit: 10,
      bits: 2,
      type: 'u8',
      writable: true,
    },
    flowLabel: {
      doc: 'Flow label (RFC 6437), 20 bits.',
      bit: 12,
      bits: 20,
      type: 'u32',
      writable: true,
    },
    payloadLength: {
      doc: 'Bytes after this header as the sender states; not checked against the packet.',
      bit: 32,
      bits: 16,
      type: 'u16',
    },
    nextHeader: {
      doc: 'Type of the header that follows; see `protocol` for the one behind extension headers.',
      bit: 48,
      bits: 8,
      type: 'IpProtocol',
    },
    hopLimit: { doc: 'Hop limit.', bit: 56, bits: 8, type: 'u8', writable: true },
    source: {
      doc: 'Source address.',
      bit: 64,
      bits: 128,
      type: 'Ipv6Address',
      writable: true,
      covered: ['pseudo'],
    },
    destination: {
      doc: 'Destination address.',
      bit: 192,
      bits: 128,
      type: 'Ipv6Address',
      writable: true,
      covered: ['pseudo'],
    },
  },
} as const satisfies Protocol

/** Extension headers that are looked through. */
export const maxExtensions = 4
/** `protocol` of a packet whose extension headers are too many or cut off, or that is a later fragment. */
export const noTransport = 255

/** The IPv6 header at `base`; undefined if it is cut off or no IPv6 header. `next` is behind the 40 fixed bytes. */
export function parseIpv6(bytes: Uint8Array, base: number): View<typeof ipv6> | undefined {
  if (!checkLength(ipv6, bytes, base)) return undefined
  const view = viewAt(ipv6, bytes, base)
  return view.fields.version === 6 ? view : undefined
}

const extensions: readonly number[] = [
  ipProtocols.HopByHop,
  ipProtocols.Routing,
  ipProtocols.Fragment,
  ipProtocols.DestinationOptions,
]

/** What stands behind a header's extension headers, and where; `noTransport` as said there. */
export function upperLayer(
  bytes: Uint8Array,
  { fields, next }: View<typeof ipv6>,
): { protocol: number; at: number } {
  let protocol = fields.nextHeader
  let at = next
  for (let seen = 0; extensions.includes(protocol); seen++) {
    if (seen === maxExtensions || at + 8 > bytes.length) return { protocol: noTransport, at }
    const fragment = protocol === ipProtocols.Fragment
    const later = fragment && ((bytes[at + 2] << 8) | bytes[at + 3]) >> 3 !== 0
    protocol = later ? noTransport : bytes[at]
    at += fragment ? 8 : 8 * (bytes[at + 1] + 1)
  }
  return { protocol, at }
}

/** One line for listings. */
export const printIpv6 = ({ fields: f }: View<typeof ipv6>): string =>
  `IPv6 ${ipv6Text(f.source)} > ${ipv6Text(f.destination)}, ${nameOf(ipProtocols, f.nextHeader)}, ` +
  `hop limit ${f.hopLimit}, length ${f.payloadLength}${f.flowLabel ? `, flow label ${f.flowLabel}` : ''}`
