// What doctor thinks of the machine: pure functions of facts.

import { neededFeatures } from '../../engine/kernel/needs.js'
import type { MachineFacts } from './facts.js'
import { bytesText } from '../grid.js'
import { explainPermission, missingCapabilities } from '../../sys/privilege.js'
import { fail, ok, unseen, warn } from './row.js'
import type { Row } from './row.js'

/** The first kernel that runs every program of ours, and the first that runs any. */
const whole = [6, 9] as const
const least = [5, 10] as const
/** Since then maps are charged to the control group, and locked memory does not matter. */
const memoryByGroup = [5, 11] as const

type Version = readonly [major: number, minor: number]

/** Whether a kernel's release, `6.1.0-13-amd64`, is that version or newer. */
export function isAtLeast(release: string, [major, minor]: Version): boolean {
  const [a, b] = release.split('.').map(part => Number.parseInt(part, 10))
  return a > major || (a === major && b >= minor)
}

const text = ([major, minor]: Version): string => `${major}.${minor}`

export const judgeMachine = (facts: MachineFacts): Row[] => [
  kernel(facts),
  architecture(facts),
  privilege(facts),
  ...features(facts),
  jit(facts),
  btf(facts),
  lockdown(facts),
  memlock(facts),
  filesystem(facts),
  statistics(facts),
  guards(facts),
]

function kernel({ release }: MachineFacts): Row {
  const evidence = `Linux ${release}`
  if (!isAtLeast(release, least))
    return fail('HP-KERNEL', evidence, `programs of hairpin need Linux ${text(least)}`, 'use a newer kernel')
  if (!isAtLeast(release, whole))
    return warn(
      'HP-KERNEL',
      evidence,
      `before Linux ${text(whole)} loops are followed round by round, and long ones are refused`,
      'hairpin attach PROGRAM --dry-run says whether this kernel takes a program',
    )
  return ok('HP-KERNEL', evidence)
}

function architecture({ architecture: name, littleEndian, cpus }: MachineFacts): Row {
  const evidence = `${name}, ${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'} online`
  if (!littleEndian) return fail('HP-ARCH', evidence, 'the layout of state is little-endian')
  if (name !== 'x64' && name !== 'arm64')
    return warn('HP-ARCH', evidence, 'hairpin is made for x64 and arm64, and untried here')
  return ok('HP-ARCH', evidence)
}

function privilege(facts: MachineFacts): Row {
  const { capabilities, root, userNamespace } = facts
  const evidence = capabilities.length ? capabilities.join(', ') : 'no capabilities that matter'
  if (missingCapabilities(facts).length === 0 && !userNamespace) return ok('HP-CAPS', evidence)
  const { reason, remedy } = explainPermission(facts)
  if (root) return fail('HP-CAPS', `root, with ${evidence}`, reason!, remedy)
  return unseen(
    'HP-CAPS',
    `not root, with ${evidence}: features were not tried, and programs of others have no names`,
    'sudo hairpin doctor',
  )
}

function features({ features: tried }: MachineFacts): Row[] {
  if (tried === undefined)
    return [unseen('HP-FEATURES', 'what this kernel’s BPF can do was not tried', 'sudo hairpin doctor')]
  const missing = (which: boolean) =>
    tried.filter(f => neededFeatures.includes(f.feature) === which && !f.present)
  const names = (found: typeof tried): string => found.map(f => `${f.text} (Linux ${f.since})`).join(', ')
  const [lacking, lackingWanted] = [missing(true), missing(false)]
  const count = tried.filter(f => f.present).length
  return [
    lacking.length
      ? fail(
          'HP-FEATURES',
          `missing: ${names(lacking)}`,
          'programs of hairpin need them',
          'use a newer kernel',
        )
      : ok('HP-FEATURES', `${count} of ${tried.length} features of BPF that were tried, all that are needed`),
    ...(lackingWanted.length
      ? [
          warn(
            'HP-OPTIONAL',
            `missing: ${names(lackingWanted)}`,
            'some programs and strategies use them, and say so when they do',
          ),
        ]
      : []),
  ]
}

