// Link types: what the bytes of a captured packet start with. Programs see Ethernet; this file says which other
// link types are turned into it and names the rest for error messages.
// Numbers are LINKTYPE_ values (tcpdump.org/linktypes.html); 12 and 14 are what BSDs wrote for raw IP.

/** How a link type becomes Ethernet; the walkers switch on these numbers. */
export const linkKind = {
  ethernet: 0,
  /** No link header; EtherType from the IP version. */
  rawIp: 1,
  rawIpv4: 2,
  rawIpv6: 3,
  /** 4 bytes: address family in the byte order of some machine. */
  loopback: 4,
  /** 16 bytes, protocol in the last two (Linux cooked v1). */
  cooked1: 5,
  /** 20 bytes, protocol in the first two (Linux cooked v2). */
  cooked2: 6,
  unsupported: 255,
} as const

/** Bytes of the link header of each kind. */
export const linkHeaderBytes: readonly number[] = [0, 0, 0, 0, 4, 16, 20]

/** Bytes of the Ethernet header that replaces other link headers. */
export const ethernetHeaderBytes = 14

const kinds: ReadonlyMap<number, number> = new Map([
  [0, linkKind.loopback],
  [1, linkKind.ethernet],
  [12, linkKind.rawIp],
  [14, linkKind.rawIp],
  [101, linkKind.rawIp],
  [108, linkKind.loopback],
  [113, linkKind.cooked1],
  [228, linkKind.rawIpv4],
  [229, linkKind.rawIpv6],
  [276, linkKind.cooked2],
])

const names: ReadonlyMap<number, string> = new Map([
  [0, 'BSD loopback (NULL)'],
  [1, 'Ethernet'],
  [6, 'Token Ring'],
  [7, 'ARCNET'],
  [8, 'SLIP'],
  [9, 'PPP'],
  [10, 'FDDI'],
  [12, 'raw IP'],
  [14, 'raw IP'],
  [50, 'PPP in HDLC-like framing'],
  [51, 'PPPoE'],
  [100, 'LLC/SNAP ATM'],
  [101, 'raw IP'],
  [104, 'Cisco HDLC'],
  [105, 'IEEE 802.11'],
  [107, 'Frame Relay'],
  [108, 'OpenBSD loopback'],
  [113, 'Linux cooked v1'],
  [117, 'OpenBSD pflog'],
  [119, 'IEEE 802.11 with Prism header'],
  [122, 'IP over Fibre Channel'],
  [123, 'SunATM'],
  [127, 'IEEE 802.11 with radiotap header'],
  [129, 'ARCNET Linux'],
  [138, 'Apple IP over IEEE 1394'],
  [139, 'SS7 MTP2 with pseudo-header'],
  [140, 'SS7 MTP2'],
  [141, 'SS7 MTP3'],
  [143, 'DOCSIS'],
  [144, 'Linux IrDA'],
  [147, 'user-defined 0'],
  [163, 'IEEE 802.11 with AVS header'],
  [165, 'BACnet MS/TP'],
  [166, 'PPP of pppd'],
  [169, 'GPRS LLC'],
  [177, 'Linux LAPD'],
  [182, 'Juniper Multi-Link Frame Relay'],
  [187, 'Bluetooth HCI H4'],
  [189, 'Linux USB'],
  [192, 'PPI'],
  [195, 'IEEE 802.15.4'],
  [201, 'Bluetooth HCI H4 with direction'],
  [203, 'LAPD'],
  [220, 'Linux USB, memory-mapped'],
  [227, 'Linux CAN'],
  [228, 'raw IPv4'],
  [229, 'raw IPv6'],
  [230, 'IEEE 802.15.4 without FCS'],
  [239, 'Linux NFLOG'],
  [240, 'Hilscher netANALYZER'],
  [249, 'USBPcap'],
  [251, 'Bluetooth LE'],
  [252, 'Wireshark upper PDU'],
  [253, 'Linux netlink'],
  [258, 'Apple pktap'],
  [271, 'vsock monitor'],
  [272, 'Nordic Bluetooth LE'],
  [276, 'Linux cooked v2'],
])

/** The kind of a link type number; `linkKind.unsupported` for those that are not read. */
export function kindOfLink(type: number): number {
  return kinds.get(type) ?? linkKind.unsupported
}

/** Number and name of a link type, for messages. */
export function linkText(type: number): string {
  return `link type ${type} (${names.get(type) ?? 'not known by name'})`
}

/** What to do about a link type that is not read. */
export const linkAdvice =
  'Ethernet, raw IP, Linux cooked and BSD loopback captures are read: capture on an Ethernet interface, or with `-i any`'
