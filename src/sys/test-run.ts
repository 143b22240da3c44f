// Running a program on given bytes, without a device (BPF_PROG_TEST_RUN).
//
// A repeated run measures: the kernel times it and answers the mean. Live frames, which leave through a device, are in
// live-frames.ts.

import { Attributes, bpf } from './bpf.js'
import { errno } from './errno.js'
import type { Explanation } from './failure.js'
import type { Bytes } from './kernel.js'
import type { BpfProgram } from './program.js'

/** Input of a run. */
export interface TestRun {
  /** The packet; at least 14 bytes for XDP. A leading part of it is metadata if `metadata` says so. */
  readonly data: Bytes
  /** Room for the packet as the program leaves it; by default 256 bytes more than `data`. */
  readonly capacity?: number
  /** Bytes at the start of `data` that are XDP metadata and not packet: a multiple of 4, at most 252. */
  readonly metadata?: number
  /** The device and receive queue the program is to see; 0 is allowed only for both. Linux 5.18. */
  readonly ingress?: { readonly interfaceIndex: number; readonly queue: number }
  /** Number of runs on the same packet, which then sees its own changes; 1 if absent. */
  readonly repeat?: number
}

/** Outcome of a run. */
export interface TestRunResult {
  /** What the program returned. */
  readonly verdict: number
  /** The packet afterwards; with metadata, from the start of the metadata. */
  readonly data: Bytes
  /** Bytes of metadata in front of the packet afterwards; known only if `metadata` or `ingress` was given. */
  readonly metadata: number
  /** Mean nanoseconds of a run, whole; meaningful only for many runs. */
  readonly duration: number
}

const contextBytes = 24

/** Runs an XDP program on one packet. The largest packet is one page less headroom and the kernel's own data. */
export function testRun(program: BpfProgram, run: TestRun): TestRunResult {
  const { data, metadata, ingress, repeat = 1 } = run
  const out = new Uint8Array(new ArrayBuffer(run.capacity ?? data.length + 256))
  const attributes = new Attributes(80)
    .u32(0, program.fd)
    .u32(8, data.length)
    .u32(12, out.length)
    .pointer(16, data)
    .pointer(24, out)
    .u32(32, repeat)
  const withContext = metadata !== undefined || ingress !== undefined
  const context = contextOf(data.length, metadata ?? 0, ingress)
  const contextOut = new Uint8Array(new ArrayBuffer(contextBytes))
  if (withContext)
    attributes.u32(40, contextBytes).u32(44, contextBytes).pointer(48, context).pointer(56, contextOut)
  bpf('PROG_TEST_RUN', attributes, error => explain(error, run))
  return {
    verdict: attributes.read32(4),
    data: out.subarray(0, attributes.read32(12)),
    metadata: withContext ? new DataView(contextOut.buffer).getUint32(0, true) : 0,
    duration: attributes.read32(36),
  }
}

/** struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex. */
export function contextOf(length: number, metadata: number, ingress: TestRun['ingress']): Bytes {
  const context = new Uint8Array(new ArrayBuffer(contextBytes))
  const view = new DataView(context.buffer)
  view.setUint32(0, metadata, true)
  view.setUint32(4, length, true)
  view.setUint32(12, ingress?.interfaceIndex ?? 0, true)
  view.setUint32(16, ingress?.queue ?? 0, true)
  return context
}

function explain(error: number, { data, metadata, ingress }: TestRun): Explanation {
  switch (error) {
    case errno.EINVAL: {
      if (data.length - (metadata ?? 0) < 14)
        return { reason: `an XDP packet has at least 14 bytes, not ${data.length}` }
      if (ingress !== undefined)
        return {
          reason: `interface ${ingress.interfaceIndex} has no receive queue ${ingress.queue} with XDP, or the packet is too long`,
        }
      return {
        reason: `a packet of ${data.length} bytes with ${metadata ?? 0} of metadata does not fit the kernel's test page`,
      }
    }
    case errno.ENOSPC:
      return { reason: 'the packet became longer than the room given for it' }
    case errno.ENODEV:
      return { reason: `there is no interface ${ingress?.interfaceIndex} in this namespace` }
    default:
      return {}
  }
}
