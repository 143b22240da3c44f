// What doctor knows before it judges: read from /proc, /sys, netlink and ethtool, and features by trial.
//
// Nothing is changed. A trial loads a tiny program or makes a tiny map, which go at once. What this process may not see
// is undefined. machine.ts and device.ts judge; their tests make facts up.

import { readFileSync } from 'node:fs'
import { seenPrograms } from '../../engine/kernel/attached.js'
import type { SeenProgram } from '../../engine/kernel/attached.js'
import { neededFeatures } from '../../engine/kernel/needs.js'
import { onlineCpus } from '../../sys/cpus.js'
import { channels, driverName, hashFields, offloads, scaling } from '../../sys/ethtool.js'
import type { Channels, HashField, Offloads, Scaling } from '../../sys/ethtool.js'
import { SystemError, Unsupported } from '../../sys/failure.js'
import { describeFeature, hasFeature } from '../../sys/features.js'
import type { Feature } from '../../sys/features.js'
import { openProgram, programInfo } from '../../sys/info.js'
import { exit, instructionBytes, moveImmediate } from '../../sys/instruction.js'
import { interfaces } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { machine } from '../../sys/machine.js'
import type { Machine } from '../../sys/machine.js'
import { xdpFeatures } from '../../sys/netdev.js'
import type { XdpFeatures } from '../../sys/netdev.js'
import { missingCapabilities } from '../../sys/privilege.js'
import { loadProgram } from '../../sys/program.js'

export interface TriedFeature {
  readonly feature: Feature
  /** What it is called. */
  readonly text: string
  /** First kernel that has it. */
  readonly since: string
  readonly present: boolean
}

export interface MachineFacts extends Machine {
  /** As Node calls it. */
  readonly architecture: string
  readonly littleEndian: boolean
  readonly cpus: number
  /** sysctl net.core.bpf_jit_harden and kernel.bpf_stats_enabled. */
  readonly jitHarden: number | undefined
  readonly statistics: boolean | undefined
  /** Undefined if nothing may be tried. */
  readonly features: readonly TriedFeature[] | undefined
}

/** A program on a device, with what is known of it. */
export interface PresentProgram {
  readonly mode: string
  readonly programId: number
  readonly name: string | undefined
  readonly ours: SeenProgram | undefined
}

export interface DeviceFacts {
  readonly device: NetworkInterface
  readonly driver: string
  readonly xdp: XdpFeatures | undefined
  readonly present: readonly PresentProgram[]
  readonly channels: Channels | undefined
  readonly offloads: Offloads
  readonly scaling: Scaling | undefined
  /** Fields of TCP and of UDP over IPv4 that the device hashes. */
  readonly hashed: {
    readonly tcp4: readonly HashField[] | undefined
    readonly udp4: readonly HashField[] | undefined
  }
  /** The other end of a veth; undefined for other devices, `elsewhere` if it is in another namespace. */
  readonly peer: Peer | 'elsewhere' | undefined
}

export interface Peer {
  readonly name: string
  readonly mtu: number
  readonly offloads: Offloads
  readonly hasProgram: boolean
}

/** What some programs, strategies and commands use besides. */
export const wanted: readonly Feature[] = [
  'instructions3',
  'mayGoto',
  'xdpLinks',
  'devmap',
  'cpumap',
  'xskmap',
  'lpmTrie',
  'fragments',
  'batches',
]

export function machineFacts(): MachineFacts {
  const found = machine()
  return {
    ...found,
    jit: found.jit ?? seen(isJited),
    architecture: process.arch,
    littleEndian: new Uint8Array(new Uint16Array([1]).buffer)[0] === 1,
    cpus: seen(() => onlineCpus().length) ?? 0,
    jitHarden: numberIn('/proc/sys/net/core/bpf_jit_harden'),
    statistics: (n => n && n > 0)(numberIn('/proc/sys/kernel/bpf_stats_enabled')) as boolean | undefined,
    // Half privileged, trials fail for want of the other half.
    features: missingCapabilities(found).length > 0 ? undefined : seen(tryFeatures),
  }
}

const tryFeatures = (): TriedFeature[] =>
  [...neededFeatures, ...wanted].map(feature => ({
    feature,
    ...describeFeature(feature),
    present: hasFeature(feature),
  }))

export function deviceFacts(device: NetworkInterface): DeviceFacts {
  const own = seen(seenPrograms) ?? []
  return {
    device,
    driver: driverName(device.name),
    xdp: seen(() => xdpFeatures(device.index)),
    present: device.xdp.map(({ mode, programId }) => ({
      mode,
      programId,
      name: seen(() => nameOf(programId)),
      ours: own.find(p => p.programId === programId),
    })),
    channels: channels(device.name),
    offloads: offloads(device.name),
    scaling: scaling(device.name),
    hashed: { tcp4: hashFields(device.name, 'tcp4'), udp4: hashFields(device.name, 'udp4') },
    peer: device.kind === 'veth' ? peerOf(device) : undefined,
  }
}

function nameOf(programId: number): string | undefined {
  const program = openProgram(programId)
  const name = program && programInfo(program).name
  program?.close()
  return name
}

/** The other end of a veth pair, if this namespace shows it. */
function peerOf({ link, linkElsewhere }: NetworkInterface): Peer | 'elsewhere' {
  const found = linkElsewhere ? undefined : interfaces().find(i => i.index === link)
  if (!found) return 'elsewhere'
  return {
    name: found.name,
    mtu: found.mtu,
    offloads: offloads(found.name),
    hasProgram: found.xdp.length > 0,
  }
}

/** Whether a program that is loaded now becomes native code; the sysctl is seen in the first namespace only. */
function isJited(): boolean {
  const program = loadProgram({
    type: 'xdp',
    name: 'probe_jit',
    instructions: instructionBytes([moveImmediate(0, 2), exit]),
    licence: 'GPL',
  })
  const { jitedBytes } = programInfo(program)
  program.close()
  return jitedBytes > 0
}

/** A look that may be forbidden or impossible here. */
function seen<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (error instanceof SystemError || error instanceof Unsupported) return undefined
    throw error
  }
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function numberIn(path: string): number | undefined {
  const found = text(path)
  return found === undefined ? undefined : Number(found.trim())
}
