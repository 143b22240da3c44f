// What a device can do with XDP without trying: the kernel's netdev family of generic netlink. Linux 6.3.

import { errno } from './errno.js'
import { attributesOf, NetlinkError, netlinkFamily, numberOf, request } from './netlink.js'
import { Structure } from './structure.js'

const CTRL_FAMILY = 16
const CTRL_CMD_GETFAMILY = 3
const CTRL_ATTR_FAMILY_ID = 1
const CTRL_ATTR_FAMILY_NAME = 2
const NETDEV_CMD_DEV_GET = 1
const NETDEV_A_DEV_IFINDEX = 1
const NETDEV_A_DEV_XDP_FEATURES = 3
const NETDEV_A_DEV_XDP_ZC_MAX_SEGS = 4

const bits = {
  /** Native programs run, with the verdicts drop, pass and transmit. */
  native: 1 << 0,
  /** They may redirect. */
  redirect: 1 << 1,
  /** Others may redirect to this device. */
  redirectTarget: 1 << 2,
  /** AF_XDP sockets without copying. */
  zeroCopy: 1 << 3,
  hardware: 1 << 4,
  /** Packets in several buffers. */
  fragments: 1 << 5,
} as const

export type XdpFeature = keyof typeof bits

/** What an interface offers. */
export interface XdpFeatures {
  readonly features: readonly XdpFeature[]
  /** The most buffers of a packet that AF_XDP takes without copying; 0 if not told. */
  readonly zeroCopySegments: number
}

/** The header of a request of generic netlink. */
export const genericHeader = (command: number): Uint8Array =>
  new Structure(4).u16(0, command | (1 << 8)).bytes

/** Features of an interface of the calling thread's namespace; undefined before Linux 6.3. */
export function xdpFeatures(interfaceIndex: number): XdpFeatures | undefined {
  const family = netdevFamily()
  if (family === undefined) return undefined
  const [answer] = request({
    family: netlinkFamily.generic,
    type: family,
    header: genericHeader(NETDEV_CMD_DEV_GET),
    attributes: [[NETDEV_A_DEV_IFINDEX, interfaceIndex]],
    name: 'netlink(netdev DEV_GET)',
  })
  const attributes = attributesOf(answer.payload.subarray(4))
  const found = numberOf(attributes.get(NETDEV_A_DEV_XDP_FEATURES))
  return {
    features: (Object.keys(bits) as XdpFeature[]).filter(feature => found & bits[feature]),
    zeroCopySegments: numberOf(attributes.get(NETDEV_A_DEV_XDP_ZC_MAX_SEGS)),
  }
}

/** Number of the family, by which its requests go; undefined before Linux 6.3. */
export function netdevFamily(): number | undefined {
  try {
    const [answer] = request({
      family: netlinkFamily.generic,
      type: CTRL_FAMILY,
      header: genericHeader(CTRL_CMD_GETFAMILY),
      attributes: [[CTRL_ATTR_FAMILY_NAME, 'netdev']],
      name: 'netlink(ctrl GETFAMILY)',
    })
    return numberOf(attributesOf(answer.payload.subarray(4)).get(CTRL_ATTR_FAMILY_ID)) || undefined
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === errno.ENOENT) return undefined
    throw error
  }
}
