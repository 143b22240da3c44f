// Emits the views behind an IP header: TCP, UDP, SCTP, ICMP, ICMPv6, GRE, VXLAN, and payloads.
//
// A transport header is there if the protocol says so, the packet is no later fragment and the header lies in the
// packet; only TCP's own length needs a branch. Lengths in headers never make a view larger than the packet: payloads
// end at the smallest of the stated lengths and the packet, where a stated length of 0 counts as unknown (a sender's
// NIC that cuts segments leaves it 0).

import type { Instr } from '../ir/types.js'
import { gre } from '../wire/gre.js'
import { icmp } from '../wire/icmp.js'
import { icmpv6 } from '../wire/icmpv6.js'
import { ipProtocols } from '../wire/ipv4.js'
import { ipv6 } from '../wire/ipv6.js'
import { sctp } from '../wire/sctp.js'
import { tcp } from '../wire/tcp.js'
import { udp, udpPorts } from '../wire/udp.js'
import { validIdentifier, vxlan } from '../wire/vxlan.js'
import { frameView } from './views-network.js'
import { all, i32, leafOf, loadRaw, named, op, packetLength, plus, raw16, reaches } from './views-value.js'
import { swapped, when } from './views-value.js'
import type { PacketContext, ViewValue } from './views-value.js'

const transports = {
  tcp: { protocol: ipProtocols.Tcp, bytes: tcp.headerBytes },
  udp: { protocol: ipProtocols.Udp, bytes: udp.headerBytes },
  sctp: { protocol: ipProtocols.Sctp, bytes: sctp.headerBytes },
  icmp: { protocol: ipProtocols.Icmp, bytes: icmp.headerBytes },
  icmpv6: { protocol: ipProtocols.Icmpv6, bytes: icmpv6.headerBytes },
  gre: { protocol: ipProtocols.Gre, bytes: gre.headerBytes },
} as const

export type TransportName = keyof typeof transports

/** The transport header `name` of an IP header that is present. */
export function transportView(ctx: PacketContext, ip: ViewValue, name: TransportName): ViewValue {
  const { builder } = ctx
  const { protocol, bytes } = transports[name]
  const base = leafOf(ctx, ip, 'next')
  const extra = [payloadEnd(ctx, ip), leafOf(ctx, ip, 'outer')]
  const fixed = all(
    ctx,
    op(ctx, 'eq', transportProtocol(ctx, ip), protocol),
    ...firstFragment(ctx, ip),
    reaches(ctx, base, bytes),
  )
  if (name !== 'tcp') return { protocol: name, present: named(fixed, `${name}.present`), base, extra }
  const found = builder.variable('i1', 'tcp.present')
  builder.write(found, builder.const('i1', 0))
  when(ctx, fixed, () => {
    const header = tcpHeaderBytes(ctx, base)
    const whole = op(ctx, 'leu', op(ctx, 'add', base, header), packetLength(ctx))
    builder.write(found, all(ctx, op(ctx, 'leu', i32(ctx, tcp.headerBytes), header), whole))
  })
  return { protocol: 'tcp', present: builder.read(found), base, extra }
}

/** The number of the protocol behind an IP header; of IPv6, behind its extension headers. */
export const transportProtocol = (ctx: PacketContext, ip: ViewValue): Instr =>
  ip.protocol === 'ipv6' ? leafOf(ctx, ip, 'protocol') : named(loadRaw(ctx, ip.base, 9, 1), 'ipv4.protocol')

/** What IPv4 must say beyond the protocol; IPv6's protocol already says it. */
export function firstFragment(ctx: PacketContext, ip: ViewValue): Instr[] {
  if (ip.protocol === 'ipv6') return []
  const offset = op(ctx, 'and', loadRaw(ctx, ip.base, 6, 2), raw16(0x1fff))
  return [named(op(ctx, 'eq', offset, 0), 'ipv4.firstFragment')]
}

const tcpHeaderBytes = (ctx: PacketContext, base: Instr): Instr =>
  op(ctx, 'and', op(ctx, 'shru', named(loadRaw(ctx, base, 12, 1), 'tcp.dataOffset'), 2), 0x3c)

const min = (ctx: PacketContext, a: Instr, b: Instr): Instr =>
  ctx.builder.emit('select', [op(ctx, 'ltu', a, b), a, b])

/** `start` + the 16-bit length at base + offset, but not beyond `limit`; `limit` if the length is 0. */
function statedEnd(ctx: PacketContext, base: Instr, offset: number, start: number, limit: Instr): Instr {
  const length = swapped(ctx, loadRaw(ctx, base, offset, 2), 2)
  const end = min(ctx, op(ctx, 'add', plus(ctx, base, start), length), limit)
  return ctx.builder.emit('select', [op(ctx, 'eq', length, 0), limit, end])
}

