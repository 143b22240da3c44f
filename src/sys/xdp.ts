// Attaching XDP programs: by link, else over netlink; the mode really in use is read back.
//
// A link dies with the process that holds it, and nobody else can replace its program; both are what we want. Netlink
// is the fallback for kernels before 5.9, and the only way to learn why a driver refused: its explanation goes with
// the answer there, and nowhere with bpf(2). Read link.ts and interfaces.ts first.

import type { BpfProgram } from './program.js'
import { bpfError } from './bpf.js'
import { errno } from './errno.js'
import { SystemError, Unsupported } from './failure.js'
import { driverName, scaling, setScaling } from './ethtool.js'
import { findInterface, linkHeader, xdpText } from './interfaces.js'
import type { NetworkInterface } from './interfaces.js'
import { tryLink, xdpFlags } from './link.js'
import type { XdpLink, XdpMode } from './link.js'
import { NetlinkError, netlinkFamily, request } from './netlink.js'
import { explainRefusal } from './xdp-refusal.js'

const RTM_SETLINK = 19
const IFLA_XDP = 43
const IFLA_XDP_FD = 1
const IFLA_XDP_FLAGS = 3

/** A program on a device. */
export interface Attachment {
  readonly interfaceIndex: number
  readonly interfaceName: string
  /** The mode in use, as the kernel tells it. */
  readonly mode: XdpMode
  /** The link; undefined if the kernel has no links for XDP: then the program stays until it is detached. */
  readonly link: XdpLink | undefined
  /** With mode `auto`: why the program does not run natively. */
  readonly refusal: SystemError | Unsupported | undefined
  /** Takes the program off the device, even if the link is pinned. Harmless when repeated. */
  detach(): void
}

/**
 * Attaches a program to a device that has none. `auto` prefers native, and takes generic with the reason. Throws
 * `Unsupported` where the device or kernel cannot, and a `SystemError` with cause and remedy for everything else.
 */
export function attachXdp(program: BpfProgram, which: string | number, mode: XdpMode | 'auto'): Attachment {
  const device = findInterface(which)
  if (device === undefined)
    throw bpfError('LINK_CREATE', errno.ENODEV, {
      reason: `there is no interface ${which} in this namespace`,
    })
  if (mode !== 'auto') return attachAs(program, device, mode, undefined)
  const native = attempt(program, device, 'native')
  if (!(native instanceof Error)) return attached(device, 'native', native, undefined)
  // What generic mode would suffer from as well.
  const hopeless = 'errno' in native && [errno.EBUSY, errno.EPERM, errno.ENODEV].includes(native.errno)
  if (hopeless) throw native
  return attachAs(program, device, 'generic', native)
}

type Refused = SystemError | Unsupported

function attachAs(
  program: BpfProgram,
  device: NetworkInterface,
  mode: XdpMode,
  refusal: Refused | undefined,
): Attachment {
  const link = attempt(program, device, mode)
  if (link instanceof Error) throw link
  return attached(device, mode, link, refusal)
}

/** A link, `netlink` if it went that way, or the refusal. */
function attempt(
  program: BpfProgram,
  device: NetworkInterface,
  mode: XdpMode,
): XdpLink | 'netlink' | Refused {
  const link = tryLink(program, device.index, mode)
  if (typeof link !== 'number') return link
  if (link === errno.EPERM || link === errno.ENODEV) return bpfError('LINK_CREATE', link)
  try {
    setByNetlink(device.index, program.fd, xdpFlags[mode] | xdpFlags.onlyIfNone)
    return 'netlink'
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    return explainRefusal({
      mode,
      device: device.name,
      driver: driverName(device.name),
      mtu: device.mtu,
      present: xdpText(findInterface(device.index) ?? device),
      errno: error.errno,
      kernelText: error.kernelText,
    })
  }
}

function attached(
  device: NetworkInterface,
  mode: XdpMode,
  link: XdpLink | 'netlink',
  refusal: Refused | undefined,
): Attachment {
  const inUse = findInterface(device.index)?.xdp.find(state => state.mode === mode)
  const byLink = link === 'netlink' ? undefined : link
  const detach = (): void => {
    if (byLink !== undefined) {
      if (byLink.closed) return
      byLink.detach()
      byLink.close()
    } else if (inUse !== undefined) detachProgram(device.index, mode, inUse.programId)
    if (mode === 'native') renewTable(device.index)
  }
  if (inUse === undefined) {
    detach()
    throw new Error(`the kernel attached a program to ${device.name}, but shows none in ${mode} mode`)
  }
  if (mode === 'native') renewTable(device.index)
  return { interfaceIndex: device.index, interfaceName: device.name, mode, link: byLink, refusal, detach }
}

/**
 * Writes a card's indirection table again, as its driver shows it. virtio_net asks its host for another number of queues
 * whenever a program comes or goes, and a host that takes that for an end of hashing (qemu does) spreads packets
 * otherwise from then on, or not at all.
 */
function renewTable(interfaceIndex: number): void {
  const name = findInterface(interfaceIndex)?.name
  if (name === undefined || driverName(name) !== 'virtio_net') return
  try {
    const table = scaling(name)?.indirection
    if (table) setScaling(name, table)
  } catch (error) {
    // A host without hashing has none to lose.
    if (!(error instanceof SystemError)) throw error
  }
}

/** Attaches a program to a device that has none until the device goes, whatever becomes of this process. */
export function attachUntilGone(program: BpfProgram, interfaceIndex: number, mode: XdpMode): void {
  setByNetlink(interfaceIndex, program.fd, xdpFlags[mode] | xdpFlags.onlyIfNone)
}

/**
 * Takes a program off a device that was attached over netlink, if it is still the one there. A link is taken off by
 * closing or detaching it; the kernel answers EBUSY here.
 */
export function detachProgram(interfaceIndex: number, mode: XdpMode, programId: number): void {
  const state = findInterface(interfaceIndex)?.xdp.find(x => x.mode === mode)
  if (state?.programId === programId) setByNetlink(interfaceIndex, -1, xdpFlags[mode])
}

function setByNetlink(interfaceIndex: number, fd: number, flags: number): void {
  request({
    family: netlinkFamily.route,
    type: RTM_SETLINK,
    header: linkHeader(interfaceIndex),
    attributes: [
      [
        IFLA_XDP,
        [
          [IFLA_XDP_FD, fd],
          [IFLA_XDP_FLAGS, flags],
        ],
      ],
    ],
    name: 'netlink(SETLINK)',
  })
}
