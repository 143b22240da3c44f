// pcapng blocks that are written (draft-ietf-opsawg-pcapng), little-endian: the section header and interface
// descriptions. Packet blocks are written by gather.ts; what is read is in section.ts and walk.ts.

import { blockType } from './walk.js'

const option = { end: 0, interfaceName: 2, userApplication: 4, resolution: 9, timeOffset: 14 } as const
const nanoseconds = 9

/** A section header block of unknown length. */
export function sectionHeader(application: string): Uint8Array {
  const body = new Uint8Array(16)
  const view = new DataView(body.buffer)
  view.setUint32(0, 0x1a2b3c4d, true)
  view.setUint16(4, 1, true)
  view.setUint16(6, 0, true)
  view.setBigInt64(8, -1n, true)
  return blockOf(blockType.section, [body, textOption(option.userApplication, application), end])
}

/** An interface description block whose packets have times in ns, and `offset` seconds more. */
export function interfaceDescription(
  link: number,
  snaplen: number,
  name: string | undefined,
  offset = 0n,
): Uint8Array {
  const body = new Uint8Array(8)
  const view = new DataView(body.buffer)
  view.setUint16(0, link, true)
  view.setUint32(4, snaplen, true)
  const options = [optionOf(option.resolution, Uint8Array.of(nanoseconds)), end]
  if (offset !== 0n)
    options.unshift(optionOf(option.timeOffset, new Uint8Array(BigInt64Array.of(offset).buffer)))
  if (name !== undefined) options.unshift(textOption(option.interfaceName, name))
  return blockOf(blockType.interface, [body, ...options])
}

const end = new Uint8Array(4)

function textOption(code: number, text: string): Uint8Array {
  return optionOf(code, new TextEncoder().encode(text).subarray(0, 256))
}

function optionOf(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + ((value.length + 3) & ~3))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, code, true)
  view.setUint16(2, value.length, true)
  bytes.set(value, 4)
  return bytes
}

/** Type and total length around a body whose parts are multiples of 4. */
function blockOf(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const bytes = new Uint8Array(12 + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, bytes.length, true)
  bytes.set(body, 8)
  view.setUint32(bytes.length - 4, bytes.length, true)
  return bytes
}
