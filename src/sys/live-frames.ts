// Live frames: packets made by the kernel's test run that really leave through devices. Linux 5.18.
//
// A run of more than one frame rewrites the kernel's XDP dispatcher and waits 16 to 32 ms for it, unless the same program is
// attached natively somewhere: `park` does that on a spare device, after which a run costs 7.5 us and 45 ns a frame.
// Pages of frames are recycled and not cleared: the program must write every byte that it cares about.

import { Attributes, bpfError } from './bpf.js'
import { errno } from './errno.js'
import { createLink } from './link.js'
import type { XdpLink } from './link.js'
import type { Bytes } from './kernel.js'
import type { BpfProgram } from './program.js'
import { contextOf } from './test-run.js'
import type { TestRun } from './test-run.js'

const LIVE_FRAMES = 2

/** The most frames that the kernel makes at a time. */
export const largestBatch = 256

/** What frames look like before the program sees them. */
export interface LiveFrames {
  /** The packet, 14 to about 3400 bytes. */
  readonly data: Bytes
  /** The device the program sees as ingress, and to which a verdict `transmit` sends; it needs native XDP. */
  readonly ingress?: TestRun['ingress']
  /** Frames made at a time, 1 to 256; 64 if absent. They leave back to back. */
  readonly batch?: number
}

/** A prepared source of live frames. */
export class LiveFrameRun {
  readonly #attributes: Attributes

  constructor(program: BpfProgram, frames: LiveFrames) {
    const { data, ingress, batch = 64 } = frames
    this.#attributes = new Attributes(80)
      .u32(0, program.fd)
      .u32(8, data.length)
      .pointer(16, data)
      .u32(64, LIVE_FRAMES)
      .u32(72, batch)
    if (ingress !== undefined) this.#attributes.u32(40, 24).pointer(48, contextOf(data.length, 0, ingress))
  }

  /**
   * Runs the program on `count` frames in this call, on the CPU it is made from. False if a signal ended it early; how
   * many frames there were then, only the program knows.
   */
  run(count: number): boolean {
    if (count <= 0) return true
    const result = this.#attributes.u32(32, count).call('PROG_TEST_RUN')
    if (result >= 0) return true
    if (-result === errno.EINTR) return false
    throw bpfError('PROG_TEST_RUN', -result, {
      reason:
        'live frames need Linux 5.18, a packet that fits one page, and an ingress device with native XDP',
    })
  }
}

/** Attaches the program natively to a spare device, where it never sees a packet, so that runs start at once. */
export function park(program: BpfProgram, spareInterfaceIndex: number): XdpLink {
  return createLink(program, spareInterfaceIndex, 'native')
}
