// What ethtool shows, by ioctl(2): driver, channels, rings, offloads, statistics and receive-side scaling.
//
// Every question may be unanswered: many virtual devices implement few. Then the answer is undefined, never a guess.
// All functions look at the namespace of the calling thread.

import { errno } from './errno.js'
import { checked, SystemError } from './failure.js'
import { kernel } from './kernel.js'
import { Structure } from './structure.js'

const SIOCETHTOOL = 0x8946
const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0x8_0000

/** Makes a request about an interface; a negative error number if the kernel refuses. */
function ioctl(device: string, question: Structure): number {
  const fd = checked(kernel().socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'socket(AF_INET)')
  try {
    // struct ifreq: the name, then a pointer.
    const request = new Structure(40).pointer(16, question.bytes)
    request.bytes.set(new TextEncoder().encode(device.slice(0, 15)), 0)
    return request.during(bytes => kernel().ioctl(fd, SIOCETHTOOL, bytes))
  } finally {
    kernel().close(fd)
  }
}

/** The answer to a question, or undefined if the device does not implement it. For flow-rules.ts too. */
export function ask(device: string, question: Structure): Structure | undefined {
  const result = ioctl(device, question)
  if (result >= 0) return question
  if (unanswered.has(-result)) return undefined
  throw new SystemError(`ethtool of ${device}`, -result)
}

const unanswered = new Set([errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL, errno.EPERM, errno.ENOTSUPP])

/** Asks for a change; throws if it is refused. For flow-rules.ts too. */
export function change(device: string, what: string, request: Structure): void {
  checked(ioctl(device, request), `ethtool: ${what} of ${device}`, error =>
    error === errno.EOPNOTSUPP ? { reason: `the driver of ${device} does not let it be changed` } : {},
  )
}

const ETHTOOL = {
  GDRVINFO: 0x03,
  GRINGPARAM: 0x10,
  GSTRINGS: 0x1b,
  GSTATS: 0x1d,
  GFLAGS: 0x25,
  SFLAGS: 0x26,
  GRXFH: 0x29,
  SRXFH: 0x2a,
  GSSET_INFO: 0x37,
  GCHANNELS: 0x3c,
  SCHANNELS: 0x3d,
  GRSSH: 0x46,
  SRSSH: 0x47,
} as const

/** Name of the driver; empty if the device does not say. */
export function driverName(device: string): string {
  return ask(device, new Structure(196).u32(0, ETHTOOL.GDRVINFO))?.readText(4, 32) ?? ''
}

/** How many channels of a kind are in use, and how many there can be. */
export interface Channels {
  readonly receive: number
  readonly send: number
  readonly combined: number
  readonly most: { readonly receive: number; readonly send: number; readonly combined: number }
}

export function channels(device: string): Channels | undefined {
  const answer = ask(device, new Structure(36).u32(0, ETHTOOL.GCHANNELS))
  if (answer === undefined) return undefined
  const at = (k: number): number => answer.read32(4 * k)
  return {
    receive: at(5),
    send: at(6),
    combined: at(8),
    most: { receive: at(1), send: at(2), combined: at(4) },
  }
}

/** Sets the numbers of channels; those that are not given stay. */
export function setChannels(device: string, wanted: Partial<Omit<Channels, 'most'>>): void {
  const now = ask(device, new Structure(36).u32(0, ETHTOOL.GCHANNELS))
  if (now === undefined) throw new SystemError(`ethtool: channels of ${device}`, errno.EOPNOTSUPP)
  now.u32(0, ETHTOOL.SCHANNELS)
  if (wanted.receive !== undefined) now.u32(20, wanted.receive)
  if (wanted.send !== undefined) now.u32(24, wanted.send)
  if (wanted.combined !== undefined) now.u32(32, wanted.combined)
  change(device, 'channels', now)
}

/** Lengths of the rings between device and driver, and their limits. */
export interface Rings {
  readonly receive: number
  readonly send: number
  readonly most: { readonly receive: number; readonly send: number }
}

export function rings(device: string): Rings | undefined {
  const answer = ask(device, new Structure(36).u32(0, ETHTOOL.GRINGPARAM))
  if (answer === undefined) return undefined
  return {
    receive: answer.read32(20),
    send: answer.read32(32),
    most: { receive: answer.read32(4), send: answer.read32(16) },
  }
}

/** Offloads by our names, with the commands that get and set them. */
const offloadCommands = {
  receiveChecksum: [0x14, 0x15],
  sendChecksum: [0x16, 0x17],
  scatterGather: [0x18, 0x19],
  tcpSegmentation: [0x1e, 0x1f],
  segmentation: [0x23, 0x24],
  receiveOffload: [0x2b, 0x2c],
} as const

/** `receiveOffload` is GRO, `segmentation` GSO, `tcpSegmentation` TSO. */
export type Offload = keyof typeof offloadCommands

/** Which offloads are on; one that the device does not know is absent. `largeReceive` is LRO. */
export type Offloads = Readonly<Partial<Record<Offload | 'largeReceive', boolean>>>

export function offloads(device: string): Offloads {
  const found: Partial<Record<Offload | 'largeReceive', boolean>> = {}
  for (const [name, [get]] of Object.entries(offloadCommands) as [Offload, readonly [number, number]][]) {
    const answer = ask(device, new Structure(8).u32(0, get))
    if (answer !== undefined) found[name] = answer.read32(4) !== 0
  }
  const flags = ask(device, new Structure(8).u32(0, ETHTOOL.GFLAGS))
  if (flags !== undefined) found.largeReceive = (flags.read32(4) & (1 << 15)) !== 0
  return found
}

