// Emits assignments to header fields, with the checksums that cover them.
//
// The change of a checksum follows from the change of the bytes alone (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')),
// so nothing else is read. The one's complement sum does not care about byte order (RFC 1071 section 2 B), so all of
// it is done on bytes as they stand, without a swap. A UDP checksum of 0 means none and stays; a computed 0 becomes
// 0xFFFF. Inside VXLAN, the carrying UDP header's checksum covers the inner frame and changes with every byte of it.
// Read views-read.ts first for how a field maps to bytes.

import type { Instr } from '../ir/types.js'
import { leavesOf } from '../state/declaration.js'
import type { Field, Protocol } from '../wire/field.js'
import { ipProtocols } from '../wire/ipv4.js'
import { viewTypes } from './members.js'
import { rawBounds, unitOf } from './views-read.js'
import { firstFragment, transportProtocol } from './views-transport.js'
import { all, constantOf, i32, leafOf, loadRaw, op, packetLength, storeRaw, swapped } from './views-value.js'
import { when } from './views-value.js'
import type { PacketContext, ViewValue } from './views-value.js'

/** A change of packet bytes, as an i32 to add to a one's complement sum: ~old + new, by 16-bit words. */
type Change = Instr

/** Assigns the header field `name`. `leaves` are as a read gives them. */
export function writeField(
  ctx: PacketContext,
  view: ViewValue,
  field: Field,
  leaves: readonly Instr[],
): void {
  const protocol = viewTypes[view.protocol].protocol
  if (!protocol || !field.writable) throw new Error(`a field of ${view.protocol} that is not writable`)
  const change = storeField(ctx, view, protocol, field, leaves)
  const changes = [change]
  const { builder } = ctx
  const covered = field.covered ?? []
  const own = protocol.fields.checksum
  if (own && (covered.includes('header') || covered.includes('transport')))
    changes.push(updateChecksum(ctx, view.base, own.bit / 8, change, view.protocol === 'udp'))
  const outer = leafOf(ctx, view, 'outer')
  const carried = constantOf(outer) !== 0n
  if (covered.includes('pseudo')) {
    const total = builder.variable('i32')
    builder.write(total, i32(ctx, 0))
    updateTransport(ctx, view, change, c => {
      if (carried) builder.write(total, c)
    })
    if (carried) changes.push(builder.read(total))
  }
  if (!carried) return
  const sum = changes.reduce((a, b) => op(ctx, 'add', a, b))
  when(ctx, op(ctx, 'ne', outer, 0), () => updateChecksum(ctx, outer, 6, sum, true))
}

/** Writes bytes of a payload, if all of them are there; checksums are the program's business. Returns whether. */
export function writeRaw(
  ctx: PacketContext,
  view: ViewValue,
  offset: Instr,
  count: number,
  leaves: readonly Instr[],
): Instr {
  const fixed = constantOf(offset)
  const inside = rawBounds(ctx, view, offset, count)
  if (constantOf(inside) === 0n) return inside
  when(ctx, inside, () => {
    const base = fixed === undefined ? op(ctx, 'add', view.base, offset) : view.base
    leavesOf({ name: '', type: 'bytes', bytes: count }).forEach((leaf, k) => {
      const value = swapped(ctx, leaves[k], leaf.width)
      storeRaw(ctx, base, Number(fixed ?? 0) + leaf.offset, leaf.width, value)
    })
  })
  return inside
}

function storeField(
  ctx: PacketContext,
  view: ViewValue,
  protocol: Protocol,
  field: Field,
  leaves: readonly Instr[],
): Change {
  if (field.type === 'Ipv6Address')
    return [0, 1]
      .map(half => store(ctx, view.base, field.bit / 8 + 8 * half, 8, swapped(ctx, leaves[half], 8)))
      .reduce((a, b) => op(ctx, 'add', a, b))
  let value = leaves[0]
  if (isWholeBytes(field)) return storePieces(ctx, view.base, field, value)
  const { offset, width, shift, whole } = unitOf(protocol, field)
  if (value.type === 'i1') value = ctx.builder.emit('zext', [value], {}, 'i32')
  if (width === 8 && value.type !== 'i64') value = ctx.builder.emit('zext', [value], {}, 'i64')
  if (whole) return store(ctx, view.base, offset, width, swapped(ctx, value, width))
  const mask = (1n << BigInt(field.bits)) - 1n
  const old = swapped(ctx, loadRaw(ctx, view.base, offset, width), width)
  const kept = op(ctx, 'and', old, ((1n << BigInt(8 * width)) - 1n) ^ (mask << BigInt(shift)))
  let placed = op(ctx, 'and', value, mask)
  if (shift > 0) placed = op(ctx, 'shl', placed, shift)
  return store(ctx, view.base, offset, width, swapped(ctx, op(ctx, 'or', kept, placed), width))
}

/** Fields of three, five, six or seven whole bytes, such as a MAC address. */
const isWholeBytes = ({ bit, bits }: Field): boolean =>
  bit % 16 === 0 && bits % 8 === 0 && ![8, 16, 32, 64].includes(bits)

