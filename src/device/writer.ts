// The capture writer: packets of slabs, chosen by verdict and in slab order, to a pcap or pcapng file with their
// original link type, absolute time, captured and original length. Bytes are as they are in memory, so changes that
// the program made are in the file. A compiled loop (gather.ts) copies records into a buffer; this file empties it.
// Promise: never throws for what the system answers; `fault` says why writing stopped.

import type { Interface, Selection, Sink } from './device.js'
import type { Fault } from './fault.js'
import {
  anyDevice,
  compiledGather,
  gatherControl,
  gatherControlBytes,
  gatherStop,
  slotBytes,
  slotCount,
  type Gather,
} from './gather.js'
import { linkText } from './linktype.js'
import { pcapHeaderBytes, writePcapHeader } from './pcap.js'
import { interfaceDescription, sectionHeader } from './pcapng.js'
import { descriptor, descriptorBytes, linkTypeOf, type Slab } from './slab.js'
import { openFileTarget, type ByteTarget } from './target.js'

/** Bytes of memory that a writer needs: its control block and its buffer. */
export const writerWorkspaceBytes = 1 << 20

/** Snapshot length written into files; what was captured is written whole. */
const snaplen = 262_144

/** Matches no link type: the loop stops at the first packet, so that the file's header can be written. */
const noLink = 0xffff_ffff

/** What is known about the packets of a source; a `Source` is one. */
export interface Origin {
  readonly interfaces: readonly Interface[]
  readonly start: bigint | undefined
}

export interface OutputOptions {
  /** The memory that slabs lie in. */
  readonly memory: WebAssembly.Memory
  /** Address of `writerWorkspaceBytes` bytes for the writer alone, multiple of 64. */
  readonly workspace: number
  /** Where the packets come from: absolute start and names of interfaces. Consulted when they are needed. */
  readonly origin?: Origin
  /** Ingress device number of the origin's first interface; 0 when not given. */
  readonly firstDevice?: number
  /** By default pcapng for a path that ends in `.pcapng`, else pcap. */
  readonly format?: 'pcap' | 'pcapng'
  /** pcap only: times in ns (the default) or in µs. pcapng is always in ns. */
  readonly microseconds?: boolean
}

/** Creates a capture file; `-` is standard output. A file that cannot be created gives a writer with a `fault`. */
export function openOutput(path: string, options: OutputOptions): CaptureWriter {
  const target = openFileTarget(path)
  if (typeof target !== 'string') return new CaptureWriter(path, target, options)
  const writer = new CaptureWriter(path, undefined, options)
  writer.fault = systemFault(path, `cannot be created: ${target}`)
  return writer
}

/** A capture file as a sink of packets. */
export class CaptureWriter implements Sink {
  readonly name: string
  fault: Fault | undefined
  /** Packets written. */
  packets = 0
  readonly format: 'pcap' | 'pcapng'
  readonly #target: ByteTarget | undefined
  readonly #options: OutputOptions
  readonly #gather: Gather
  readonly #at: number
  readonly #buffer: number
  #view: DataView
  /** Link type of the file, of its first packet in pcapng; undefined until the file's beginning is written. */
  #link: number | undefined
  /** pcapng: interface number by device and link type. */
  readonly #interfaces = new Map<string, number>()
  #closed = false

