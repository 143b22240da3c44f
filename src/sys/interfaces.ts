// Network interfaces of a namespace: what they are, their XDP state, addresses and counters (rtnetlink).
//
// All functions look at the namespace of the calling thread.

import { programInfo, openProgram } from './info.js'
import type { XdpMode } from './link.js'
import { attributesOf, netlinkFamily, numberOf, request, textOf } from './netlink.js'
import type { Answered, Message } from './netlink.js'
import type { Bytes } from './kernel.js'
import { Structure } from './structure.js'

const RTM_NEWLINK = 16
const RTM_GETLINK = 18
const RTM_GETADDR = 22

const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  OPERSTATE: 16,
  LINKINFO: 18,
  LINK_NETNSID: 37,
  STATS64: 23,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  XDP: 43,
} as const
const IFLA_INFO_KIND = 1
const IFLA_XDP = { ATTACHED: 2, NATIVE_ID: 5, GENERIC_ID: 6, HARDWARE_ID: 7, PROG_ID: 4 } as const
const IFF = { UP: 1, LOOPBACK: 8, LOWER_UP: 1 << 16 } as const

/** An XDP program on an interface. */
export interface XdpState {
  readonly mode: XdpMode | 'hardware'
  readonly programId: number
}

/** Counters of an interface, since it exists. */
export interface InterfaceCounters {
  readonly receivedPackets: number
  readonly sentPackets: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly receiveErrors: number
  readonly sendErrors: number
  readonly receiveDropped: number
  readonly sendDropped: number
}

export interface NetworkInterface {
  readonly index: number
  readonly name: string
  /** What kind of virtual device it is, `veth`; empty for hardware. */
  readonly kind: string
  readonly up: boolean
  /** Whether the other end or the cable is there. */
  readonly carrier: boolean
  readonly loopback: boolean
  readonly mtu: number
  /** Hardware address, `02:00:00:00:00:01`; empty if it has none. */
  readonly address: string
  /** Queues it was made with; those in use may be fewer (ethtool.ts). */
  readonly receiveQueues: number
  readonly sendQueues: number
  /** Index of the device it hangs on, a veth's peer for one; 0 for none. It counts in that device's namespace. */
  readonly link: number
  /** Whether that device is in another namespace. */
  readonly linkElsewhere: boolean
  /** Index of the bridge or bond it belongs to; 0 for none. */
  readonly master: number
  /** Programs, at most one of each mode. */
  readonly xdp: readonly XdpState[]
  readonly counters: InterfaceCounters
}

/** All interfaces, by index. */
export function interfaces(): NetworkInterface[] {
  return request({
    family: netlinkFamily.route,
    type: RTM_GETLINK,
    header: linkHeader(0),
    dump: true,
    name: 'netlink(GETLINK)',
  }).flatMap(message => describe(message) ?? [])
}

/** One interface by name or index; undefined if there is none. */
export function findInterface(which: string | number): NetworkInterface | undefined {
  return interfaces().find(({ name, index }) => which === name || which === index)
}

/** struct ifinfomsg for an interface. */
export function linkHeader(index: number): Bytes {
  return new Structure(16).u32(4, index).bytes
}

function describe({ type, payload }: Message): NetworkInterface | undefined {
  if (type !== RTM_NEWLINK || payload.length < 16) return undefined
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const flags = view.getUint32(8, true)
  const attributes = attributesOf(payload.subarray(16))
  const info = attributesOf(attributes.get(IFLA.LINKINFO) ?? empty)
  const text = (bytes: Bytes | undefined): string => (bytes === undefined ? '' : textOf(bytes))
  return {
    index: view.getInt32(4, true),
    name: text(attributes.get(IFLA.IFNAME)),
    kind: text(info.get(IFLA_INFO_KIND)),
    up: (flags & IFF.UP) !== 0,
    carrier: (flags & IFF.LOWER_UP) !== 0,
    loopback: (flags & IFF.LOOPBACK) !== 0,
    mtu: numberOf(attributes.get(IFLA.MTU)),
    address: hardwareAddress(attributes.get(IFLA.ADDRESS)),
    receiveQueues: numberOf(attributes.get(IFLA.NUM_RX_QUEUES)),
    sendQueues: numberOf(attributes.get(IFLA.NUM_TX_QUEUES)),
    link: numberOf(attributes.get(IFLA.LINK)),
    linkElsewhere: attributes.has(IFLA.LINK_NETNSID),
    master: numberOf(attributes.get(IFLA.MASTER)),
    xdp: xdpStates(attributesOf(attributes.get(IFLA.XDP) ?? empty)),
    counters: counters(attributes.get(IFLA.STATS64)),
  }
}

const empty = new Uint8Array(0)

function hardwareAddress(bytes: Bytes = empty): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':')
}

function xdpStates(xdp: Answered): XdpState[] {
  const attached = numberOf(xdp.get(IFLA_XDP.ATTACHED))
  const only = numberOf(xdp.get(IFLA_XDP.PROG_ID))
  const modes = [
    ['native', 1, IFLA_XDP.NATIVE_ID],
    ['generic', 2, IFLA_XDP.GENERIC_ID],
    ['hardware', 3, IFLA_XDP.HARDWARE_ID],
  ] as const
  return modes.flatMap(([mode, number, attribute]) => {
    const programId = numberOf(xdp.get(attribute)) || (attached === number ? only : 0)
    return programId === 0 ? [] : [{ mode, programId }]
  })
}

function counters(bytes: Bytes = empty): InterfaceCounters {
  const at = (k: number): number => numberOf(bytes.subarray(8 * k, 8 * k + 8))
  return {
    receivedPackets: at(0),
    sentPackets: at(1),
    receivedBytes: at(2),
    sentBytes: at(3),
    receiveErrors: at(4),
    sendErrors: at(5),
    receiveDropped: at(6),
    sendDropped: at(7),
  }
}

/** An address of an interface, with the length of its network's prefix. */
export interface InterfaceAddress {
  readonly interfaceIndex: number
  readonly family: 'ipv4' | 'ipv6'
  /** 4 or 16 bytes, in network order. */
  readonly bytes: Bytes
  readonly prefix: number
}

/** Addresses of all interfaces. */
export function addresses(): InterfaceAddress[] {
  const header = new Uint8Array(new ArrayBuffer(8))
  return request({
    family: netlinkFamily.route,
    type: RTM_GETADDR,
    header,
    dump: true,
    name: 'netlink(GETADDR)',
  }).flatMap(({ payload }) => {
    if (payload.length < 8) return []
    const attributes = attributesOf(payload.subarray(8))
    // IFA_LOCAL, and IFA_ADDRESS where the two are the same.
    const bytes = attributes.get(2) ?? attributes.get(1)
    const family = payload[0] === 2 ? 'ipv4' : 'ipv6'
    if (bytes === undefined) return []
    return [{ interfaceIndex: numberOf(payload.subarray(4, 8)), family, bytes, prefix: payload[1] }]
  })
}

/** The programs on an interface in words: `native program 12 (counter)`; empty for none. */
export function xdpText({ xdp }: NetworkInterface): string {
  return xdp
    .map(({ mode, programId }) => {
      const program = openProgram(programId)
      if (program === undefined) return `${mode} program ${programId}`
      const { name } = programInfo(program)
      program.close()
      return `${mode} program ${programId} (${name})`
    })
    .join(', ')
}
