// The capture reader: a file, pipe or gzip stream of pcap or pcapng records, delivered as slabs.
// File bytes go straight into the slab's data region in big reads; a walker writes descriptors over them in place.
// A record split at the end of what was read is moved to the front of the next data region. Memory use is the
// slabs and the workspace, whatever the file's size. Nothing here runs per packet.
// Promise: for any bytes, everything before the first damage is delivered, then `fault` says what and where.
// Read control.ts and walk.ts first.

import { control, maximumCaptured, readerWorkspaceBytes, stop, type Walkers } from './control.js'
import type { Batch, Interface, Source } from './device.js'
import type { Fault } from './fault.js'
import { linkText, linkAdvice } from './linktype.js'
import { detectFormat, type Format } from './format.js'
import { blockFault, Sections } from './section.js'
import { descriptorBytes, minimumDataBytes, type Slab } from './slab.js'
import { openFileSource, type ByteSource } from './source.js'
import { blockType } from './walk.js'
import { compiledWalkers } from './walker.js'

/** Free bytes kept before the first record, for headers that grow (synthetic Ethernet over cooked headers). */
const headroom = 64

/** What a reader needs from its caller. */
export interface CaptureOptions {
  /** The memory that slabs lie in. */
  readonly memory: WebAssembly.Memory
  /** Address of `readerWorkspaceBytes` bytes for the reader alone, multiple of 64. */
  readonly workspace: number
  /** Ingress device number of the capture's first interface; 0 when not given. */
  readonly firstDevice?: number
  /** The walkers; compiled ones when not given. */
  readonly walkers?: Walkers
}

/**
 * Opens a capture by path; `-` is standard input. Never throws for what the path or its bytes are: a file that
 * cannot be read gives a reader that is at its end and has a `fault`.
 */
export function openCapture(path: string, options: CaptureOptions): CaptureReader {
  const source = openFileSource(path)
  if (typeof source !== 'string') return readCapture(path, source, options)
  const reader = readCapture(path, undefined, options)
  reader.fault = {
    kind: 'system',
    file: path,
    offset: 0,
    reason: `cannot be opened: ${source}`,
    advice: 'Check the path',
  }
  return reader
}

/** Reads a capture from any byte source; `name` is for messages. */
export function readCapture(
  name: string,
  source: ByteSource | undefined,
  options: CaptureOptions,
): CaptureReader {
  return new CaptureReader(name, source, options)
}

/** A capture as a source of packets. */
export class CaptureReader implements Source {
  readonly name: string
  fault: Fault | undefined
  readonly #memory: WebAssembly.Memory
  readonly #at: number
  readonly #walkers: Walkers
  readonly #sections: Sections
  #source: ByteSource | undefined
  #format: Format | undefined
  #view: DataView
  #bytes: Uint8Array
  /** Data region that unread bytes lie in, 0 before the first read. */
  #home = 0
  #dataBytes = 0
  /** True when slabs with different data regions were given: leftovers have to be copied. */
  #alternating = false
  /** Offset in the unpacked stream of the first byte after `control.end`. */
  #offset = 0
  /** Bytes of a long uninteresting block that are still to be passed over. */
  #skip = 0
  #exhausted = false
  /** Packets delivered so far. */
  packets = 0

  constructor(name: string, source: ByteSource | undefined, options: CaptureOptions) {
    this.name = name
    this.#memory = options.memory
    this.#at = options.workspace
    this.#view = new DataView(options.memory.buffer)
    this.#bytes = new Uint8Array(options.memory.buffer)
    this.#bytes.fill(0, this.#at, this.#at + readerWorkspaceBytes)
    this.#walkers = options.walkers ?? compiledWalkers(options.memory)
    this.#sections = new Sections(this.#view, this.#at, options.firstDevice ?? 0)
    if (source !== undefined) this.#open(source)
  }

  /** The interfaces seen so far; equal ones of several sections are one. */
  get interfaces(): readonly Interface[] {
    return this.#sections.interfaces
  }

  /** The format, for messages: `pcap`, `pcapng`, with `gzip` when packed. */
  get format(): string {
    return this.#format?.text ?? 'unknown'
  }