  constructor(name: string, target: ByteTarget | undefined, options: OutputOptions) {
    this.name = name
    this.format = options.format ?? (name.endsWith('.pcapng') ? 'pcapng' : 'pcap')
    this.#target = target
    this.#options = options
    this.#gather = compiledGather(options.memory)
    this.#at = options.workspace
    this.#buffer = options.workspace + gatherControlBytes
    this.#view = new DataView(options.memory.buffer)
    new Uint8Array(options.memory.buffer, this.#at, gatherControlBytes).fill(0)
    this.#set(gatherControl.out, this.#buffer)
    this.#set(gatherControl.outEnd, options.workspace + writerWorkspaceBytes)
    this.#set(gatherControl.link, noLink)
    this.#set(gatherControl.unit, options.microseconds === true ? 1000 : 1)
  }

  write(slab: Slab, count: number, selection: Selection): number {
    if (this.fault !== undefined || this.#closed) return 0
    this.#set(gatherControl.cursor, slab.descriptors)
    this.#set(gatherControl.end, slab.descriptors + count * descriptorBytes)
    this.#set(gatherControl.times, slab.times)
    this.#set(gatherControl.verdicts, selection.verdicts)
    this.#set(gatherControl.redirect, selection.redirect ?? anyDevice)
    this.#set(gatherControl.taken, 0)
    this.#view.setBigInt64(this.#at + gatherControl.start, this.#options.origin?.start ?? 0n, true)
    while (this.fault === undefined && this.#step());
    const taken = this.#get(gatherControl.taken)
    this.packets += taken
    return taken
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.fault === undefined && this.#link === undefined) {
      this.#begin(this.#options.origin?.interfaces[0]?.link ?? 1)
    }
    if (this.fault?.kind !== 'system') this.#flush()
    const failed = this.#target?.close()
    if (failed !== undefined) this.fault ??= systemFault(this.name, `closing failed: ${failed}`)
  }

  /** One run of the gather loop and what its end asks for; true when there is more to do. */
  #step(): boolean {
    const reason = this.format === 'pcap' ? this.#gather.pcap(this.#at) : this.#gather.pcapng(this.#at)
    if (reason === gatherStop.done) return false
    if (reason === gatherStop.room) this.#flush()
    else this.#meet()
    return true
  }

  /** The first packet, or one of another link type or interface than those known, stands at the cursor. */
  #meet(): void {
    const cursor = this.#get(gatherControl.cursor)
    const link = linkTypeOf(this.#view.getUint32(cursor + descriptor.link, true))
    if (this.#link === undefined) this.#begin(link)
    else if (this.format === 'pcap') this.#refuse(link)
    else this.#describe(this.#view.getUint32(cursor + descriptor.device, true), link)
  }

  /** Writes what stands at the beginning of the file. */
  #begin(link: number): void {
    this.#link = link
    this.#set(gatherControl.link, link)
    if (this.format === 'pcapng') return this.#append(sectionHeader('hairpin'))
    const header = new Uint8Array(pcapHeaderBytes)
    writePcapHeader(new DataView(header.buffer), link, snaplen, this.#options.microseconds !== true)
    this.#append(header)
  }

  /** Gives a device its interface: a description in the file when it is new, and its slot. */
  #describe(device: number, link: number): void {
    const key = `${device} ${link}`
    let number = this.#interfaces.get(key)
    if (number === undefined) {
      number = this.#interfaces.size
      this.#interfaces.set(key, number)
      const known = this.#options.origin?.interfaces[device - (this.#options.firstDevice ?? 0)]
      this.#append(interfaceDescription(link, snaplen, known?.name))
    }
    const slot = gatherControl.slots + (device & (slotCount - 1)) * slotBytes
    this.#set(slot, device)
    this.#set(slot + 4, link)
    this.#set(slot + 8, number)
    this.#set(slot + 12, 1)
  }

  #refuse(link: number): void {
    this.fault = {
      kind: 'link',
      file: this.name,
      offset: 0,
      reason: `a packet is of ${linkText(link)}, the file of ${linkText(this.#link ?? 1)}; pcap holds one`,
      advice: 'Write pcapng instead: give the output a name that ends in .pcapng',
    }
  }

  /** Puts a few bytes into the buffer. */
  #append(bytes: Uint8Array): void {
    if (this.#get(gatherControl.outEnd) - this.#get(gatherControl.out) < bytes.length) this.#flush()
    const out = this.#get(gatherControl.out)
    new Uint8Array(this.#view.buffer, out, bytes.length).set(bytes)
    this.#set(gatherControl.out, out + bytes.length)
  }

  /** Empties the buffer into the file. */
  #flush(): void {
    const length = this.#get(gatherControl.out) - this.#buffer
    this.#set(gatherControl.out, this.#buffer)
    if (length === 0) return
    const failed = this.#target?.write(new Uint8Array(this.#view.buffer, this.#buffer, length))
    if (failed !== undefined) this.fault ??= systemFault(this.name, `writing failed: ${failed}`)
  }

  #get(offset: number): number {
    return this.#view.getUint32(this.#at + offset, true)
  }

  #set(offset: number, value: number): void {
    this.#view.setUint32(this.#at + offset, value, true)
  }
}

function systemFault(file: string, reason: string): Fault {
  return {
    kind: 'system',
    file,
    offset: 0,
    reason,
    advice: 'Check the path, the permissions and the space left',
  }
}
