// What matters about this machine for BPF, read from /proc and /sys without any privilege.
//
// What cannot be read is undefined; nothing throws.

import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { hasKernelBtf } from './btf.js'
import { bpfFilesystem, isBpfFilesystem } from './pin.js'

/** Capabilities that matter, by their numbers. */
const capabilityBits = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_RESOURCE: 24,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const
export type Capability = keyof typeof capabilityBits

export interface Machine {
  /** As `uname -r` prints it. */
  readonly release: string
  /** Whether programs run as native code; without it they are interpreted. */
  readonly jit: boolean | undefined
  readonly kernelBtf: boolean
  /** Whether users without capabilities may load programs. */
  readonly unprivilegedBpf: boolean | undefined
  /** Mode of kernel lockdown: `none`, `integrity` or `confidentiality`, which forbids reading memory. */
  readonly lockdown: string | undefined
  /** Capabilities this process has, of those that matter. */
  readonly capabilities: readonly Capability[]
  /** Bytes it may lock; before Linux 5.11 maps count. */
  readonly memlock: number | undefined
  /** Whether there is a BPF file system at the conventional place. */
  readonly bpfFilesystem: boolean
}

export function machine(): Machine {
  const jit = read('/proc/sys/net/core/bpf_jit_enable')
  const unprivileged = read('/proc/sys/kernel/unprivileged_bpf_disabled')
  return {
    release: release(),
    jit: jit === undefined ? undefined : jit.trim() !== '0',
    kernelBtf: hasKernelBtf(),
    unprivilegedBpf: unprivileged === undefined ? undefined : unprivileged.trim() === '0',
    lockdown: lockdownMode(read('/sys/kernel/security/lockdown')),
    capabilities: capabilitiesOf(read('/proc/self/status')),
    memlock: lockLimit(read('/proc/self/limits')),
    bpfFilesystem: isBpfFilesystem(bpfFilesystem),
  }
}

/** Whether this process may load and attach XDP programs, as far as capabilities say. */
export function mayUseXdp({ capabilities }: Pick<Machine, 'capabilities'>): boolean {
  const has = (name: Capability): boolean => capabilities.includes(name)
  return has('CAP_SYS_ADMIN') || (has('CAP_BPF') && has('CAP_NET_ADMIN'))
}

/** The mode in brackets: `[none] integrity confidentiality`. */
export function lockdownMode(text: string | undefined): string | undefined {
  return /\[(\w+)\]/.exec(text ?? '')?.[1]
}

/** Effective capabilities of a /proc/PID/status. */
export function capabilitiesOf(status: string | undefined): Capability[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status ?? '')?.[1] ?? '0'}`)
  return (Object.keys(capabilityBits) as Capability[]).filter(
    name => mask & (1n << BigInt(capabilityBits[name])),
  )
}

/** The soft limit of locked memory of a /proc/PID/limits. */
export function lockLimit(limits: string | undefined): number | undefined {
  const soft = /^Max locked memory\s+(\S+)/m.exec(limits ?? '')?.[1]
  return soft === undefined ? undefined : soft === 'unlimited' ? Infinity : Number(soft)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
