// Emits reads: header fields from their table rows, computed values, bounded raw reads, and the packet's clock.
//
// A field becomes one raw load of the narrowest unit that covers it, a byte swap, a shift and a mask, of which only
// the needed ones are emitted. The unit never reaches beyond the header's fixed bytes, so the view's presence proves
// it. Raw reads test their bounds against the view's end and load only behind the test.

import type { Instr } from '../ir/types.js'
import { leavesOf } from '../state/declaration.js'
import type { Field, Protocol } from '../wire/field.js'
import { viewTypes } from './members.js'
import type { TimeUnit } from './view-types.js'
import { all, constantOf, i32, leafOf, loadRaw, named, op, packetLength, swapped } from './views-value.js'
import { when } from './views-value.js'
import type { Member, PacketContext, ScalarMember, ViewValue } from './views-value.js'

/** The bytes a field is read and written by, and where the field's value stands in their big-endian reading. */
export interface Unit {
  readonly offset: number
  readonly width: 1 | 2 | 4 | 8
  /** Bits to the right of the field. */
  readonly shift: number
  /** The field fills the unit. */
  readonly whole: boolean
}

/** The narrowest unit that covers a field of at most 64 bits, aligned in the header where that is possible. */
export function unitOf(protocol: Protocol, { bit, bits }: Pick<Field, 'bit' | 'bits'>): Unit {
  const first = Math.floor(bit / 8)
  const end = Math.ceil((bit + bits) / 8)
  for (const width of [1, 2, 4, 8] as const)
    for (const offset of [first - (first % width), first, end - width]) {
      const covers = offset >= 0 && offset <= first && offset + width >= end
      if (!covers || offset + width > protocol.headerBytes) continue
      return { offset, width, shift: (offset + width) * 8 - bit - bits, whole: bits === width * 8 }
    }
  throw new Error(`${protocol.name}: no load covers bits ${bit} to ${bit + bits - 1}`)
}

/** The name of a unit's load: the field that fills it, or else the one that asks for it. */
function unitName(protocol: Protocol, unit: Unit, asking: string): string {
  const bit = unit.offset * 8
  const whole = Object.entries(protocol.fields).find(([, f]) => f.bit === bit && f.bits === unit.width * 8)
  return `${protocol.name}.${whole ? whole[0] : asking}`
}

/** Reads the header field `name`. */
export function readField(ctx: PacketContext, view: ViewValue, name: string, field: Field): ScalarMember {
  const protocol = viewTypes[view.protocol].protocol
  if (!protocol) throw new Error(`a view of ${view.protocol} has no fields`)
  const label = `${protocol.name}.${name}`
  if (field.type === 'Ipv6Address') {
    const halves = [0, 8].map(half => {
      const raw = named(loadRaw(ctx, view.base, field.bit / 8 + half, 8), label)
      return named(swapped(ctx, raw, 8), label)
    })
    return { kind: 'scalar', type: field.type, value: halves }
  }
  const unit = unitOf(protocol, field)
  const raw = named(loadRaw(ctx, view.base, unit.offset, unit.width), unitName(protocol, unit, name))
  let value = swapped(ctx, raw, unit.width)
  if (field.type === 'bool') {
    const bit = op(ctx, 'and', value, 1n << BigInt(unit.shift))
    return { kind: 'scalar', type: 'bool', value: [named(op(ctx, 'ne', bit, 0), label)] }
  }
  if (unit.shift > 0) value = op(ctx, 'shru', value, unit.shift)
  const above = unit.width * 8 - unit.shift - field.bits
  if (above > 0) value = op(ctx, 'and', value, (1n << BigInt(field.bits)) - 1n)
  if (value !== raw) named(value, label)
  return { kind: 'scalar', type: field.type, value: [value] }
}