/** Where an IP packet's payload ends. */
const payloadEnd = (ctx: PacketContext, ip: ViewValue): Instr =>
  ip.protocol === 'ipv6'
    ? statedEnd(ctx, ip.base, 4, ipv6.headerBytes, packetLength(ctx))
    : statedEnd(ctx, ip.base, 2, 0, packetLength(ctx))

/** Where a UDP datagram ends. */
const datagramEnd = (ctx: PacketContext, udpView: ViewValue): Instr =>
  statedEnd(ctx, udpView.base, 4, 0, leafOf(ctx, udpView, 'end'))

/** What follows a header. */
export function payloadView(ctx: PacketContext, view: ViewValue): ViewValue {
  const { builder } = ctx
  let start: Instr
  let end =
    view.protocol === 'ipv4' || view.protocol === 'ipv6' ? payloadEnd(ctx, view) : leafOf(ctx, view, 'end')
  if (view.protocol === 'ipv4' || view.protocol === 'ipv6') start = leafOf(ctx, view, 'next')
  else if (view.protocol === 'tcp') start = op(ctx, 'add', view.base, tcpHeaderBytes(ctx, view.base))
  else if (view.protocol === 'gre') start = optionalOffset(ctx, view, 3)
  else start = plus(ctx, view.base, view.protocol === 'sctp' ? sctp.headerBytes : 8)
  if (view.protocol === 'udp') end = datagramEnd(ctx, view)
  // Headers may say that the payload ends before it starts; then it is empty.
  const clamped = builder.emit('select', [op(ctx, 'ltu', end, start), start, end])
  return { protocol: 'payload', present: builder.const('i1', 1), base: start, extra: [clamped] }
}

/** Flags of GRE's optional words, in the order of the words. */
const greFlags = [0x80, 0x20, 0x10]

/** Where GRE's optional word number `count` starts: behind those of the first `count` flags that are set. */
function optionalOffset(ctx: PacketContext, view: ViewValue, count: number): Instr {
  const flags = loadRaw(ctx, view.base, 0, 1)
  let at = plus(ctx, view.base, gre.headerBytes)
  for (const flag of greFlags.slice(0, count)) {
    const set = op(ctx, 'and', op(ctx, 'shru', flags, Math.log2(flag)), 1)
    at = op(ctx, 'add', at, op(ctx, 'shl', set, 2))
  }
  return at
}

/** GRE's key (number 1) or sequence number (2). */
export function optionalWord(
  ctx: PacketContext,
  view: ViewValue,
  name: string,
): { present: Instr; value: Instr } {
  const { builder } = ctx
  const number = name === 'key' ? 1 : 2
  const at = optionalOffset(ctx, view, number)
  const flags = loadRaw(ctx, view.base, 0, 1)
  const set = op(ctx, 'ne', op(ctx, 'and', flags, greFlags[number]), 0)
  const present = all(ctx, set, reaches(ctx, at, 4))
  const value = builder.variable('i32', `gre.${name}`)
  builder.write(value, i32(ctx, 0))
  when(ctx, present, () =>
    builder.write(value, named(swapped(ctx, loadRaw(ctx, at, 0, 4), 4), `gre.${name}`)),
  )
  return { present, value: builder.read(value) }
}

/** The VXLAN header of a UDP datagram; none inside another VXLAN. */
export function vxlanView(ctx: PacketContext, view: ViewValue): ViewValue {
  const { builder } = ctx
  const base = plus(ctx, view.base, udp.headerBytes)
  const found = builder.variable('i1', 'vxlan.present')
  builder.write(found, builder.const('i1', 0))
  const port = op(ctx, 'eq', loadRaw(ctx, view.base, 2, 2), raw16(udpPorts.vxlan))
  const outside = op(ctx, 'eq', leafOf(ctx, view, 'outer'), 0)
  when(ctx, all(ctx, port, outside, reaches(ctx, base, vxlan.headerBytes)), () => {
    const valid = op(ctx, 'and', loadRaw(ctx, base, 0, 1), validIdentifier)
    builder.write(found, op(ctx, 'ne', valid, 0))
  })
  const extra = [datagramEnd(ctx, view), view.base]
  return { protocol: 'vxlan', present: builder.read(found), base, extra }
}

/** The frame behind a VXLAN header. */
export function innerFrame(ctx: PacketContext, view: ViewValue): ViewValue {
  const base = plus(ctx, view.base, vxlan.headerBytes)
  const end = leafOf(ctx, view, 'end')
  const clamped = ctx.builder.emit('select', [op(ctx, 'ltu', end, base), base, end])
  return frameView(ctx, 'inner', base, [clamped, leafOf(ctx, view, 'outer')])
}