  /** Oddities of the file that did not stop the reading. */
  get notes(): readonly string[] {
    return [...(this.#format?.notes ?? []), ...this.#sections.notes]
  }

  get start(): bigint | undefined {
    return this.#get(control.started) === 1
      ? this.#view.getBigInt64(this.#at + control.start, true)
      : undefined
  }

  /** Packets whose time stepped back and was clamped. */
  get clamped(): number {
    return this.#total(control.clamped)
  }

  /** Packets whose original length was below the captured one and was raised to it. */
  get repaired(): number {
    return this.#total(control.repaired)
  }

  /** Bytes taken from the file, and its size where it has one: how far the reading is. */
  get progress(): { bytes: number; size: number | undefined } {
    return { bytes: this.#source?.position ?? 0, size: this.#source?.size }
  }

  read(slab: Slab): Batch {
    if (this.#memory.buffer !== this.#view.buffer) throw new Error('the memory of a capture reader was grown')
    if (slab.dataBytes < minimumDataBytes)
      throw new Error(`a slab needs ${minimumDataBytes} bytes of data, not ${slab.dataBytes}`)
    const bytes = this.#total(control.bytes)
    const wireBytes = this.#total(control.wireBytes)
    this.#set(control.descriptor, slab.descriptors)
    this.#set(control.descriptorEnd, slab.descriptors + slab.capacity * descriptorBytes)
    this.#set(control.times, slab.times)
    if (!this.#exhausted && slab.data !== this.#home) this.#moveHome(slab)
    while (!this.#exhausted && this.#step(slab) && this.#count(slab) < slab.capacity);
    const count = this.#count(slab)
    this.packets += count
    return {
      count,
      bytes: this.#total(control.bytes) - bytes,
      wireBytes: this.#total(control.wireBytes) - wireBytes,
      end: this.#exhausted,
    }
  }

  close(): void {
    this.#exhausted = true
    this.#source?.close()
  }

  /** Reads the head of the stream and finds out what it is. */
  #open(source: ByteSource): void {
    const found = detectFormat(this.name, source)
    this.#source = 'format' in found ? found.source : source
    if ('fault' in found) return this.#stop(found.fault)
    const { format } = found
    this.#format = format
    this.#offset = found.consumed
    if (format.pcap === undefined) return
    this.#set(control.recordBytes, format.pcap.recordBytes)
    this.#set(control.lengthOrder, format.pcap.lengthOrder)
    const readable = this.#sections.describePcap(format.pcap)
    if (!readable) this.#stop(this.#linkFault(format.pcap.link, 20))
  }

  /** One walk and what follows from how it ended; true when reading can go on for this slab. */
  #step(slab: Slab): boolean {
    if (this.#skip > 0) return this.#passOver() || (this.#count(slab) === 0 && this.#fill(slab))
    const little = this.#sections.little
    const reason =
      this.#format?.pcap !== undefined
        ? this.#walkers.pcap(this.#at, this.#format.pcap.little)
        : this.#walkers.pcapng(this.#at, little)
    if (reason === stop.full) return false
    if (reason === stop.more) return this.#needMore(slab)
    if (reason === stop.host) return this.#describe(slab)
    this.#stop(this.#damage(reason))
    return false
  }

  /** The record at the cursor is not all there: read on, unless packets are waiting to be delivered. */
  #needMore(slab: Slab): boolean {
    const need = this.#get(control.need)
    if (need <= slab.dataBytes - headroom) return this.#count(slab) === 0 && this.#fill(slab)
    const type = this.#view.getUint32(this.#get(control.cursor), this.#sections.little)
    if (type === blockType.packet || type === blockType.simplePacket || type === blockType.enhancedPacket) {
      this.#stop(this.#damage(stop.block))
      return false
    }
    this.#skip = need
    return true
  }

  /** Passes over bytes of a long block; true when none of it remains to be read. */
  #passOver(): boolean {
    const cursor = this.#get(control.cursor)
    const step = Math.min(this.#skip, this.#get(control.end) - cursor)
    this.#set(control.cursor, cursor + step)
    this.#skip -= step
    return this.#skip === 0
  }

  /** A section header or interface description stands at the cursor. */
  #describe(slab: Slab): boolean {
    const cursor = this.#get(control.cursor)
    const found = this.#sections.accept(cursor, this.#get(control.end))
    if (typeof found === 'number') {
      if (found <= this.#get(control.end) - cursor) {
        this.#set(control.cursor, cursor + found)
        return true
      }
      this.#set(control.need, found)
      if (found <= slab.dataBytes - headroom) return this.#count(slab) === 0 && this.#fill(slab)
      this.#stop(this.#corrupt(`a block of ${found} bytes describes a section or an interface`))
      return false
    }
    this.#stop(this.#corrupt(found))
    return false
  }

  /** Moves the unread tail to the front of the data region and reads behind it. True when bytes came. */
  #fill(slab: Slab): boolean {
    const cursor = this.#get(control.cursor)
    const left = this.#get(control.end) - cursor
    const front = slab.data + headroom
    if (cursor !== front) this.#bytes.copyWithin(front, cursor, cursor + left)
    const room = this.#wanted(slab, left)
    const count = this.#source?.read(this.#bytes.subarray(front + left, front + left + room)) ?? 0
    this.#set(control.cursor, front)
    this.#set(control.end, front + left + (typeof count === 'number' ? count : 0))
    if (typeof count !== 'number') {
      this.#stop({
        ...count,
        file: this.name,
        offset: this.#offset,
        advice: 'Every packet before it was processed',
      })
      return false
    }
    this.#offset += count
    if (count > 0) return true
    this.#stop(left > 0 || this.#skip > 0 ? this.#truncated(left) : undefined)
    return false
  }

