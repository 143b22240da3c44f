// Ethernet II: IEEE 802.3 clause 3.2; EtherTypes from the IEEE registry as IANA lists it.
//
// Heads up: hairpin always shows programs an Ethernet header. Where a capture has another link type, the reader puts
// a synthetic one in front. The type field is the one at byte 12, so of a tagged frame it is the tag's; vlan.ts says
// how the first untagged EtherType is found. An 802.3 length (below 0x0600) matches no protocol.

import type { Protocol } from './field.js'
import { checkLength, macText, nameOf, viewAt } from './view.js'
import type { View } from './view.js'

export const ethernet = {
  name: 'ethernet',
  view: 'Ethernet',
  doc: 'The Ethernet header.',
  source: 'IEEE 802.3 clause 3.2',
  headerBytes: 14,
  fields: {
    destination: {
      doc: 'Destination MAC address.',
      bit: 0,
      bits: 48,
      type: 'MacAddress',
      writable: true,
    },
    source: { doc: 'Source MAC address.', bit: 48, bits: 48, type: 'MacAddress', writable: true },
    type: {
      doc: 'EtherType at byte 12; of a tagged frame, the tag type 0x8100 or 0x88A8.',
      bit: 96,
      bits: 16,
      type: 'EtherType',
    },
  },
} as const satisfies Protocol

/** EtherTypes that hairpin names. */
export const etherTypes = {
  Ipv4: 0x0800,
  Arp: 0x0806,
  TransparentEthernetBridging: 0x6558,
  Vlan: 0x8100,
  Ipv6: 0x86dd,
  MplsUnicast: 0x8847,
  MplsMulticast: 0x8848,
  PppoeDiscovery: 0x8863,
  PppoeSession: 0x8864,
  ServiceVlan: 0x88a8,
  Lldp: 0x88cc,
} as const

/** The Ethernet header at `base`; undefined if it is cut off. */
export const parseEthernet = (bytes: Uint8Array, base: number): View<typeof ethernet> | undefined =>
  checkLength(ethernet, bytes, base) ? viewAt(ethernet, bytes, base) : undefined

/** One line for listings. */
export const printEthernet = ({ fields: f }: View<typeof ethernet>): string =>
  `Ethernet ${macText(f.source)} > ${macText(f.destination)}, type ${nameOf(etherTypes, f.type, 16)}`
