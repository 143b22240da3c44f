// ARP for IPv4 over Ethernet: RFC 826.
//
// Heads up: RFC 826 allows any hardware and protocol. A view exists only for hardware type 1, protocol type IPv4 and
// address lengths 6 and 4, because only then do the addresses stand at fixed places.

import type { Protocol } from './field.js'
import { etherTypes } from './ethernet.js'
import { checkLength, ipv4Text, macText, viewAt } from './view.js'
import type { View } from './view.js'

export const arp = {
  name: 'arp',
  view: 'Arp',
  doc: 'An ARP packet for IPv4 over Ethernet.',
  source: 'RFC 826',
  headerBytes: 28,
  fields: {
    hardwareType: { doc: 'Hardware type; always 1 (Ethernet) here.', bit: 0, bits: 16, type: 'u16' },
    protocolType: { doc: 'Protocol type; always IPv4 here.', bit: 16, bits: 16, type: 'EtherType' },
    hardwareLength: { doc: 'Bytes in a hardware address; always 6 here.', bit: 32, bits: 8, type: 'u8' },
    protocolLength: { doc: 'Bytes in a protocol address; always 4 here.', bit: 40, bits: 8, type: 'u8' },
    operation: { doc: '1 request, 2 reply.', bit: 48, bits: 16, type: 'u16', writable: true },
    senderMac: { doc: 'MAC address of the sender.', bit: 64, bits: 48, type: 'MacAddress', writable: true },
    senderAddress: {
      doc: 'IPv4 address of the sender.',
      bit: 112,
      bits: 32,
      type: 'Ipv4Address',
      writable: true,
    },
    targetMac: { doc: 'MAC address asked for.', bit: 144, bits: 48, type: 'MacAddress', writable: true },
    targetAddress: {
      doc: 'IPv4 address asked for.',
      bit: 192,
      bits: 32,
      type: 'Ipv4Address',
      writable: true,
    },
  },
} as const satisfies Protocol

/** The ARP packet at `base`; undefined if it is cut off or not for IPv4 over Ethernet. */
export function parseArp(bytes: Uint8Array, base: number): View<typeof arp> | undefined {
  if (!checkLength(arp, bytes, base)) return undefined
  const view = viewAt(arp, bytes, base)
  const f = view.fields
  const known =
    f.hardwareType === 1 &&
    f.protocolType === etherTypes.Ipv4 &&
    f.hardwareLength === 6 &&
    f.protocolLength === 4
  return known ? view : undefined
}

/** One line for listings. */
export function printArp({ fields: f }: View<typeof arp>): string {
  const sender = `${ipv4Text(f.senderAddress)} (${macText(f.senderMac)})`
  const target = `${ipv4Text(f.targetAddress)} (${macText(f.targetMac)})`
  const verb = f.operation === 1 ? 'asks for' : f.operation === 2 ? 'answers' : `operation ${f.operation} to`
  return `ARP ${sender} ${verb} ${target}`
}
