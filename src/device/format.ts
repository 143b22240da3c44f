// Finds out what a stream of bytes is by its first bytes: pcap in any variant, pcapng, or either in gzip.
// What is not read is named, where its magic number is known, with the command that converts it.

import type { Fault } from './fault.js'
import { gzipSource, isGzip } from './gzip.js'
import { isPcap, parsePcapHeader, pcapHeaderBytes, type PcapHeader } from './pcap.js'
import type { ByteSource, SourceFailure } from './source.js'

/** A capture format that is read. */
export interface Format {
  /** For messages: `pcap, little-endian, microseconds`. */
  readonly text: string
  /** The file header of pcap; undefined for pcapng. */
  readonly pcap: PcapHeader | undefined
  readonly notes: readonly string[]
}

/** The format, the source that continues after the bytes looked at, and how many of them were used up. */
export interface Detected {
  readonly format: Format
  readonly source: ByteSource
  readonly consumed: number
}

/** Looks at the head of a source. Never throws for what is in it. */
export function detectFormat(file: string, source: ByteSource): Detected | { fault: Fault } {
  const head = readHead(source)
  if (!(head instanceof Uint8Array)) return { fault: failed(file, head) }
  if (!isGzip(head)) return detectHead(file, head, source, '')
  const unpacked = gzipSource(prepend(head, source))
  const inner = readHead(unpacked)
  if (!(inner instanceof Uint8Array)) return { fault: failed(file, inner) }
  return detectHead(file, inner, unpacked, ' in gzip')
}

function detectHead(
  file: string,
  head: Uint8Array,
  source: ByteSource,
  packing: string,
): Detected | { fault: Fault } {
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  if (head.length === 0)
    return { fault: fault('format', file, 'the file is empty', 'Capture something first') }
  if (isPcap(view)) return pcapFormat(file, view, source, packing)
  if (head.length >= 4 && view.getUint32(0) === 0x0a0d0d0a) {
    const format = { text: `pcapng${packing}`, pcap: undefined, notes: [] }
    return { format, source: prepend(head, source), consumed: 0 }
  }
  return { fault: unknownFormat(file, view, packing) }
}

function failed(file: string, { kind, reason }: SourceFailure): Fault {
  return fault(kind, file, reason, 'Check the file and where it came from')
}

function pcapFormat(
  file: string,
  view: DataView,
  source: ByteSource,
  packing: string,
): Detected | { fault: Fault } {
  if (view.byteLength < pcapHeaderBytes) {
    const reason = `the file ends inside the file header, ${view.byteLength} bytes long`
    return { fault: fault('truncated', file, reason, 'There is no packet in it; capture again') }
  }
  const pcap = parsePcapHeader(view)
  const text =
    `pcap, ${pcap.little ? 'little' : 'big'}-endian, ${pcap.nanosecond ? 'nanoseconds' : 'microseconds'}` +
    (pcap.recordBytes === 24 ? ', modified' : '') +
    packing
  return { format: { text, pcap, notes: pcap.notes }, source, consumed: pcapHeaderBytes }
}

/** Magic numbers of files that people take for captures, and what to do with them. */
const known: readonly (readonly [magic: string, name: string, advice: string])[] = [
  ['736e6f6f70000000', 'a snoop capture', 'Convert it: editcap -F pcap IN OUT.pcap'],
  ['28b52ffd', 'a zstd file', 'Unpack it: zstd -dc IN | hairpin … --in -'],
  ['fd377a585a00', 'an xz file', 'Unpack it: xz -dc IN | hairpin … --in -'],
  ['425a68', 'a bzip2 file', 'Unpack it: bzip2 -dc IN | hairpin … --in -'],
  ['504b0304', 'a zip file', 'Unpack it: unzip -p IN | hairpin … --in -'],
  ['04224d18', 'an lz4 file', 'Unpack it: lz4 -dc IN | hairpin … --in -'],
  ['58435000', 'a NetXRay capture', 'Convert it: editcap -F pcap IN OUT.pcap'],
  ['474d4255', 'a Network Monitor capture', 'Convert it: editcap -F pcap IN OUT.pcap'],
  ['54525343', 'a Sniffer capture', 'Convert it: editcap -F pcap IN OUT.pcap'],
]

function unknownFormat(file: string, view: DataView, packing: string): Fault {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, Math.min(8, view.byteLength))
  const text = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  const found = known.find(([magic]) => text.startsWith(magic))
  if (found !== undefined)
    return fault('format', file, `it is ${found[1]}${packing}, which is not read`, found[2])
  const advice = 'pcap, pcapng and gzip of either are read; `file` or `capinfos` may know what this is'
  return fault('format', file, `it is no capture${packing}: it begins with the bytes ${text}`, advice)
}

function fault(kind: Fault['kind'], file: string, reason: string, advice: string): Fault {
  return { kind, file, offset: 0, reason, advice }
}

/** The first bytes of a source, as many as a pcap file header takes, or why there are none. */
function readHead(source: ByteSource): Uint8Array | SourceFailure {
  const head = new Uint8Array(pcapHeaderBytes)
  let length = 0
  while (length < head.length) {
    const count = source.read(head.subarray(length))
    if (typeof count !== 'number') return length > 0 ? head.subarray(0, length) : count
    if (count === 0) break
    length += count
  }
  return head.subarray(0, length)
}

/** A source that gives some bytes before those of another. */
function prepend(head: Uint8Array, source: ByteSource): ByteSource {
  let given = 0
  return {
    get position() {
      return source.position
    },
    size: source.size,
    read(into) {
      if (given === head.length) return source.read(into)
      const part = head.subarray(given, given + into.length)
      into.set(part)
      given += part.length
      return part.length
    },
    close: () => source.close(),
  }
}
