// What the tests of this folder share: a memory, and captures written as hexadecimal text.

import { CaptureReader } from './capture.js'
import { readerWorkspaceBytes } from './control.js'
import { collect, type TakenPacket } from './memory.js'
import { carveSlab, minimumDataBytes } from './slab.js'
import { bytesSource } from './source.js'

export const memory = new WebAssembly.Memory({ initial: 48, maximum: 48, shared: true })

/** A slab behind the reader's workspace at address 0, small enough that most files take several reads. */
export const slab = carveSlab(readerWorkspaceBytes, 100, minimumDataBytes)

/** A second one of the same size. */
export const otherSlab = carveSlab(readerWorkspaceBytes + 0x8_0000, 100, minimumDataBytes)

/** Bytes from hexadecimal digits; everything else is ignored. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/[^0-9a-f]/g, ''), 'hex'))
}

/** A reader over bytes. */
export function openBytes(bytes: Uint8Array, firstDevice = 0): CaptureReader {
  return new CaptureReader('test', bytesSource(bytes), { memory, workspace: 0, firstDevice })
}

/** Reads a capture of bytes to its end. */
export function readBytes(bytes: Uint8Array): { reader: CaptureReader; packets: TakenPacket[] } {
  const reader = openBytes(bytes)
  return { reader, packets: collect(reader, memory, slab) }
}

/** A little-endian microsecond pcap file: header with a link type, then records of (captured bytes, wire length). */
export function pcapOf(
  link: number,
  packets: readonly (readonly [hex: string, original: number])[],
): Uint8Array {
  const parts = packets.map(([text, original], index) => {
    const bytes = hex(text)
    const record = new Uint8Array(16 + bytes.length)
    const view = new DataView(record.buffer)
    view.setUint32(0, 1000, true)
    view.setUint32(4, index, true)
    view.setUint32(8, bytes.length, true)
    view.setUint32(12, original, true)
    record.set(bytes, 16)
    return record
  })
  const header = hex('d4c3b2a1 0200 0400 00000000 00000000 00000400 00000000')
  new DataView(header.buffer).setUint32(20, link, true)
  return Uint8Array.from(Buffer.concat([header, ...parts]))
}