/** A computed value of `packet`, an inner frame or a payload. */
export function readProperty(ctx: PacketContext, view: ViewValue, name: string): ScalarMember {
  const { builder } = ctx
  if (name === 'length' && view.protocol !== 'packet') {
    const length = op(ctx, 'sub', leafOf(ctx, view, 'end'), view.base)
    return { kind: 'scalar', type: 'u32', value: [named(length, `${view.protocol}.length`)] }
  }
  if (name === 'length') return { kind: 'scalar', type: 'u32', value: [packetLength(ctx)] }
  const wide = name === 'timestamp' || name === 'sequence'
  const value = builder.emit('input', [], { name }, wide ? 'i64' : 'i32')
  return { kind: 'scalar', type: wide ? 'u64' : 'u32', value: [named(value, `packet.${name}`)] }
}

const nanoseconds: { readonly [unit in TimeUnit]: bigint } = {
  ns: 1n,
  us: 1000n,
  ms: 1000_000n,
  s: 1000_000_000n,
}

/** The packet's clock in whole units, modulo 2^bits; 1 <= bits <= 32. */
export function readClock(ctx: PacketContext, unit: TimeUnit, bits: number): ScalarMember {
  let time = readProperty(
    ctx,
    { protocol: 'packet', present: ctx.frame, base: ctx.frame, extra: [] },
    'timestamp',
  ).value[0]
  if (unit !== 'ns') time = op(ctx, 'divu', time, nanoseconds[unit])
  let value = ctx.builder.emit('trunc', [time])
  if (bits < 32) value = op(ctx, 'and', value, 2 ** bits - 1)
  const type = bits <= 8 ? 'u8' : bits <= 16 ? 'u16' : 'u32'
  return { kind: 'scalar', type, value: [named(value, `packet.time.${unit}`)] }
}

/** No packet is larger (large receive offload gives up to 512 KiB); beyond it a read is absent without a test. */
const largestOffset = 0xff_ffff

/** Bytes a raw read may reach, from the view's start: to the payload's or inner frame's end, else to the packet's. */
function reach(ctx: PacketContext, view: ViewValue): Instr {
  const own = view.protocol === 'payload' || view.protocol === 'inner'
  const end = own ? leafOf(ctx, view, 'end') : packetLength(ctx)
  return constantOf(view.base) === 0n ? end : op(ctx, 'sub', end, view.base)
}

/** Whether `count` bytes at `offset` (i32) from the view's start can be read; a constant where that is known. */
export function rawBounds(ctx: PacketContext, view: ViewValue, offset: Instr, count: number): Instr {
  const fixed = constantOf(offset)
  if (fixed !== undefined && fixed > largestOffset) return ctx.builder.const('i1', 0)
  const bytes = reach(ctx, view)
  const enough = op(ctx, 'leu', i32(ctx, count + Number(fixed ?? 0)), bytes)
  // Written so that no offset, however large, overflows.
  return fixed === undefined ? all(ctx, enough, op(ctx, 'leu', offset, op(ctx, 'sub', bytes, count))) : enough
}

/** Reads `count` bytes at `offset` (i32) from the view's start as leaves of a field of that size. */
export function readRaw(
  ctx: PacketContext,
  view: ViewValue,
  offset: Instr,
  count: number,
  type: ScalarMember['type'],
): Member {
  const { builder } = ctx
  const fixed = constantOf(offset)
  const leaves = leavesOf({ name: '', type: 'bytes', bytes: count })
  const label = fixed === undefined ? `${view.protocol}[…]` : `${view.protocol}[${fixed}]`
  const variables = leaves.map(({ width }) => builder.variable(width === 8 ? 'i64' : 'i32', label))
  for (const v of variables) builder.write(v, builder.const(v.type, 0))
  const done = (present: Instr): Member => ({
    kind: 'scalar',
    type,
    ...(type === 'bytes' && { bytes: count }),
    value: variables.map(v => builder.read(v)),
    present,
  })
  const present = rawBounds(ctx, view, offset, count)
  if (constantOf(present) === 0n) return done(present)
  when(ctx, present, () => {
    const base = fixed === undefined ? op(ctx, 'add', view.base, offset) : view.base
    leaves.forEach((leaf, k) => {
      const raw = named(loadRaw(ctx, base, Number(fixed ?? 0) + leaf.offset, leaf.width), label)
      builder.write(variables[k], named(swapped(ctx, raw, leaf.width), label))
    })
  })
  return done(present)
}
