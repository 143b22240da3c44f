// The interface and queue that somebody names: there, up, and known by name in every complaint.

import { channels } from '../../sys/ethtool.js'
import { findInterface, interfaces } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { mostQueues } from './steering.js'

/** Receive queues in use. */
export function receiveQueues({ name, receiveQueues: made }: NetworkInterface): number {
  const used = channels(name)
  return used ? used.receive + used.combined || made : made
}

/** The interface, or a RangeError that says what is wrong with it or the queue and what to do. */
export function checkQueue(name: string, queue: number): NetworkInterface {
  const device = findInterface(name)
  if (device === undefined) {
    const names = interfaces().map(i => i.name)
    throw new RangeError(`there is no interface ${name} in this namespace; there are ${names.join(', ')}`)
  }
  const count = receiveQueues(device)
  if (!Number.isInteger(queue) || queue < 0 || queue >= count)
    throw new RangeError(
      `${name} has no receive queue ${queue}: it has ${count}, ${count === 1 ? 'queue 0' : `0 to ${count - 1}`}` +
        `; ethtool -l ${name} shows how many there can be`,
    )
  if (queue >= mostQueues)
    throw new RangeError(`queue ${queue} is beyond the ${mostQueues} that can be steered`)
  if (!device.up) throw new RangeError(`${name} is down; ip link set dev ${name} up`)
  return device
}

/** Bytes that the kernel keeps free in front of each packet (XDP_PACKET_HEADROOM). */
const headroom = 256
/** Ethernet header and one tag. */
const linkBytes = 18

/** Bytes of a frame that holds the longest packet of these interfaces; a RangeError where none does. */
export function frameSizeFor(devices: readonly Pick<NetworkInterface, 'name' | 'mtu'>[]): 2048 | 4096 {
  const longest = devices.reduce((a, b) => (b.mtu > a.mtu ? b : a))
  const size = ([2048, 4096] as const).find(bytes => longest.mtu + linkBytes <= bytes - headroom)
  if (size !== undefined) return size
  const most = 4096 - headroom - linkBytes
  throw new RangeError(
    `${longest.name} has packets of up to ${longest.mtu} bytes, and AF_XDP gives them one frame, which holds ${most}: ` +
      `ip link set dev ${longest.name} mtu ${most}`,
  )
}
