// GRE: RFC 2784 section 2.1; key and sequence number RFC 2890.
//
// Heads up: the flags decide which of checksum, key and sequence number follow the first four bytes, in this order,
// four bytes each. Version 1 (PPTP, RFC 2637) shares the flags' places but means the key's halves differently.
// No field is writable, because an optional checksum may cover header and payload.

import type { Protocol } from './field.js'
import { etherTypes } from './ethernet.js'
import { checkLength, nameOf, readBits, viewAt } from './view.js'
import type { View } from './view.js'

export const gre = {
  name: 'gre',
  view: 'Gre',
  doc: 'The GRE header. `key` and `sequenceNumber` are undefined unless their flags are set.',
  source: 'RFC 2784 section 2.1, RFC 2890',
  headerBytes: 4,
  fields: {
    checksumPresent: { doc: 'A checksum and four bytes for it are present.', bit: 0, bits: 1, type: 'bool' },
    keyPresent: { doc: 'A key is present (RFC 2890).', bit: 2, bits: 1, type: 'bool' },
    sequencePresent: { doc: 'A sequence number is present (RFC 2890).', bit: 3, bits: 1, type: 'bool' },
    version: { doc: '0 for GRE, 1 for PPTP.', bit: 13, bits: 3, type: 'u8' },
    protocol: { doc: 'EtherType of the payload.', bit: 16, bits: 16, type: 'EtherType' },
  },
} as const satisfies Protocol

/** A GRE header with its optional words. */
export interface GreView extends View<typeof gre> {
  readonly key?: number
  readonly sequenceNumber?: number
}

/**
 * The GRE header at `base`; undefined if its first four bytes are cut off. Optional words that are cut off are
 * absent; `next` may then lie beyond the bytes.
 */
export function parseGre(bytes: Uint8Array, base: number): GreView | undefined {
  if (!checkLength(gre, bytes, base)) return undefined
  const { checksumPresent, keyPresent, sequencePresent } = viewAt(gre, bytes, base).fields
  const keyAt = base + 4 + (checksumPresent ? 4 : 0)
  const sequenceAt = keyAt + (keyPresent ? 4 : 0)
  const word = (at: number): number | undefined =>
    at + 4 <= bytes.length ? Number(readBits(bytes, at, { bit: 0, bits: 32 })) : undefined
  const key = keyPresent ? word(keyAt) : undefined
  const sequenceNumber = sequencePresent ? word(sequenceAt) : undefined
  return {
    ...viewAt(gre, bytes, base, sequenceAt + (sequencePresent ? 4 : 0)),
    ...(key !== undefined && { key }),
    ...(sequenceNumber !== undefined && { sequenceNumber }),
  }
}

/** One line for listings. */
export const printGre = ({ fields: f, key, sequenceNumber }: GreView): string =>
  `GRE version ${f.version}, protocol ${nameOf(etherTypes, f.protocol, 16)}` +
  `${key !== undefined ? `, key ${key}` : ''}${sequenceNumber !== undefined ? `, sequence ${sequenceNumber}` : ''}`