  /** Bytes to ask for: all that fits, or about a slab of packets when leftovers would have to be copied. */
  #wanted(slab: Slab, left: number): number {
    const room = slab.dataBytes - headroom - left
    if (!this.#alternating || this.packets === 0) return room
    const record = this.#offset / this.packets
    const estimate = Math.ceil(slab.capacity * record) + 4096 - left
    const need = this.#get(control.need) - left
    return Math.min(room, Math.max(estimate, need, 4096))
  }

  /** The caller gave another data region: what was read and not delivered goes along. */
  #moveHome(slab: Slab): void {
    if (this.#home !== 0) {
      if (slab.dataBytes !== this.#dataBytes) throw new Error('slabs of one reader differ in dataBytes')
      this.#alternating = true
    }
    const cursor = this.#get(control.cursor)
    const left = this.#get(control.end) - cursor
    const front = slab.data + headroom
    this.#bytes.copyWithin(front, cursor, cursor + left)
    this.#set(control.cursor, front)
    this.#set(control.end, front + left)
    this.#home = slab.data
    this.#dataBytes = slab.dataBytes
  }

  #stop(fault: Fault | undefined): void {
    this.fault ??= fault
    this.#exhausted = true
    this.#source?.close()
  }

  /** Offset in the unpacked stream of the record at the cursor. */
  #position(): number {
    return this.#offset - (this.#get(control.end) - this.#get(control.cursor))
  }

  #truncated(left: number): Fault {
    const need = this.#get(control.need)
    const reason =
      this.#skip > 0
        ? `the file ends inside a block, ${this.#skip} bytes before its end`
        : `the file ends inside a record: ${left} bytes of it are there and ${need} are needed`
    return {
      kind: 'truncated',
      file: this.name,
      offset: this.#position(),
      reason,
      advice: 'Every packet before it was processed; the capture was probably cut off while it was written',
    }
  }

  #corrupt(reason: string): Fault {
    return {
      kind: 'corrupt',
      file: this.name,
      offset: this.#position(),
      reason,
      advice: 'Every packet before it was processed; what follows cannot be told apart and was not read',
    }
  }

  #damage(reason: number): Fault {
    const cursor = this.#get(control.cursor)
    if (this.#format?.pcap !== undefined) {
      const [first, second] = [8, 12].map(at =>
        this.#view.getUint32(cursor + at, this.#format?.pcap?.little ?? true),
      )
      return this.#corrupt(
        `a record claims lengths ${first} and ${second}; more than ${maximumCaptured} captured bytes is not believed`,
      )
    }
    if (reason === stop.link) {
      return this.#linkFault(this.#sections.linkAt(cursor), this.#position())
    }
    return this.#corrupt(blockFault(this.#view, cursor, this.#sections.little, reason))
  }

  #linkFault(link: number, offset: number): Fault {
    return {
      kind: 'link',
      file: this.name,
      offset,
      reason: `the packets are of ${linkText(link)}, which is not read`,
      advice: linkAdvice,
    }
  }

  #count(slab: Slab): number {
    return (this.#get(control.descriptor) - slab.descriptors) / descriptorBytes
  }

  #get(offset: number): number {
    return this.#view.getUint32(this.#at + offset, true)
  }

  #set(offset: number, value: number): void {
    this.#view.setUint32(this.#at + offset, value, true)
  }

  #total(offset: number): number {
    return this.#get(offset) + this.#get(offset + 4) * 0x1_0000_0000
  }
}
