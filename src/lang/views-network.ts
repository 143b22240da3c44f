// Emits a frame and the views that hang on it: Ethernet, VLAN tags, ARP, IPv4, IPv6. Everything is parsed from the
// frame's first byte, so the same code serves a packet and the frame inside VXLAN.
//
// Shape of what is emitted: once per frame, a chain of branches walks over the tags and ends with the EtherType and the
// place of the network header; no assignment can change these. Then, per view, one branch on type and length, and the
// version and header length as plain values. Header loads stand behind the length check that proves them.
// Read src/wire/ipv4.ts and ipv6.ts for what is accepted.

import type { Instr } from '../ir/types.js'
import { arp } from '../wire/arp.js'
import { etherTypes, ethernet } from '../wire/ethernet.js'
import { ipv4, ipProtocols } from '../wire/ipv4.js'
import { ipv6, maxExtensions, noTransport } from '../wire/ipv6.js'
import { maxTags, vlan } from '../wire/vlan.js'
import {
  all,
  i32,
  leafOf,
  loadRaw,
  named,
  op,
  packetLength,
  plus,
  raw16,
  reaches,
  when,
} from './views-value.js'
import type { PacketContext, ViewValue } from './views-value.js'

const typeOffset = ethernet.headerBytes - 2
const rawIpv4 = raw16(etherTypes.Ipv4)
const rawIpv6 = raw16(etherTypes.Ipv6)

/** The frame at `base`. `more` are the further leaves of an inner frame. */
export function frameView(
  ctx: PacketContext,
  protocol: 'packet' | 'inner',
  base: Instr,
  more: readonly Instr[] = [],
): ViewValue {
  const { type, network } = networkHeader(ctx, base)
  return { protocol, present: ctx.builder.const('i1', 1), base, extra: [type, network, ...more] }
}

/** The view `name` of a frame. */
export function networkView(ctx: PacketContext, frame: ViewValue, name: string): ViewValue {
  if (name === 'ethernet') return ethernetView(ctx, frame)
  if (name === 'vlan') return tagView(ctx, frame)
  if (name === 'arp') return arpView(ctx, frame)
  return name === 'ipv4' ? ipv4View(ctx, frame) : ipv6View(ctx, frame)
}

function ethernetView(ctx: PacketContext, frame: ViewValue): ViewValue {
  const present = named(reaches(ctx, frame.base, ethernet.headerBytes), 'ethernet.present')
  return { protocol: 'ethernet', present, base: frame.base, extra: [leafOf(ctx, frame, 'outer')] }
}

const isTag = (ctx: PacketContext, rawType: Instr): Instr =>
  op(
    ctx,
    'or',
    op(ctx, 'eq', rawType, raw16(etherTypes.Vlan)),
    op(ctx, 'eq', rawType, raw16(etherTypes.ServiceVlan)),
  )

/** The outer tag of a frame. */
function tagView(ctx: PacketContext, frame: ViewValue): ViewValue {
  const { builder } = ctx
  const found = builder.variable('i1', 'vlan.present')
  builder.write(found, builder.const('i1', 0))
  when(ctx, reaches(ctx, frame.base, ethernet.headerBytes + vlan.headerBytes), () =>
    builder.write(found, isTag(ctx, loadRaw(ctx, frame.base, typeOffset, 2))),
  )
  const extra = [builder.const('i1', 1), leafOf(ctx, frame, 'outer')]
  const base = plus(ctx, frame.base, ethernet.headerBytes)
  return { protocol: 'vlan', present: builder.read(found), base, extra }
}

/** The tag behind a tag; there is none behind the second. */
export function innerTagView(ctx: PacketContext, tag: ViewValue): ViewValue {
  const present = all(
    ctx,
    leafOf(ctx, tag, 'outermost'),
    isTag(ctx, loadRaw(ctx, tag.base, 2, 2)),
    reaches(ctx, tag.base, 2 * vlan.headerBytes),
  )
  const extra = [ctx.builder.const('i1', 0), leafOf(ctx, tag, 'outer')]
  const base = plus(ctx, tag.base, vlan.headerBytes)
  return { protocol: 'vlan', present: named(present, 'vlan.inner.present'), base, extra }
}

/** The EtherType behind the tags of the frame at `start`, as it stands in the packet, and where its header starts. */
function networkHeader(ctx: PacketContext, start: Instr): { type: Instr; network: Instr } {
  const { builder } = ctx
  const type = builder.variable('i32', 'ethernet.type')
  const network = builder.variable('i32', 'network header')
  builder.write(type, i32(ctx, 0))
  builder.write(network, plus(ctx, start, ethernet.headerBytes))
  const step = (tags: number): void => {
    const found = loadRaw(ctx, start, typeOffset + tags * vlan.headerBytes, 2)
    builder.write(type, named(found, 'ethernet.type'))
    if (tags > 0) builder.write(network, plus(ctx, start, ethernet.headerBytes + tags * vlan.headerBytes))
    if (tags === maxTags) return
    const next = ethernet.headerBytes + (tags + 1) * vlan.headerBytes
    when(ctx, all(ctx, isTag(ctx, found), reaches(ctx, start, next)), () => step(tags + 1))
  }
  when(ctx, reaches(ctx, start, ethernet.headerBytes), () => step(0))
  return { type: builder.read(type), network: builder.read(network) }
}