/** Stores such a field without reading what stands beside it, which a processor would have to wait for. */
function storePieces(ctx: PacketContext, base: Instr, field: Field, value: Instr): Change {
  const changes: Change[] = []
  const bytes = value.type === 'i64' ? 8 : 4
  const raw = swapped(ctx, op(ctx, 'shl', value, 8 * bytes - field.bits), bytes)
  let done = 0
  for (const width of [4, 2, 1] as const)
    if (field.bits / 8 - done >= width) {
      const rest = done === 0 ? raw : op(ctx, 'shru', raw, 8 * done)
      const piece = rest.type === 'i64' ? ctx.builder.emit('trunc', [rest]) : rest
      changes.push(store(ctx, base, field.bit / 8 + done, width, piece))
      done += width
    }
  return changes.reduce((a, b) => op(ctx, 'add', a, b))
}

/** Stores a raw value and says what changed. */
function store(ctx: PacketContext, base: Instr, offset: number, width: 1 | 2 | 4 | 8, value: Instr): Change {
  const before = words(ctx, loadRaw(ctx, base, offset, width), offset, width)
  storeRaw(ctx, base, offset, width, value)
  const after = words(ctx, value, offset, width)
  return [...before.map(w => op(ctx, 'xor', w, 0xffff)), ...after].reduce((a, b) => op(ctx, 'add', a, b))
}

/** The 16-bit words of a raw value that stands at a byte offset from an even place. */
function words(ctx: PacketContext, value: Instr, offset: number, width: 1 | 2 | 4 | 8): Instr[] {
  const { builder } = ctx
  if (width === 1) {
    const byte = op(ctx, 'and', value, 0xff)
    return [offset % 2 === 0 ? byte : op(ctx, 'shl', byte, 8)]
  }
  if (offset % 2 !== 0) throw new Error('a checksummed field of several bytes at an odd offset')
  if (width === 2) return [op(ctx, 'and', value, 0xffff)]
  if (width === 4) return [op(ctx, 'and', value, 0xffff), op(ctx, 'shru', value, 16)]
  const halves = [builder.emit('trunc', [value]), builder.emit('trunc', [op(ctx, 'shru', value, 32)])]
  return halves.flatMap(half => words(ctx, half, 0, 4))
}

/** The checksum after a change; `change` is below 2^20. All values are as they stand in the packet. */
function adjusted(ctx: PacketContext, checksum: Instr, change: Change): Instr {
  const sum = op(ctx, 'add', op(ctx, 'xor', checksum, 0xffff), change)
  const once = op(ctx, 'add', op(ctx, 'and', sum, 0xffff), op(ctx, 'shru', sum, 16))
  const twice = op(ctx, 'and', op(ctx, 'add', once, op(ctx, 'shru', once, 16)), 0xffff)
  return op(ctx, 'xor', twice, 0xffff)
}

/** Updates the checksum at base + offset; with `optional`, UDP's rules for 0 hold. Returns what changed by that. */
function updateChecksum(
  ctx: PacketContext,
  base: Instr,
  offset: number,
  change: Change,
  optional: boolean,
): Change {
  const { builder } = ctx
  const old = loadRaw(ctx, base, offset, 2)
  let value = adjusted(ctx, old, change)
  if (optional) {
    value = builder.emit('select', [op(ctx, 'eq', value, 0), i32(ctx, 0xffff), value])
    value = builder.emit('select', [op(ctx, 'eq', old, 0), old, value])
  }
  return store(ctx, base, offset, 2, value)
}

/** Updates the checksum of the transport header behind an IP header whose address changed, if there is one. */
function updateTransport(
  ctx: PacketContext,
  ip: ViewValue,
  change: Change,
  changed: (c: Change) => void,
): void {
  const { builder } = ctx
  const protocol = transportProtocol(ctx, ip)
  const base = leafOf(ctx, ip, 'next')
  const isTcp = op(ctx, 'eq', protocol, ipProtocols.Tcp)
  const isUdp = op(ctx, 'eq', protocol, ipProtocols.Udp)
  let known = op(ctx, 'or', isTcp, isUdp)
  let offset = builder.emit('select', [isTcp, i32(ctx, 16), i32(ctx, 6)])
  let needed = builder.emit('select', [isTcp, i32(ctx, 20), i32(ctx, 8)])
  if (ip.protocol === 'ipv6') {
    const isIcmpv6 = op(ctx, 'eq', protocol, ipProtocols.Icmpv6)
    known = op(ctx, 'or', known, isIcmpv6)
    offset = builder.emit('select', [isIcmpv6, i32(ctx, 2), offset])
    needed = builder.emit('select', [isIcmpv6, i32(ctx, 8), needed])
  }
  const there = op(ctx, 'leu', op(ctx, 'add', base, needed), packetLength(ctx))
  when(ctx, all(ctx, known, ...firstFragment(ctx, ip), there), () => {
    const at = op(ctx, 'add', base, offset)
    const old = loadRaw(ctx, at, 0, 2)
    let value = adjusted(ctx, old, change)
    const zero = all(ctx, isUdp, op(ctx, 'eq', value, 0))
    value = builder.emit('select', [zero, i32(ctx, 0xffff), value])
    const none = all(ctx, isUdp, op(ctx, 'eq', old, 0))
    value = builder.emit('select', [none, old, value])
    changed(store(ctx, at, 0, 2, value))
  })
}
