// UDP: RFC 768; over IPv6 RFC 8200 section 8.1; zero checksums over IPv6 tunnels RFC 6935.
//
// Heads up: a checksum of 0 means that the sender computed none; it stays 0. A computed checksum of 0 is sent as
// 0xFFFF. The length field is not trusted: payload views end where the packet or the IP payload ends, if earlier.

import type { Protocol } from './field.js'
import { checkLength, viewAt } from './view.js'
import type { View } from './view.js'

export const udp = {
  name: 'udp',
  view: 'Udp',
  doc: 'The UDP header. Assigning a port keeps the checksum right; a checksum of 0 (none) stays 0.',
  source: 'RFC 768',
  headerBytes: 8,
  fields: {
    sourcePort: {
      doc: 'Source port; 0 if the sender expects no answer.',
      bit: 0,
      bits: 16,
      type: 'Port',
      writable: true,
      covered: ['transport'],
    },
    destinationPort: {
      doc: 'Destination port.',
      bit: 16,
      bits: 16,
      type: 'Port',
      writable: true,
      covered: ['transport'],
    },
    length: {
      doc: 'Bytes of header and payload as the sender states; not checked against the packet.',
      bit: 32,
      bits: 16,
      type: 'u16',
    },
    checksum: {
      doc: 'Checksum as in the packet; 0 means none.',
      bit: 48,
      bits: 16,
      type: 'u16',
      writable: true,
    },
  },
} as const satisfies Protocol

/** Well-known ports that hairpin itself looks at (IANA). */
export const udpPorts = { vxlan: 4789 } as const

/** The UDP header at `base`; undefined if it is cut off. */
export const parseUdp = (bytes: Uint8Array, base: number): View<typeof udp> | undefined =>
  checkLength(udp, bytes, base) ? viewAt(udp, bytes, base) : undefined

/** One line for listings. */
export const printUdp = ({ fields: f }: View<typeof udp>): string =>
  `UDP ${f.sourcePort} > ${f.destinationPort}, length ${f.length}${f.checksum === 0 ? ', no checksum' : ''}`
