// XDP programs on devices by bpf_link: what is attached dies with the descriptor, unless the link is pinned.
//
// Linux 5.9. A link names one device in the namespace of the calling thread. The kernel explains a refusal only over
// netlink (xdp.ts has both, and the choice between them).

import { Attributes, bpf, bpfError } from './bpf.js'
import { Descriptor } from './descriptor.js'
import { errno } from './errno.js'
import type { BpfProgram } from './program.js'
import { attachTypes } from './program.js'

/** Where in the kernel a program runs: in the driver, or on socket buffers after it. */
export type XdpMode = 'native' | 'generic'

/** XDP_FLAGS_* of linux/if_link.h. */
export const xdpFlags = {
  onlyIfNone: 1 << 0,
  generic: 1 << 1,
  native: 1 << 2,
  hardware: 1 << 3,
  replace: 1 << 4,
} as const

/** A link of an XDP program to a device. */
export class XdpLink extends Descriptor {
  /** Puts another program in place, atomically; with `expected`, only if that one is there now. */
  update(program: BpfProgram, expected?: BpfProgram): void {
    const attributes = new Attributes(16).u32(0, this.fd).u32(4, program.fd)
    // 4 is BPF_F_REPLACE.
    if (expected !== undefined) attributes.u32(8, 4).u32(12, expected.fd)
    bpf('LINK_UPDATE', attributes)
  }

  /** Detaches the program now, even if the link is pinned; the link stays as an object without a device. Linux 5.9. */
  detach(): void {
    bpf('LINK_DETACH', new Attributes(4).u32(0, this.fd))
  }
}

/** Makes a link: the link, or the positive error number. */
export function tryLink(program: BpfProgram, interfaceIndex: number, mode: XdpMode): XdpLink | number {
  const attributes = new Attributes(16)
    .u32(0, program.fd)
    .u32(4, interfaceIndex)
    .u32(8, attachTypes.xdp)
    .u32(12, xdpFlags[mode])
  const fd = attributes.call('LINK_CREATE')
  return fd >= 0 ? new XdpLink(fd) : -fd
}

/** Makes a link, or throws without the kernel's explanation: for devices that are ours. */
export function createLink(program: BpfProgram, interfaceIndex: number, mode: XdpMode): XdpLink {
  const link = tryLink(program, interfaceIndex, mode)
  if (typeof link === 'number') throw bpfError('LINK_CREATE', link)
  return link
}

/** A link of a TCX program (Linux 6.6), which sees socket buffers on their way in or out. */
export function createTcxLink(
  program: BpfProgram,
  interfaceIndex: number,
  direction: 'ingress' | 'egress',
): Descriptor {
  const type = direction === 'ingress' ? attachTypes.tcx_ingress : attachTypes.tcx_egress
  const attributes = new Attributes(16).u32(0, program.fd).u32(4, interfaceIndex).u32(8, type)
  return new Descriptor(bpf('LINK_CREATE', attributes))
}

/** Runs a raw_tracepoint program at a tracepoint of the kernel (`xdp_cpumap_enqueue`) while the descriptor is open. */
export function openRawTracepoint(program: BpfProgram, tracepoint: string): Descriptor {
  const attributes = new Attributes(16).text(0, tracepoint).u32(8, program.fd)
  return new Descriptor(
    bpf('RAW_TRACEPOINT_OPEN', attributes, error =>
      error === errno.ENOENT ? { reason: `this kernel has no tracepoint ${tracepoint}` } : {},
    ),
  )
}
