// What this process may do with BPF, as /proc tells it, and why the kernel answers EPERM to one that should be allowed.
//
// EPERM has seven causes that look alike. They are told apart here, the likelier first, by what can be read without any
// privilege. What cannot be read is undefined; nothing throws.

import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Explanation } from './failure.js'

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

export interface Privileges {
  /** As `uname -r` prints it. */
  readonly release: string
  /** Capabilities this process has, of those that matter. */
  readonly capabilities: readonly Capability[]
  /** Whether its user is root. */
  readonly root: boolean
  /** Whether it is in a user namespace of its own, whose root may not use BPF. */
  readonly userNamespace: boolean
  /** Whether its system calls are filtered, as in containers. */
  readonly seccomp: boolean
  /** Mode of kernel lockdown: `none`, `integrity` or `confidentiality`. */
  readonly lockdown: string | undefined
  /** Bytes it may lock; before Linux 5.11 maps count. */
  readonly memlock: number | undefined
}

/** What loading and attaching takes; CAP_SYS_ADMIN stands for all of them. */
export const xdpCapabilities: readonly Capability[] = ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON']

export function privileges(): Privileges {
  const status = read('/proc/self/status')
  const users = read('/proc/self/uid_map')
  return {
    release: release(),
    capabilities: capabilitiesOf(status),
    root: process.geteuid?.() === 0,
    userNamespace: users !== undefined && !/^\s*0\s+0\s+4294967295\s*$/.test(users),
    seccomp: /^Seccomp:\s*[12]$/m.test(status ?? ''),
    lockdown: lockdownMode(read('/sys/kernel/security/lockdown')),
    memlock: lockLimit(read('/proc/self/limits')),
  }
}

/** Capabilities that a process lacks to load and attach XDP programs; empty if it has them. */
export function missingCapabilities({ capabilities }: Pick<Privileges, 'capabilities'>): Capability[] {
  const all = capabilities.includes('CAP_SYS_ADMIN')
  return all ? [] : xdpCapabilities.filter(name => !capabilities.includes(name))
}

const small = 64 * 2 ** 20

/** Why the kernel refuses BPF to this process with EPERM, and what to do. */
export function explainPermission(found: Privileges): Explanation {
  const { capabilities, root, userNamespace, seccomp, lockdown = 'none', memlock = Infinity } = found
  if (userNamespace)
    return {
      reason: 'this process is in a user namespace, whose root may not use BPF',
      remedy: 'run it as root of the machine, outside rootless containers and unshare -U',
    }
  const missing = missingCapabilities(found)
  if (missing.length > 0)
    return {
      reason: `this process may not use BPF: it lacks ${missing.join(', ')}`,
      remedy: root
        ? `give the container or service these capabilities (${missing.map(flagOf).join(' ')})`
        : `run it as root, or with the capabilities ${xdpCapabilities.join(', ')}`,
    }
  const [major, minor] = found.release.split('.').map(Number)
  const locks = major < 5 || (major === 5 && minor < 11)
  if (locks && memlock < small && !capabilities.includes('CAP_SYS_RESOURCE'))
    return {
      reason: `maps count as locked memory before Linux 5.11, and this process may lock ${memlock >> 10} KiB`,
      remedy: 'ulimit -l unlimited',
    }
  if (seccomp)
    return {
      reason: 'a filter of system calls forbids bpf(2), as container runtimes set it',
      remedy: 'start the container with --security-opt seccomp=unconfined, or a profile that allows bpf',
    }
  if (lockdown !== 'none')
    return {
      reason: `the kernel is locked down (${lockdown}), and forbids it even to root`,
      remedy: 'boot without lockdown= on the kernel’s command line, or without Secure Boot',
    }
  return {
    reason: 'this process has the capabilities, so a security module forbids it',
    remedy: 'journalctl -k, or ausearch -m avc, tells which rule',
  }
}

const flagOf = (name: Capability): string => `--cap-add ${name.slice(4)}`

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
