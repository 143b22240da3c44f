// VXLAN: RFC 7348 section 5.
//
// Heads up: a view exists for UDP destination port 4789 if the I flag says that the network identifier is valid. An
// inner Ethernet frame follows. The outer UDP checksum, if not 0, covers all of it, so a write to an inner field
// updates that checksum too. VXLAN inside VXLAN is not looked into.

import type { Protocol } from './field.js'
import { checkLength, viewAt } from './view.js'
import type { View } from './view.js'

export const vxlan = {
  name: 'vxlan',
  view: 'Vxlan',
  doc: 'The VXLAN header; `inner` is the Ethernet frame it carries.',
  source: 'RFC 7348 section 5',
  headerBytes: 8,
  fields: {
    flags: { doc: 'Flags; bit 8 (valid identifier) is always set here.', bit: 0, bits: 8, type: 'u8' },
    identifier: {
      doc: 'VXLAN network identifier (VNI), 24 bits.',
      bit: 32,
      bits: 24,
      type: 'u32',
      writable: true,
    },
  },
} as const satisfies Protocol

/** The flag that says the network identifier is valid. */
export const validIdentifier = 0x08

/** The VXLAN header at `base`; undefined if it is cut off or its identifier is not valid. */
export function parseVxlan(bytes: Uint8Array, base: number): View<typeof vxlan> | undefined {
  if (!checkLength(vxlan, bytes, base)) return undefined
  const view = viewAt(vxlan, bytes, base)
  return view.fields.flags & validIdentifier ? view : undefined
}

/** One line for listings. */
export const printVxlan = ({ fields: f }: View<typeof vxlan>): string => `VXLAN network ${f.identifier}`
