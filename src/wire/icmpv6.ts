// ICMPv6: RFC 4443 section 2.1; neighbour discovery RFC 4861.
//
// Heads up: unlike ICMP's, the checksum covers the IPv6 pseudo-header (RFC 4443 section 2.3). Only echo messages have
// an identifier and a sequence number. Every message in use has at least eight bytes, and a view exists only then.

import type { Protocol } from './field.js'
import { checkLength, nameOf, viewAt } from './view.js'
import type { View } from './view.js'

export const icmpv6 = {
  name: 'icmpv6',
  view: 'Icmpv6',
  doc: 'The ICMPv6 header. Assigning a field keeps the checksum right.',
  source: 'RFC 4443 section 2.1',
  headerBytes: 8,
  fields: {
    type: {
      doc: '1 unreachable, 2 too big, 3 time exceeded, 128 echo request, 129 echo reply, 135 and 136 neighbour discovery.',
      bit: 0,
      bits: 8,
      type: 'u8',
      writable: true,
      covered: ['transport'],
    },
    code: {
      doc: 'Finer reason; its meaning depends on the type.',
      bit: 8,
      bits: 8,
      type: 'u8',
      writable: true,
      covered: ['transport'],
    },
    checksum: { doc: 'Checksum as in the packet.', bit: 16, bits: 16, type: 'u16', writable: true },
    identifier: {
      doc: 'Identifier of an echo message.',
      bit: 32,
      bits: 16,
      type: 'u16',
      writable: true,
      covered: ['transport'],
    },
    sequenceNumber: {
      doc: 'Sequence number of an echo message.',
      bit: 48,
      bits: 16,
      type: 'u16',
      writable: true,
      covered: ['transport'],
    },
  },
} as const satisfies Protocol

/** Message types that hairpin names. */
export const icmpv6Types = {
  destinationUnreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
} as const

/** The ICMPv6 header at `base`; undefined if it is cut off. */
export const parseIcmpv6 = (bytes: Uint8Array, base: number): View<typeof icmpv6> | undefined =>
  checkLength(icmpv6, bytes, base) ? viewAt(icmpv6, bytes, base) : undefined

/** One line for listings. */
export function printIcmpv6({ fields: f }: View<typeof icmpv6>): string {
  const echo = f.type === icmpv6Types.echoRequest || f.type === icmpv6Types.echoReply
  const detail = echo ? `, identifier ${f.identifier}, sequence ${f.sequenceNumber}` : `, code ${f.code}`
  return `ICMPv6 ${nameOf(icmpv6Types, f.type)}${detail}`
}
