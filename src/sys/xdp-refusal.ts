// Why a device refuses an XDP program, and what to do: the driver's words turned into advice.

import { errno, errnoText } from './errno.js'
import { bpfError } from './bpf.js'
import { SystemError, Unsupported } from './failure.js'
import type { XdpMode } from './link.js'

/** What is known about a refusal. */
export interface XdpRefusal {
  readonly mode: XdpMode
  readonly device: string
  readonly driver: string
  readonly mtu: number
  /** Programs that are on the device, in words; empty for none. */
  readonly present: string
  readonly errno: number
  /** The driver's explanation, if it gave one. */
  readonly kernelText: string | undefined
}

const generic = 'use generic mode (--mode generic), which works on every device and is slower'

/** Known explanations of drivers, and what helps. `{device}` is filled in. */
const advice: readonly (readonly [pattern: RegExp, remedy: string])[] = [
  [
    /peer MTU/i,
    'lower the MTU of both ends of the pair (ip link set dev {device} mtu 1500, and the same for its peer)',
  ],
  [
    /MTU|too large|frame size|single.buffer/i,
    'lower the MTU (ip link set dev {device} mtu 1500), or load the program with support for fragments',
  ],
  [/GRO_HW/i, 'turn that offload off (ethtool -K {device} rx-gro-hw off)'],
  [/LRO/i, 'turn that offload off (ethtool -K {device} lro off)'],
  [/CSUM/i, 'turn checksum offload off (ethtool -K {device} rx off)'],
  [
    /queue|channel|ring/i,
    'use fewer channels (ethtool -L {device} combined 1), so that each CPU can have a queue of its own for XDP',
  ],
  [/TSO|GSO/i, 'turn segmentation offload off (ethtool -K {device} tso off gso off)'],
]

/** The error to throw for a refusal. */
export function explainRefusal(refusal: XdpRefusal): SystemError | Unsupported {
  const { mode, device, driver, mtu, present, kernelText } = refusal
  const call = `attach in ${mode} mode to ${device} (driver ${driver || 'unknown'})`
  const said = kernelText === undefined ? undefined : `the kernel says: ${kernelText}`
  const known = advice.find(([pattern]) => pattern.test(kernelText ?? ''))?.[1].replaceAll('{device}', device)
  switch (refusal.errno) {
    case errno.EBUSY:
    case errno.EEXIST:
      return new SystemError(call, refusal.errno, {
        reason:
          present === '' ? (said ?? 'the device is busy') : `the device has a program already: ${present}`,
        remedy: `see who holds it with hairpin list, and detach it with hairpin detach ${device}, or ip link set dev ${device} xdp off`,
      })
    case errno.ERANGE:
      return new SystemError(call, refusal.errno, {
        reason: said ?? `its MTU of ${mtu} is too large`,
        remedy: known ?? advice[1][1].replaceAll('{device}', device),
      })
    case errno.EOPNOTSUPP:
    case errno.ENOTSUPP:
    case errno.ENOSYS:
      if (known === undefined && mode === 'native')
        return new Unsupported(
          `native XDP on ${device}`,
          'a driver that implements it',
          `driver ${driver || 'unknown'}, which answers: ${kernelText ?? errnoText(refusal.errno)}`,
          generic,
        )
      return new SystemError(call, refusal.errno, { reason: said, remedy: known })
    case errno.EPERM:
      return bpfError('LINK_CREATE', errno.EPERM)
    case errno.ENODEV:
      return new SystemError(call, refusal.errno, {
        reason: 'the interface went away meanwhile',
        remedy: 'ip link shows which there are',
      })
    case errno.ENOMEM:
    case errno.ENOSPC:
      return new SystemError(call, refusal.errno, {
        reason: said ?? 'the driver has no memory or no queues left for XDP',
        remedy:
          known ?? `use fewer channels (ethtool -L ${device} combined 1), or generic mode (--mode generic)`,
      })
    default:
      return new SystemError(call, refusal.errno, {
        reason:
          said ??
          (present === '' ? 'the driver gave no reason' : `the device has a program already: ${present}`),
        remedy:
          known ??
          (mode === 'native' ? generic : `ip -d link show dev ${device} and journalctl -k may tell more`),
      })
  }
}