/** Turns offloads on or off. */
export function setOffloads(device: string, wanted: Readonly<Partial<Record<Offload, boolean>>>): void {
  for (const [name, on] of Object.entries(wanted) as [Offload, boolean][])
    change(device, name, new Structure(8).u32(0, offloadCommands[name][1]).u32(4, on ? 1 : 0))
}

/** Bits of the flags that have no command of their own: LRO, and rules that steer packets. */
const featureFlags = { largeReceive: 1 << 15, ntuple: 1 << 27 } as const

/** Whether a feature is on; undefined if the device does not tell. */
export function featureFlag(device: string, name: keyof typeof featureFlags): boolean | undefined {
  const flags = ask(device, new Structure(8).u32(0, ETHTOOL.GFLAGS))
  return flags && (flags.read32(4) & featureFlags[name]) !== 0
}

/** Turns a feature on or off. */
export function setFeatureFlag(device: string, name: keyof typeof featureFlags, on: boolean): void {
  const flags = ask(device, new Structure(8).u32(0, ETHTOOL.GFLAGS))?.read32(4) ?? 0
  const bit = featureFlags[name]
  change(device, name, new Structure(8).u32(0, ETHTOOL.SFLAGS).u32(4, on ? flags | bit : flags & ~bit))
}

const ETH_SS_STATS = 1
const nameBytes = 32

/** The driver's own statistics by name; empty if it has none. */
export function statistics(device: string): ReadonlyMap<string, bigint> {
  const info = ask(device, new Structure(24).u32(0, ETHTOOL.GSSET_INFO).u64(8, 1n << BigInt(ETH_SS_STATS)))
  const count = info === undefined || info.read64(8) === 0n ? 0 : info.read32(16)
  if (count === 0) return new Map()
  const names = new Structure(12 + nameBytes * count)
    .u32(0, ETHTOOL.GSTRINGS)
    .u32(4, ETH_SS_STATS)
    .u32(8, count)
  const values = new Structure(8 + 8 * count).u32(0, ETHTOOL.GSTATS).u32(4, count)
  if (ask(device, names) === undefined || ask(device, values) === undefined) return new Map()
  return new Map(
    Array.from({ length: count }, (_, k) => [
      names.readText(12 + nameBytes * k, nameBytes),
      values.read64(8 + 8 * k),
    ]),
  )
}

/** How received packets are spread over queues. */
export interface Scaling {
  /** Queue by the low bits of the hash. */
  readonly indirection: readonly number[]
  /** The secret key of the hash; empty if the device does not tell. */
  readonly key: Uint8Array
  /** Whether the hash is Toeplitz's. */
  readonly toeplitz: boolean
}

export function scaling(device: string): Scaling | undefined {
  const sizes = ask(device, new Structure(24).u32(0, ETHTOOL.GRSSH))
  if (sizes === undefined) return undefined
  const [entries, keyBytes] = [sizes.read32(8), sizes.read32(12)]
  if (entries === 0) return undefined
  const whole = new Structure(24 + 4 * entries + keyBytes)
    .u32(0, ETHTOOL.GRSSH)
    .u32(8, entries)
    .u32(12, keyBytes)
  const answer = ask(device, whole)
  if (answer === undefined) return undefined
  return {
    indirection: Array.from({ length: entries }, (_, k) => answer.read32(24 + 4 * k)),
    key: answer.bytes.slice(24 + 4 * entries),
    toeplitz: (answer.bytes[16] & 1) !== 0,
  }
}

/** Sets the indirection table, of exactly the device's size, and the key if one is given. */
export function setScaling(device: string, indirection: readonly number[], key?: Uint8Array): void {
  const request = new Structure(24 + 4 * indirection.length + (key?.length ?? 0))
    .u32(0, ETHTOOL.SRSSH)
    .u32(8, indirection.length)
    .u32(12, key?.length ?? 0)
  indirection.forEach((queue, k) => request.u32(24 + 4 * k, queue))
  if (key !== undefined) request.bytes.set(key, 24 + 4 * indirection.length)
  change(device, 'receive-side scaling', request)
}

/** Flow types of receive hashing by our names. */
const flowTypes = { tcp4: 1, udp4: 2, sctp4: 3, tcp6: 5, udp6: 6, sctp6: 7 } as const
export type HashedFlow = keyof typeof flowTypes

/** Bits of the fields a device can hash. */
const hashBits = { source: 1 << 4, destination: 1 << 5, sourcePort: 1 << 6, destinationPort: 1 << 7 } as const
export type HashField = keyof typeof hashBits

const RXNFC_BYTES = 192

/** Which fields of these packets the device hashes; undefined if it does not tell. */
export function hashFields(device: string, flow: HashedFlow): HashField[] | undefined {
  const answer = ask(device, new Structure(RXNFC_BYTES).u32(0, ETHTOOL.GRXFH).u32(4, flowTypes[flow]))
  if (answer === undefined) return undefined
  const bits = answer.read32(8)
  return (Object.keys(hashBits) as HashField[]).filter(field => bits & hashBits[field])
}

/** Sets which fields of these packets the device hashes. */
export function setHashFields(device: string, flow: HashedFlow, fields: readonly HashField[]): void {
  const bits = fields.reduce((sum, field) => sum | hashBits[field], 0)
  const request = new Structure(RXNFC_BYTES).u32(0, ETHTOOL.SRXFH).u32(4, flowTypes[flow]).u32(8, bits)
  change(device, `hash fields of ${flow}`, request)
}
