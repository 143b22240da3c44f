// VLAN tags: IEEE 802.1Q-2018 clause 9.6 (customer tag, 0x8100) and the service tag of 802.1ad (0x88A8).
//
// Heads up: a tag is four bytes between the addresses and the EtherType. This table starts after the tag's own type
// (TPID), which is the type field of the header before it: two bytes of tag control information, then the type of
// what follows. At most two tags are looked through; behind a third nothing is recognised.

import type { Protocol } from './field.js'
import { etherTypes } from './ethernet.js'
import { checkLength, nameOf, viewAt } from './view.js'
import type { View } from './view.js'

export const vlan = {
  name: 'vlan',
  view: 'Vlan',
  doc: 'A VLAN tag (802.1Q or 802.1ad), without the tag type that precedes it.',
  source: 'IEEE 802.1Q-2018 clause 9.6',
  headerBytes: 4,
  fields: {
    priority: { doc: 'Priority code point, 0 to 7.', bit: 0, bits: 3, type: 'u8', writable: true },
    dropEligible: { doc: 'Drop eligible indicator.', bit: 3, bits: 1, type: 'bool', writable: true },
    identifier: {
      doc: 'VLAN identifier, 0 to 4095; 0 means priority tag only.',
      bit: 4,
      bits: 12,
      type: 'u16',
      writable: true,
    },
    type: { doc: 'EtherType of what follows the tag.', bit: 16, bits: 16, type: 'EtherType' },
  },
} as const satisfies Protocol

/** Tags that are looked through; a frame with more has no recognised network header. */
export const maxTags = 2

/** True if a tag follows a type field with this value. */
export const isTagType = (type: number): boolean =>
  type === etherTypes.Vlan || type === etherTypes.ServiceVlan

/** The tag whose type field (TPID) ends at `base`; undefined if it is cut off. */
export const parseVlan = (bytes: Uint8Array, base: number): View<typeof vlan> | undefined =>
  checkLength(vlan, bytes, base) ? viewAt(vlan, bytes, base) : undefined

/** One line for listings. */
export const printVlan = ({ fields: f }: View<typeof vlan>): string =>
  `VLAN ${f.identifier}, priority ${f.priority}${f.dropEligible ? ', drop eligible' : ''}, ` +
  `type ${nameOf(etherTypes, f.type, 16)}`
