// SCTP: RFC 9260 section 3.1 (common header).
//
// Heads up: the checksum is a CRC32c over the whole packet (RFC 9260 appendix A). It cannot be updated from the change
// alone at a cost worth having, so no field is writable. Chunks start at byte 12 and are reached by raw reads.

import type { Protocol } from './field.js'
import { checkLength, viewAt } from './view.js'
import type { View } from './view.js'

export const sctp = {
  name: 'sctp',
  view: 'Sctp',
  doc: 'The SCTP common header. Its fields are read-only: a CRC32c over the whole packet covers them.',
  source: 'RFC 9260 section 3.1',
  headerBytes: 12,
  fields: {
    sourcePort: { doc: 'Source port.', bit: 0, bits: 16, type: 'Port' },
    destinationPort: { doc: 'Destination port.', bit: 16, bits: 16, type: 'Port' },
    verificationTag: { doc: "The receiver's tag for the association.", bit: 32, bits: 32, type: 'u32' },
    checksum: { doc: 'CRC32c, read as a big-endian number.', bit: 64, bits: 32, type: 'u32' },
  },
} as const satisfies Protocol

/** The SCTP header at `base`; undefined if it is cut off. */
export const parseSctp = (bytes: Uint8Array, base: number): View<typeof sctp> | undefined =>
  checkLength(sctp, bytes, base) ? viewAt(sctp, bytes, base) : undefined

/** One line for listings. */
export const printSctp = ({ fields: f }: View<typeof sctp>): string =>
  `SCTP ${f.sourcePort} > ${f.destinationPort}, tag ${f.verificationTag}`
