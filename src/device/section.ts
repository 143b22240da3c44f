// The parts of a pcapng file that are not packets (draft-ietf-opsawg-pcapng): section headers set the byte order,
// interface descriptions fill the interface table that the walkers read. Rare, so plain TypeScript.
// Promise: never throws, never reads outside the block it was given.

import { control, entry, maximumInterfaces, stop, timeMode } from './control.js'
import type { Interface } from './device.js'
import { kindOfLink, linkKind } from './linktype.js'
import type { PcapHeader } from './pcap.js'
import { blockType } from './walk.js'

const byteOrderMagic = 0x1a2b3c4d
const option = { end: 0, name: 2, resolution: 9, timeOffset: 14 } as const
/** Distinct interfaces over all sections of a file; more is not believed. */
const maximumDevices = 65_536
const largest = 0xffff_ffff_ffff_ffffn

/** What the interface table needs to know of one interface. */
interface Description extends Interface {
  readonly mode: number
  readonly shift: number
  readonly factor: bigint
  readonly offset: bigint
}

/** The sections and interfaces of one capture, and the interface table in memory at `at + control.table`. */
export class Sections {
  /** Byte order of the current section. */
  little = true
  readonly interfaces: Interface[] = []
  readonly notes: string[] = []
  readonly #view: DataView
  readonly #at: number
  readonly #firstDevice: number
  readonly #devices = new Map<string, number>()
  #started = false

  constructor(view: DataView, at: number, firstDevice: number) {
    this.#view = view
    this.#at = at
    this.#firstDevice = firstDevice
  }

  /** Describes the one interface of a pcap file; false when its link type is not read. */
  describePcap(header: PcapHeader): boolean {
    this.little = header.little
    this.#add({
      name: undefined,
      link: header.link,
      snaplen: header.snaplen,
      mode: timeMode.multiply,
      shift: 0,
      factor: header.nanosecond ? 1n : 1000n,
      offset: 0n,
    })
    return kindOfLink(header.link) !== linkKind.unsupported
  }

  /**
   * Takes the section header or interface block at `cursor`, of which the bytes up to `end` are there (at least 12).
   * Answers the bytes the block takes, nothing being done if that is more than there are, or what is wrong with it.
   */
  accept(cursor: number, end: number): number | string {
    const view = this.#view
    const section = view.getUint32(cursor) === blockType.section
    const order = section ? orderOf(view.getUint32(cursor + 8)) : this.little
    if (order === undefined) return 'a section header has no byte-order magic'
    if (!section && !this.#started) return 'the first block is no section header'
    const total = view.getUint32(cursor + 4, order)
    if (total < (section ? 28 : 20) || total % 4 !== 0)
      return `a ${section ? 'section header' : 'interface'} block claims ${total} bytes`
    if (total > end - cursor) return total
    const trailer = view.getUint32(cursor + total - 4, order)
    if (trailer !== total) return `a block says ${total} bytes at its start and ${trailer} at its end`
    return section ? this.#section(cursor, total, order) : this.#interface(cursor, total)
  }

  /** Link type of the packet block at `cursor`; its interface is in the table. */
  linkAt(cursor: number): number {
    const type = this.#view.getUint32(cursor, this.little)
    let number = 0
    if (type === blockType.enhancedPacket) number = this.#view.getUint32(cursor + 8, this.little)
    if (type === blockType.packet) number = this.#view.getUint16(cursor + 8, this.little)
    const from = this.#at + control.table + number * entry.bytes
    return this.#view.getUint32(from + entry.type, true)
  }

  #section(cursor: number, total: number, little: boolean): number {
    this.little = little
    this.#started = true
    this.#view.setUint32(this.#at + control.interfaces, 0, true)
    const major = this.#view.getUint16(cursor + 12, little)
    const minor = this.#view.getUint16(cursor + 14, little)
    const note = `pcapng version ${major}.${minor} is read as 1.0`
    if (major !== 1 && !this.notes.includes(note) && this.notes.length < 16) this.notes.push(note)
    return total
  }

  /** Body: u16 link type, u16 reserved, u32 snaplen, options. */
  #interface(cursor: number, total: number): number | string {
    const view = this.#view
    let name: string | undefined
    let resolution = 6
    let seconds = 0n
    for (const { code, at, length } of options(view, cursor + 16, cursor + total - 4, this.little)) {
      if (code === option.name) name = text(view, at, length)
      if (code === option.resolution && length >= 1) resolution = view.getUint8(at)
      if (code === option.timeOffset && length >= 8) seconds = view.getBigInt64(at, this.little)
    }
    const wrong = this.#add({
      name,
      link: view.getUint16(cursor + 8, this.little),
      snaplen: view.getUint32(cursor + 12, this.little),
      ...clock(resolution),
      offset: seconds * 1_000_000_000n,
    })
    return wrong ?? total
  }

  /** Appends an interface to the table; answers what is wrong, or undefined. */
  #add(description: Description): string | undefined {
    const number = this.#view.getUint32(this.#at + control.interfaces, true)
    if (number >= maximumInterfaces) return `a section describes more than ${maximumInterfaces} interfaces`
    const device = this.#deviceOf(description)
    if (device === undefined) return `the file describes more than ${maximumDevices} interfaces`
    const from = this.#at + control.table + number * entry.bytes
    this.#view.setUint32(from + entry.kind, kindOfLink(description.link), true)
    this.#view.setUint32(from + entry.type, description.link, true)
    this.#view.setUint32(from + entry.device, device, true)
    this.#view.setUint32(from + entry.snaplen, description.snaplen, true)
    this.#view.setUint32(from + entry.mode, description.mode, true)
    this.#view.setUint32(from + entry.shift, description.shift, true)
    this.#view.setBigUint64(from + entry.factor, description.factor, true)
    this.#view.setBigInt64(from + entry.offset, description.offset, true)
    this.#view.setUint32(this.#at + control.interfaces, number + 1, true)
    return undefined
  }

  /** The device number of an interface. The same name and link type in a later section is the same device. */
  #deviceOf(description: Description): number | undefined {
    const number = this.#view.getUint32(this.#at + control.interfaces, true)
    const key = `${description.name === undefined ? `#${number}` : `=${description.name}`} ${description.link}`
    const seen = this.#devices.get(key)
    if (seen !== undefined) return seen
    if (this.interfaces.length >= maximumDevices) return undefined
    const device = this.#firstDevice + this.interfaces.length
    this.#devices.set(key, device)
    this.interfaces.push({ name: description.name, link: description.link, snaplen: description.snaplen })
    return device
  }
}

