// What programs reach from each view besides its header fields: the views behind it, its payload, and values that
// take more than one load. The fields themselves stand in src/wire/. tools/generate.ts writes the documented
// interfaces from both; views.ts emits code for both. Names and documentation stand here once.

import { arp } from '../wire/arp.js'
import { ethernet } from '../wire/ethernet.js'
import type { Field, FieldType, Protocol } from '../wire/field.js'
import { gre } from '../wire/gre.js'
import { icmp } from '../wire/icmp.js'
import { icmpv6 } from '../wire/icmpv6.js'
import { ipv4 } from '../wire/ipv4.js'
import { ipv6 } from '../wire/ipv6.js'
import { sctp } from '../wire/sctp.js'
import { tcp } from '../wire/tcp.js'
import { udp } from '../wire/udp.js'
import { vlan } from '../wire/vlan.js'
import { vxlan } from '../wire/vxlan.js'

/** A member that is a view itself; undefined unless its bytes are there and the discriminator matches. */
export interface ViewMember {
  readonly kind: 'view'
  /** Key of `viewTypes`. */
  readonly view: ViewName
  readonly doc: string
  /** True if it is there whenever its owner is. */
  readonly always?: boolean
}

/** A computed value. */
export interface ValueMember {
  readonly kind: 'value'
  readonly type: FieldType
  readonly doc: string
  /** True if it can be undefined. */
  readonly optional?: boolean
}

export type ExtraMember = ViewMember | ValueMember

export interface ViewType {
  /** Name of the interface programs see. */
  readonly view: string
  readonly doc: string
  readonly protocol?: Protocol
  readonly members: { readonly [name: string]: ExtraMember }
}

const view = (name: ViewName, doc: string, always = false): ViewMember => ({
  kind: 'view',
  view: name,
  doc,
  ...(always && { always }),
})
const value = (type: FieldType, doc: string, optional = false): ValueMember => ({
  kind: 'value',
  type,
  doc,
  ...(optional && { optional }),
})

const payload = view('payload', 'What follows the header, without link padding.', true)
const frame = {
  ethernet: view('ethernet', 'The Ethernet header; undefined if the frame is shorter than 14 bytes.'),
  vlan: view('vlan', 'The outer VLAN tag, if the frame has one.'),
  arp: view('arp', 'The ARP packet, behind up to two VLAN tags.'),
  ipv4: view('ipv4', 'The IPv4 header, behind up to two VLAN tags.'),
  ipv6: view('ipv6', 'The IPv6 header, behind up to two VLAN tags.'),
}
const transport = {
  tcp: view('tcp', 'The TCP header; undefined on other protocols and on later fragments.'),
  udp: view('udp', 'The UDP header; undefined on other protocols and on later fragments.'),
  sctp: view('sctp', 'The SCTP header; undefined on other protocols and on later fragments.'),
  gre: view('gre', 'The GRE header; undefined on other protocols and on later fragments.'),
}
const of = (protocol: Protocol, members: ViewType['members'] = {}): ViewType => ({
  view: protocol.view,
  doc: protocol.doc,
  protocol,
  members,
})

export type ViewName =
  | 'packet'
  | 'inner'
  | 'payload'
  | 'ethernet'
  | 'vlan'
  | 'arp'
  | 'ipv4'
  | 'ipv6'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6'
  | 'gre'
  | 'vxlan'

/** Every type of view, by the name that views.ts and variables carry. */
export const viewTypes: { readonly [name in ViewName]: ViewType } = {
  packet: {
    view: 'Packet',
    doc: 'A packet: its bytes from the Ethernet header on, and when and where it came in.',
    members: {
      length: value('u32', 'Bytes that are present; at most `originalLength`.'),
      originalLength: value('u32', 'Bytes the packet had on the wire, without the frame check sequence.'),
      timestamp: value(
        'u64',
        "Nanoseconds since the first packet of the run, as the sequencer stamped it; never steps back. `time()` is a narrower clock that costs less in a replicated program's history.",
      ),
      sequence: value('u64', 'Number of the packet in the order of arrival, from 0.'),
      device: value('u32', 'Number of the device it came in by.'),
      ...frame,
    },
  },
  inner: {
    view: 'InnerPacket',
    doc: 'An Ethernet frame carried inside a packet.',
    members: { length: value('u32', 'Bytes of the frame that are present.'), ...frame },
  },
  payload: {
    view: 'Payload',
    doc: 'Bytes behind a header, read relative to their start.',
    members: {
      length: value('u32', 'Bytes that are present and belong to the payload by the lengths in the headers.'),
    },
  },
  ethernet: of(ethernet),
  vlan: of(vlan, { inner: view('vlan', 'The second tag, if there is one.') }),
  arp: of(arp),
  ipv4: of(ipv4, {
    ...transport,
    icmp: view('icmp', 'The ICMP header; undefined on other protocols and on later fragments.'),
    payload,
  }),
  ipv6: of(ipv6, {
    protocol: value(
      'IpProtocol',
      'Protocol behind the extension headers; 255 on a later fragment and where more than 4 extension headers stand or one is cut off.',
    ),
    ...transport,
    icmpv6: view('icmpv6', 'The ICMPv6 header; undefined on other protocols and on later fragments.'),
    payload: view(
      'payload',
      'What follows the header and the extension headers, without link padding.',
      true,
    ),
  }),
  tcp: of(tcp, {
    payload: view('payload', 'What follows the header and its options, without link padding.', true),
  }),
  udp: of(udp, { vxlan: view('vxlan', 'The VXLAN header, if the destination port is 4789.'), payload }),
  sctp: of(sctp, { payload }),
  icmp: of(icmp, { payload }),
  icmpv6: of(icmpv6, { payload }),
  gre: of(gre, {
    key: value('u32', 'The key (RFC 2890), if there is one.', true),
    sequenceNumber: value('u32', 'The sequence number (RFC 2890), if there is one.', true),
    payload: view('payload', 'What follows the header and its optional fields.', true),
  }),
  vxlan: of(vxlan, { inner: view('inner', 'The frame inside.', true) }),
}

/** What a member of a view is, without emitting anything. */
export type MemberInfo =
  | { readonly kind: 'field'; readonly field: Field }
  | ValueMember
  | ViewMember
  | { readonly kind: 'method'; readonly name: MethodName }

/** Methods: bounded raw reads on every view, and the clock of the packet. */
export const methodNames = ['u8', 'u16', 'u32', 'u64', 'bytes', 'time'] as const
/** Methods of payloads: bounded raw writes. */
export const writeNames = ['setU8', 'setU16', 'setU32', 'setU64', 'setBytes'] as const
export type MethodName = (typeof methodNames)[number] | (typeof writeNames)[number]

/** The member `name` of a view, or undefined if there is none of that name. */
export function memberInfo(viewName: ViewName, name: string): MemberInfo | undefined {
  const type = viewTypes[viewName]
  if (Object.hasOwn(type.members, name)) return type.members[name]
  const fields = type.protocol?.fields
  if (fields && Object.hasOwn(fields, name)) return { kind: 'field', field: fields[name] }
  const write = viewName === 'payload' && writeNames.find(m => m === name)
  if (write) return { kind: 'method', name: write }
  const method = methodNames.find(m => m === name)
  return method && (method !== 'time' || viewName === 'packet') ? { kind: 'method', name: method } : undefined
}
