// ICMP: RFC 792; types and codes from IANA.
//
// Heads up: only echo messages have an identifier and a sequence number; of other messages those bytes mean something
// else (a gateway, a pointer, an MTU in the second half). The checksum covers the message and no pseudo-header.

import type { Protocol } from './field.js'
import { checkLength, nameOf, viewAt } from './view.js'
import type { View } from './view.js'

export const icmp = {
  name: 'icmp',
  view: 'Icmp',
  doc: 'The ICMP header. Assigning a field keeps the checksum right.',
  source: 'RFC 792',
  headerBytes: 8,
  fields: {
    type: {
      doc: '0 echo reply, 3 destination unreachable, 5 redirect, 8 echo, 11 time exceeded, 12 parameter problem.',
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
export const icmpTypes = {
  echoReply: 0,
  destinationUnreachable: 3,
  redirect: 5,
  echo: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const

/** The ICMP header at `base`; undefined if it is cut off. */
export const parseIcmp = (bytes: Uint8Array, base: number): View<typeof icmp> | undefined =>
  checkLength(icmp, bytes, base) ? viewAt(icmp, bytes, base) : undefined

/** One line for listings. */
export function printIcmp({ fields: f }: View<typeof icmp>): string {
  const echo = f.type === icmpTypes.echo || f.type === icmpTypes.echoReply
  const detail = echo ? `, identifier ${f.identifier}, sequence ${f.sequenceNumber}` : `, code ${f.code}`
  return `ICMP ${nameOf(icmpTypes, f.type)}${detail}`
}