/** What is wrong with the block at `cursor`, in one clause; `reason` is the walker's stop. */
export function blockFault(view: DataView, cursor: number, little: boolean, reason: number): string {
  const type = view.getUint32(cursor, little)
  const total = view.getUint32(cursor + 4, little)
  if (reason === stop.length) {
    const captured = view.getUint32(cursor + (type === blockType.simplePacket ? 8 : 20), little)
    return `a packet claims ${captured} captured bytes in a block of ${total}`
  }
  if (reason === stop.interface) return 'a packet names an interface that was not described'
  return `a block of type 0x${type.toString(16)} claims ${total} bytes, which cannot be or is not repeated at its end`
}

/** Byte order from the magic as read big-endian. */
function orderOf(magic: number): boolean | undefined {
  if (magic === byteOrderMagic) return false
  return magic === 0x4d3c2b1a ? true : undefined
}

/** if_tsresol: low 7 bits an exponent, of 2 with the top bit set, else of 10. */
function clock(resolution: number): { mode: number; shift: number; factor: bigint } {
  const exponent = resolution & 0x7f
  if (resolution & 0x80) {
    if (exponent <= 63) return { mode: timeMode.binary, shift: exponent, factor: 1n }
    return { mode: timeMode.divide, shift: 0, factor: bounded((1n << BigInt(exponent)) / 1_000_000_000n) }
  }
  if (exponent <= 9) return { mode: timeMode.multiply, shift: 0, factor: 10n ** BigInt(9 - exponent) }
  return { mode: timeMode.divide, shift: 0, factor: bounded(10n ** BigInt(exponent - 9)) }
}

function bounded(factor: bigint): bigint {
  return factor > largest ? largest : factor
}

/** The options between two addresses; stops at the first that does not fit. */
function* options(
  view: DataView,
  from: number,
  to: number,
  little: boolean,
): Generator<{ code: number; at: number; length: number }> {
  for (let at = from; at + 4 <= to;) {
    const code = view.getUint16(at, little)
    const length = view.getUint16(at + 2, little)
    if (code === option.end || at + 4 + length > to) return
    yield { code, at: at + 4, length }
    at += 4 + length + (-length & 3)
  }
}

/** UTF-8, printable: names come from untrusted files and go to terminals. */
function text(view: DataView, at: number, length: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, Math.min(length, 256)).slice()
  return new TextDecoder().decode(bytes).replace(/\p{Cc}/gu, '')
}
