// What matters about this machine for BPF, read from /proc and /sys without any privilege.
//
// What cannot be read is undefined; nothing throws.

import { readFileSync } from 'node:fs'
import { hasKernelBtf } from './btf.js'
import { mitigations } from './mitigations.js'
import type { Mitigation } from './mitigations.js'
import { bpfFilesystem, isBpfFilesystem } from './pin.js'
import { privileges } from './privilege.js'
import type { Privileges } from './privilege.js'

export interface Machine extends Privileges {
  /** Whether programs run as native code; without it they are interpreted. */
  readonly jit: boolean | undefined
  readonly kernelBtf: boolean
  /** Whether users without capabilities may load programs. */
  readonly unprivilegedBpf: boolean | undefined
  /** Whether there is a BPF file system at the conventional place. */
  readonly bpfFilesystem: boolean
  /** Mitigations of processor flaws that slow the kernel down, packet by packet. */
  readonly mitigations: readonly Mitigation[] | undefined
}

export function machine(): Machine {
  const jit = read('/proc/sys/net/core/bpf_jit_enable')
  const unprivileged = read('/proc/sys/kernel/unprivileged_bpf_disabled')
  return {
    ...privileges(),
    jit: jit === undefined ? undefined : jit.trim() !== '0',
    kernelBtf: hasKernelBtf(),
    unprivilegedBpf: unprivileged === undefined ? undefined : unprivileged.trim() === '0',
    bpfFilesystem: isBpfFilesystem(bpfFilesystem),
    mitigations: mitigations(),
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