function arpView(ctx: PacketContext, frame: ViewValue): ViewValue {
  const { builder } = ctx
  const base = leafOf(ctx, frame, 'network')
  const found = builder.variable('i1', 'arp.present')
  builder.write(found, builder.const('i1', 0))
  const typed = op(ctx, 'eq', leafOf(ctx, frame, 'type'), raw16(etherTypes.Arp))
  when(ctx, all(ctx, typed, reaches(ctx, base, arp.headerBytes)), () => {
    const spaces = op(ctx, 'eq', loadRaw(ctx, base, 0, 4), (rawIpv4 << 16) | raw16(1))
    const lengths = op(ctx, 'eq', loadRaw(ctx, base, 4, 2), (4 << 8) | 6)
    builder.write(found, all(ctx, spaces, lengths))
  })
  return { protocol: 'arp', present: builder.read(found), base, extra: [leafOf(ctx, frame, 'outer')] }
}

function ipv4View(ctx: PacketContext, frame: ViewValue): ViewValue {
  const { builder } = ctx
  const base = leafOf(ctx, frame, 'network')
  const found = builder.variable('i1', 'ipv4.present')
  const next = builder.variable('i32', 'transport header')
  builder.write(found, builder.const('i1', 0))
  builder.write(next, base)
  const typed = op(ctx, 'eq', leafOf(ctx, frame, 'type'), rawIpv4)
  when(ctx, all(ctx, typed, reaches(ctx, base, ipv4.headerBytes)), () => {
    const versionAndLength = named(loadRaw(ctx, base, 0, 1), 'ipv4.version')
    // Version 4 and 5 to 15 words are the numbers 0x45 to 0x4f. The mask, which changes nothing behind the check, shows
    // passes everywhere how long options can be: sums then do not wrap and move into offsets.
    const above = op(ctx, 'sub', versionAndLength, 0x45)
    const sound = op(ctx, 'leu', above, 0x4f - 0x45)
    const options = op(ctx, 'shl', op(ctx, 'and', above, 15), 2)
    const end = op(ctx, 'add', op(ctx, 'add', base, options), ipv4.headerBytes)
    builder.write(found, all(ctx, sound, op(ctx, 'leu', end, packetLength(ctx))))
    builder.write(next, end)
  })
  const extra = [builder.read(next), leafOf(ctx, frame, 'outer')]
  return { protocol: 'ipv4', present: builder.read(found), base, extra }
}

function ipv6View(ctx: PacketContext, frame: ViewValue): ViewValue {
  const { builder } = ctx
  const base = leafOf(ctx, frame, 'network')
  const found = builder.variable('i1', 'ipv6.present')
  const protocol = builder.variable('i32', 'ipv6.protocol')
  const next = builder.variable('i32', 'transport header')
  builder.write(found, builder.const('i1', 0))
  builder.write(protocol, i32(ctx, noTransport))
  builder.write(next, base)
  const typed = op(ctx, 'eq', leafOf(ctx, frame, 'type'), rawIpv6)
  when(ctx, all(ctx, typed, reaches(ctx, base, ipv6.headerBytes)), () => {
    const version = op(ctx, 'shru', named(loadRaw(ctx, base, 0, 1), 'ipv6.version'), 4)
    builder.write(found, op(ctx, 'eq', version, 6))
    builder.write(protocol, named(loadRaw(ctx, base, 6, 1), 'ipv6.nextHeader'))
    builder.write(next, plus(ctx, base, ipv6.headerBytes))
    const extension = (left: number): void => {
      const place = builder.read(next)
      const type = builder.read(protocol)
      when(ctx, all(ctx, isExtension(ctx, type), reaches(ctx, place, 8)), () => {
        const fragment = op(ctx, 'eq', type, ipProtocols.Fragment)
        const words = op(ctx, 'shl', plus(ctx, loadRaw(ctx, place, 1, 1), 1), 3)
        const later = op(ctx, 'ne', op(ctx, 'and', loadRaw(ctx, place, 2, 2), raw16(0xfff8)), 0)
        const following = loadRaw(ctx, place, 0, 1)
        const none = i32(ctx, noTransport)
        const size = builder.emit('select', [fragment, i32(ctx, 8), words])
        builder.write(protocol, builder.emit('select', [all(ctx, fragment, later), none, following]))
        builder.write(next, op(ctx, 'add', place, size))
        if (left > 1) extension(left - 1)
      })
    }
    extension(maxExtensions)
    // Still an extension header: one too many, or cut off.
    const last = builder.read(protocol)
    builder.write(protocol, builder.emit('select', [isExtension(ctx, last), i32(ctx, noTransport), last]))
  })
  const extra = [
    builder.read(next),
    named(builder.read(protocol), 'ipv6.protocol'),
    leafOf(ctx, frame, 'outer'),
  ]
  return { protocol: 'ipv6', present: builder.read(found), base, extra }
}

const isExtension = (ctx: PacketContext, type: Instr): Instr =>
  [ipProtocols.HopByHop, ipProtocols.Routing, ipProtocols.Fragment, ipProtocols.DestinationOptions]
    .map(number => op(ctx, 'eq', type, number))
    .reduce((a, b) => op(ctx, 'or', a, b))
