// Plain views: a header's fields as JavaScript values, for our own tools and as the reference that compiled programs
// are tested against. Slow and obviously right: every field is read bit by bit from its table row.
//
// Promises: after checkLength holds, no read leaves the bytes; nothing here throws on any bytes. Numbers up to 32 bits
// are `number`, wider ones `bigint`, single bits `boolean`; all in host order. This file reads per packet only in
// listings and tests, never on the fast path.

import type { Field, FieldType, Protocol } from './field.js'

/** The JavaScript type of a field's value. */
export type FieldValue<T extends FieldType> = T extends 'bool'
  ? boolean
  : T extends 'u64' | 'MacAddress' | 'Ipv6Address'
    ? bigint
    : number

/** A header found in some bytes. */
export interface View<P extends Protocol = Protocol> {
  readonly protocol: P
  /** Offset of the header's first byte. */
  readonly base: number
  /** Offset of what follows it, options included. */
  readonly next: number
  readonly fields: { readonly [F in keyof P['fields']]: FieldValue<P['fields'][F]['type']> }
}

/** True if the fixed bytes of the header lie in the bytes. */
export const checkLength = (protocol: Protocol, bytes: Uint8Array, base: number): boolean =>
  base + protocol.headerBytes <= bytes.length

/** The value of one field of a header at `base`; checkLength must hold. */
export function readBits(
  bytes: Uint8Array,
  base: number,
  { bit, bits }: Pick<Field, 'bit' | 'bits'>,
): bigint {
  let value = 0n
  for (let at = base * 8 + bit; at < base * 8 + bit + bits; at++)
    value = (value << 1n) | BigInt((bytes[at >> 3] >> (7 - (at & 7))) & 1)
  return value
}

/** Writes one field of a header at `base`; checkLength must hold. Checksums are the caller's business. */
export function writeBits(
  bytes: Uint8Array,
  base: number,
  { bit, bits }: Pick<Field, 'bit' | 'bits'>,
  value: bigint,
): void {
  for (let k = 0; k < bits; k++) {
    const at = base * 8 + bit + k
    const mask = 1 << (7 - (at & 7))
    const set = (value >> BigInt(bits - 1 - k)) & 1n
    bytes[at >> 3] = set ? bytes[at >> 3] | mask : bytes[at >> 3] & ~mask
  }
}

function valueOf(field: Field, raw: bigint): bigint | number | boolean {
  if (field.type === 'bool') return raw === 1n
  const wide = field.type === 'u64' || field.type === 'MacAddress' || field.type === 'Ipv6Address'
  return wide ? raw : Number(raw)
}

/** All fields of a header at `base`; checkLength must hold. */
export function viewAt<P extends Protocol>(
  protocol: P,
  bytes: Uint8Array,
  base: number,
  next = base + protocol.headerBytes,
): View<P> {
  const entries = Object.entries(protocol.fields).map(([name, field]) => [
    name,
    valueOf(field, readBits(bytes, base, field)),
  ])
  return { protocol, base, next, fields: Object.fromEntries(entries) as View<P>['fields'] }
}

const octets = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, k) => Number((value >> BigInt(8 * (bytes - 1 - k))) & 0xffn))

/** 10.0.0.1 */
export const ipv4Text = (address: number): string => octets(BigInt(address), 4).join('.')

/** 02:00:00:00:00:01 */
export const macText = (address: bigint): string =>
  octets(address, 6)
    .map(b => b.toString(16).padStart(2, '0'))
    .join(':')

/** 2001:db8::1, as RFC 5952 section 4 recommends: lower case, the first longest run of zero groups as `::`. */
export function ipv6Text(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, k) => Number((address >> BigInt(112 - 16 * k)) & 0xffffn))
  let best = { start: 0, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  if (best.length === 1) return hexText(groups)
  return `${hexText(groups.slice(0, best.start))}::${hexText(groups.slice(best.start + best.length))}`
}

const hexText = (groups: number[]): string => groups.map(g => g.toString(16)).join(':')

/** The name of a number in a table of constants, or the number in hexadecimal or decimal. */
export function nameOf(
  table: { readonly [name: string]: number },
  value: number,
  radix: 10 | 16 = 10,
): string {
  const found = Object.entries(table).find(([, v]) => v === value)
  return found ? found[0] : radix === 16 ? `0x${value.toString(16).padStart(4, '0')}` : String(value)
}
