// Pairs of virtual Ethernet devices, and what makes a device usable: up, an address, a hardware address (rtnetlink).
//
// All functions look at the namespace of the calling thread. No command of iproute2 is needed.

import { errno } from './errno.js'
import { linkHeader } from './interfaces.js'
import type { Bytes } from './kernel.js'
import { encodeAttributes, netlinkFamily, NetlinkError, request } from './netlink.js'
import type { Attribute } from './netlink.js'
import { Structure } from './structure.js'

const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_NEWADDR = 20
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINKINFO: 18,
  NET_NS_FD: 28,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
}
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const VETH_INFO_PEER = 1
const IFA = { ADDRESS: 1, LOCAL: 2 }
const IFF_UP = 1

/** One end of a pair. */
export interface VethEnd {
  readonly name: string
  /** `02:00:00:00:00:01`; the kernel's choice if left out. */
  readonly address?: string
  /** A descriptor of the namespace that this end goes to; the calling thread's if left out. */
  readonly namespace?: number
}

export interface VethPair {
  readonly ends: readonly [VethEnd, VethEnd]
  readonly mtu: number
  /** Receive and send queues of each end. */
  readonly queues: number
}

const hardware = (address: string): Bytes =>
  Uint8Array.from(address.split(':'), part => Number.parseInt(part, 16))

const endAttributes = ({ name, address, namespace }: VethEnd, { mtu, queues }: VethPair): Attribute[] => [
  [IFLA.IFNAME, name],
  [IFLA.MTU, mtu],
  [IFLA.NUM_TX_QUEUES, queues],
  [IFLA.NUM_RX_QUEUES, queues],
  ...(address === undefined ? [] : [[IFLA.ADDRESS, hardware(address)] as const]),
  ...(namespace === undefined ? [] : [[IFLA.NET_NS_FD, namespace] as const]),
]

/** Makes a pair; throws a NetlinkError, EEXIST where the first name is taken. */
export function createVeth(pair: VethPair): void {
  const [near, far] = pair.ends
  const peer = Buffer.concat([linkHeader(0), encodeAttributes(endAttributes(far, pair))])
  request({
    family: netlinkFamily.route,
    type: RTM_NEWLINK,
    create: true,
    header: linkHeader(0),
    attributes: [
      ...endAttributes(near, pair),
      [
        IFLA.LINKINFO,
        [
          [IFLA_INFO_KIND, 'veth'],
          [IFLA_INFO_DATA, [[VETH_INFO_PEER, new Uint8Array(peer)]]],
        ],
      ],
    ],
    name: `netlink(NEWLINK ${near.name})`,
  })
}

/** Turns a device on. */
export function bringUp(interfaceIndex: number): void {
  const header = new Structure(16).u32(4, interfaceIndex).u32(8, IFF_UP).u32(12, IFF_UP).bytes
  request({ family: netlinkFamily.route, type: RTM_NEWLINK, header, name: 'netlink(NEWLINK up)' })
}

/** Removes a device; a pair goes as a whole. Harmless if it has gone already. */
export function removeDevice(interfaceIndex: number): void {
  try {
    request({
      family: netlinkFamily.route,
      type: RTM_DELLINK,
      header: linkHeader(interfaceIndex),
      name: 'netlink(DELLINK)',
    })
  } catch (error) {
    if (!(error instanceof NetlinkError && error.errno === errno.ENODEV)) throw error
  }
}

/** Gives a device an address, of 4 or 16 bytes in network order. */
export function addAddress(interfaceIndex: number, bytes: Bytes, prefix: number): void {
  // struct ifaddrmsg: family AF_INET 2 or AF_INET6 10, prefix length, flags, scope, u32 index. 2: no duplicate detection.
  const header = new Structure(8).u32(4, interfaceIndex)
  header.bytes.set([bytes.length === 4 ? 2 : 10, prefix, bytes.length === 4 ? 0 : 2, 0])
  request({
    family: netlinkFamily.route,
    type: RTM_NEWADDR,
    create: true,
    header: header.bytes,
    attributes: [
      [IFA.LOCAL, bytes],
      [IFA.ADDRESS, bytes],
    ],
    name: 'netlink(NEWADDR)',
  })
}
