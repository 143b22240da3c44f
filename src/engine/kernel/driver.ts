// What a driver counts of the packets that XDP handles: how many it handed to the program, and how many it lost after
// the program had decided.
//
// Every driver has its own names for this, or none; the table knows those of veth, virtio_net and mlx5. In generic mode
// no driver is asked. What nobody counts is undefined, never 0.

import { statistics } from '../../sys/ethtool.js'

export interface DriverCounts {
  /** Packets handed to the program. */
  readonly handed: bigint | undefined
  /** Packets with verdict transmit that found no room on the way back. */
  readonly transmitLost: bigint | undefined
  /** Packets that the driver dropped before or after the program: no memory, or a redirect that failed. */
  readonly lost: bigint | undefined
  /** Packets that other programs, or this one by redirecting, sent out of the device and that found no room there. */
  readonly sendLost: bigint | undefined
}

const names: Readonly<Record<keyof DriverCounts, RegExp>> = {
  handed: /^rx(_queue_)?\d+_xdp_packets$/,
  transmitLost: /^(rx_queue_\d+_xdp_tx_errors|tx(_queue_)?\d+_xdp_tx_drops|rx\d*_xdp_tx_(full|err))$/,
  lost: /^(rx_queue_\d+_drops|rx\d+_drops)$/,
  sendLost: /^tx(_queue_)?\d+_xdp_xmit_errors$/,
}

/** Counts of a device of this namespace, since the driver was loaded. */
export function driverCounts(device: string): DriverCounts {
  const all = [...statistics(device)]
  const sum = (pattern: RegExp): bigint | undefined => {
    const found = all.filter(([name]) => pattern.test(name))
    return found.length === 0 ? undefined : found.reduce((total, [, n]) => total + n, 0n)
  }
  return {
    handed: sum(names.handed),
    transmitLost: sum(names.transmitLost),
    lost: sum(names.lost),
    sendLost: sum(names.sendLost),
  }
}

/** What was counted between two looks; undefined stays undefined. */
export function countedSince(now: DriverCounts, before: DriverCounts): DriverCounts {
  const less = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
    a === undefined || b === undefined ? undefined : a - b
  return {
    handed: less(now.handed, before.handed),
    transmitLost: less(now.transmitLost, before.transmitLost),
    lost: less(now.lost, before.lost),
    sendLost: less(now.sendLost, before.sendLost),
  }
}
