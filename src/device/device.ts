// What a device is: something that gives packets (a source), takes them (a sink), or both. Batches travel as slabs
// (slab.ts). Devices are synchronous and pulled, so they work on the main thread and in a worker alike, and they
// never throw for what a file or the system answers: they stop and leave a fault.

import type { Fault } from './fault.js'
import type { Slab } from './slab.js'

/** An interface that packets came in through, as far as the source knows. */
export interface Interface {
  /** Its name in the capture; undefined where the format has none. */
  readonly name: string | undefined
  /** Link type number (LINKTYPE_ value). */
  readonly link: number
  /** Snapshot length in bytes, 0 for none. */
  readonly snaplen: number
}

/** What one read delivered. */
export interface Batch {
  /** Packets in the slab, from descriptor 0. */
  readonly count: number
  /** Their captured bytes, without synthetic headers. */
  readonly bytes: number
  /** Their bytes on the wire. */
  readonly wireBytes: number
  /** True when no packet will follow: the end, or a fault. May be true with packets in this batch. */
  readonly end: boolean
}

/** Which packets a sink takes. */
export interface Selection {
  /** Bit v is set when verdict v (low 8 bits of the verdict word, 0..31) is taken; greater ones never are. */
  readonly verdicts: number
  /** Take only this device's redirects; undefined for all. */
  readonly redirect?: number
}

/** Takes every packet, whatever its verdict. */
export const everyPacket: Selection = { verdicts: 0xffff_ffff }

export interface Device {
  /** For messages: what the user called it. */
  readonly name: string
  /** Why it stopped early, once it did. */
  readonly fault: Fault | undefined
  /** Gives back what it holds of the system; idempotent. A sink writes out what it still buffers. */
  close(): void
}

/** Gives packets. */
export interface Source extends Device {
  /** The interfaces seen so far; index plus `firstDevice` is the ingress device number. May grow between reads. */
  readonly interfaces: readonly Interface[]
  /** Absolute time of the first packet, ns since 1970; undefined before it, and where no clock is known. */
  readonly start: bigint | undefined
  /**
   * Fills the slab with the next packets. They stay valid until the slab is given again; until the next read
   * the slab's data must also keep what lies behind the packets delivered.
   * All slabs given to one source have the same `dataBytes`, at least `minimumDataBytes`.
   */
  read(slab: Slab): Batch
}

/** Takes packets. */
export interface Sink extends Device {
  /** Takes those of the first `count` packets that the selection names; answers how many it took. */
  write(slab: Slab, count: number, selection: Selection): number
}