function jit({ jit: on, jitHarden }: MachineFacts): Row {
  if (on === undefined) return unseen('HP-JIT', '/proc/sys/net/core/bpf_jit_enable cannot be read')
  if (!on)
    return warn(
      'HP-JIT',
      'bpf_jit_enable = 0',
      'programs are interpreted, some ten times slower',
      'sysctl -w net.core.bpf_jit_enable=1',
    )
  if (jitHarden === 2)
    return warn(
      'HP-JIT',
      'bpf_jit_harden = 2',
      'every constant of a program is hidden by extra instructions, for root too',
      'sysctl -w net.core.bpf_jit_harden=1',
    )
  return ok('HP-JIT', 'programs become native code')
}

const btf = ({ kernelBtf }: MachineFacts): Row =>
  kernelBtf
    ? ok('HP-BTF', 'the kernel describes its types')
    : warn(
        'HP-BTF',
        'no /sys/kernel/btf/vmlinux',
        'time stamps of devices and some tools need it',
        'use a kernel built with CONFIG_DEBUG_INFO_BTF',
      )

function lockdown({ lockdown: mode = 'none' }: MachineFacts): Row {
  if (mode === 'confidentiality')
    return warn(
      'HP-LOCKDOWN',
      'confidentiality',
      'the kernel refuses BPF that reads its memory; XDP needs none, but some vendors refuse all of BPF',
      'if attach fails with EPERM: boot without lockdown=confidentiality',
    )
  return ok('HP-LOCKDOWN', mode)
}

function memlock({ release, memlock: bytes, capabilities }: MachineFacts): Row {
  if (isAtLeast(release, memoryByGroup)) return ok('HP-MEMLOCK', 'maps count towards the control group')
  if (bytes === undefined) return unseen('HP-MEMLOCK', '/proc/self/limits cannot be read')
  const enough = bytes === Infinity || bytes >= 64 * 2 ** 20 || capabilities.includes('CAP_SYS_RESOURCE')
  const evidence = bytes === Infinity ? 'unlimited' : `${bytesText(bytes)} may be locked`
  return enough
    ? ok('HP-MEMLOCK', evidence)
    : warn(
        'HP-MEMLOCK',
        evidence,
        `before Linux ${text(memoryByGroup)} maps count as locked memory, and too many fail with EPERM`,
        'ulimit -l unlimited',
      )
}

const filesystem = ({ bpfFilesystem }: MachineFacts): Row =>
  bpfFilesystem
    ? ok('HP-BPFFS', 'there is a BPF file system at /sys/fs/bpf')
    : warn(
        'HP-BPFFS',
        'no BPF file system at /sys/fs/bpf',
        'attach --pin needs one; it mounts it if it may',
        'mount -t bpf bpf /sys/fs/bpf',
      )

function statistics({ statistics: on }: MachineFacts): Row {
  if (on)
    return warn(
      'HP-STATS',
      'bpf_stats_enabled = 1',
      'every run of every BPF program takes about 45 ns more',
      'sysctl -w kernel.bpf_stats_enabled=0',
    )
  return ok('HP-STATS', 'BPF statistics are off')
}

/** No finding, for nobody should turn them off on this page's advice; but rates cannot be compared without it. */
function guards({ mitigations: on }: MachineFacts): Row {
  if (on === undefined) return unseen('HP-MITIGATIONS', 'this kernel does not tell which mitigations are on')
  if (on.length === 0) return ok('HP-MITIGATIONS', 'none that slows packets down')
  const words = on.map(m => `${m.name} (${m.slower} in the kernel costs more; ${m.evidence})`)
  return ok('HP-MITIGATIONS', words.join(', '))
}
