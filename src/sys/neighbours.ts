// The neighbour table: who answers for an address on a link, and who does not (rtnetlink).

import { netlinkFamily, request } from './netlink.js'
import { Structure } from './structure.js'

const RTM_GETNEIGH = 30
/** NUD_INCOMPLETE and NUD_FAILED of linux/neighbour.h: asked for, and not answered. */
const unresolved = 0x01 | 0x20

/** How many neighbours on an interface the kernel has packets for and no hardware address. */
export function unresolvedNeighbours(interfaceIndex: number): number {
  // struct ndmsg: u8 family, padding, i32 interface, u16 state, u8 flags, u8 type.
  return request({
    family: netlinkFamily.route,
    type: RTM_GETNEIGH,
    header: new Structure(12).bytes,
    dump: true,
    name: 'netlink(GETNEIGH)',
  }).filter(({ payload }) => {
    if (payload.length < 12) return false
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
    return view.getInt32(4, true) === interfaceIndex && (view.getUint16(8, true) & unresolved) !== 0
  }).length
}
