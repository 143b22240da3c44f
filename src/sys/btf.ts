// BTF: loading type information, and reading the kernel's.

import { existsSync } from 'node:fs'
import { Attributes, bpfError } from './bpf.js'
import { Descriptor } from './descriptor.js'
import { SystemError } from './failure.js'
import type { Bytes } from './kernel.js'

/** Where the kernel shows its own types, if it was built with them (Linux 5.4). */
export const kernelBtfPath = '/sys/kernel/btf/vmlinux'

/** Whether the kernel has its own types; some helpers and all kfuncs need them. */
export function hasKernelBtf(): boolean {
  return existsSync(kernelBtfPath)
}

/** A loaded BTF object; maps and programs made with it keep it alive. */
export class Btf extends Descriptor {}

/** The kernel does not accept type information; `log` says where it stopped. */
export class BtfRejection extends SystemError {
  override readonly name = 'BtfRejection'
  readonly log: string

  constructor(errno: number, log: string) {
    const last = log.trimEnd().split('\n').at(-1) ?? ''
    super('bpf(BTF_LOAD)', errno, {
      reason: last === '' ? 'no reason given' : `the last line of its log is: ${last}`,
    })
    this.log = log
  }
}

const logSize = 1 << 20

/** Loads type information (Linux 4.18). Throws a `BtfRejection` with the kernel's log. */
export function loadBtf(bytes: Bytes): Btf {
  const attributes = new Attributes(28).pointer(0, bytes).u32(16, bytes.length)
  const fd = attributes.call('BTF_LOAD')
  if (fd >= 0) return new Btf(fd)
  const buffer = new Uint8Array(new ArrayBuffer(logSize))
  const logged = attributes.pointer(8, buffer).u32(20, logSize).u32(24, 1).call('BTF_LOAD')
  if (logged >= 0) return new Btf(logged)
  const log = Buffer.from(buffer.subarray(0, Math.max(0, buffer.indexOf(0)))).toString()
  if (log === '') throw bpfError('BTF_LOAD', -logged)
  throw new BtfRejection(-logged, log)
}
