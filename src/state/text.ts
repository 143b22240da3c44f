// How a field's value is printed and spelled: by its type and its display.
//
// `show` is what dumps, diffs and JSON print; `read` is what rule files hold. What `show` prints, `read` takes.
// 64-bit integers are decimal strings in JSON, because JSON readers lose bits beyond 2^53.

import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from './address.js'
import type { FieldDecl } from './declaration.js'
import type { FieldValue } from './field.js'
import { outcomeSpelled, outcomeSpellings, outcomeText } from './routes.js'

/** A field's value as JSON holds it. */
export type Shown = string | number | boolean

/** Device names by index, for fields whose display is `device`. */
export type DeviceNames = readonly string[]

export function show(field: FieldDecl, value: FieldValue): Shown {
  if (typeof value === 'boolean') return value
  if (typeof value === 'object') return showBytes(field, value)
  if (field.display === 'hex') return hexOf(field, value)
  if (field.display === 'mac') return formatMac(bytesFrom(BigInt(value), 6))
  if (typeof value === 'bigint') return value.toString()
  if (field.display === 'route') return outcomeText(value)
  return field.display === 'ipv4' ? formatIpv4(value) : value
}

function showBytes(field: FieldDecl, bytes: Uint8Array): string {
  if (field.display === 'mac' && bytes.length === 6) return formatMac(bytes)
  if (field.display === 'text') return showText(bytes)
  if (field.type === 'ipv6' || (field.display === 'ipv6' && bytes.length === 16)) return formatIpv6(bytes)
  return `0x${Buffer.from(bytes).toString('hex')}`
}

/** Printable ASCII as it is, the rest as \xNN, without the zeros at the end. */
function showText(bytes: Uint8Array): string {
  const end = bytes.findLastIndex(byte => byte !== 0) + 1
  return Array.from(bytes.subarray(0, end), byte =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('')
}

const hexOf = (field: FieldDecl, value: number | bigint): string =>
  `0x${BigInt.asUintN(8 * field.bytes, BigInt(value))
    .toString(16)
    .padStart(2 * field.bytes, '0')}`

function bytesFrom(value: bigint, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => Number((value >> BigInt(8 * (count - 1 - i))) & 0xffn))
}

/** What `read` takes for this field, as an error message says it. */
export function expectation(field: FieldDecl, devices: DeviceNames = []): string {
  const { type, display, bytes } = field
  if (type === 'bool') return 'true or false'
  if (display === 'ipv4' && type === 'u32') return 'an IPv4 address such as 192.0.2.1'
  if (display === 'mac' && (type === 'u64' || bytes === 6)) return 'a MAC address such as 02:00:00:00:00:01'
  if (type === 'ipv6' || (display === 'ipv6' && bytes === 16)) return 'an IPv6 address such as 2001:db8::1'
  if (type === 'bytes')
    return display === 'text' ? `text of at most ${bytes} bytes` : `${2 * bytes} hexadecimal digits`
  if (display === 'route') return `an outcome: ${outcomeSpellings.join(', ')}`
  if (display === 'device' && devices.length > 0) return `a device: ${devices.filter(Boolean).join(', ')}`
  const [low, high] = rangeOf(field)
  return `${display === 'port' ? 'a port' : `a ${type}`}, ${low} to ${high}`
}

function rangeOf({ type, bytes }: FieldDecl): [bigint, bigint] {
  const bits = BigInt(8 * bytes)
  return type === 'i32' || type === 'i64'
    ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n]
    : [0n, (1n << bits) - 1n]
}

/** The value that `text` spells, or undefined if the field does not take it; see `expectation`. */
export function read(field: FieldDecl, text: string, devices: DeviceNames = []): FieldValue | undefined {
  const { type, display, bytes } = field
  if (type === 'bool')
    return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined
  if (display === 'ipv4' && type === 'u32') return parseIpv4(text)
  if (display === 'mac' && type === 'u64') {
    const mac = parseMac(text)
    return mac && BigInt(`0x${Buffer.from(mac).toString('hex')}`)
  }
  if (type === 'ipv6' || (display === 'ipv6' && bytes === 16)) return parseIpv6(text)
  if (type === 'bytes') return readBytes(field, text)
  if (display === 'route') return outcomeSpelled(text)
  if (display === 'device' && text !== '' && devices.includes(text)) return devices.indexOf(text)
  return readInteger(field, text)
}

function readBytes({ display, bytes }: FieldDecl, text: string): Uint8Array | undefined {
  if (display === 'mac' && bytes === 6) return parseMac(text)
  if (display === 'text') {
    const pieces = text.split(/(\\x[0-9a-f]{2})/i)
    const encoded = Buffer.concat(
      pieces.map((piece, i) => (i % 2 === 1 ? Buffer.from(piece.slice(2), 'hex') : Buffer.from(piece))),
    )
    if (encoded.length > bytes) return undefined
    const padded = new Uint8Array(bytes)
    padded.set(encoded)
    return padded
  }
  const digits = text.replace(/^0x/i, '')
  if (digits.length !== 2 * bytes || !/^[0-9a-f]*$/i.test(digits)) return undefined
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

function readInteger(field: FieldDecl, text: string): number | bigint | undefined {
  if (!/^(-?\d{1,20}|0x[0-9a-f]{1,16})$/i.test(text)) return undefined
  const value = BigInt(text)
  const [low, high] = rangeOf(field)
  const hexOfSigned = low < 0n && /^0x/i.test(text) && value < 1n << BigInt(8 * field.bytes)
  const signed = hexOfSigned ? BigInt.asIntN(8 * field.bytes, value) : value
  if (signed < low || signed > high) return undefined
  return field.bytes === 8 ? signed : Number(signed)
}
