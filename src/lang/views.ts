// Emits IR for what programs do with packets: reading members, following views, raw reads, assignments. The language
// core asks memberInfo (members.ts) what a member is, and calls here to have it emitted at the builder's place.
//
// A view is a handful of IR values: whether it is there, where its header starts, and what its children need. Field
// loads are emitted unchecked where they are read: TypeScript's narrowing has the reader test `present` first, and
// `present` holds only if the bytes are in the packet. So a caller emits a read, a method call or an assignment only
// where the view's `present` is known to be 1. Nothing is kept between calls; a later pass merges repeated parses.
// Read members.ts first, then src/wire/ for the formats, then views-network.ts.

import type { Instr } from '../ir/types.js'
import { memberInfo } from './members.js'
import type { ViewName } from './members.js'
import type { TimeUnit } from './view-types.js'
import { frameView, innerTagView, networkView } from './views-network.js'
import { readClock, readField, readProperty, readRaw } from './views-read.js'
import { innerFrame, optionalWord, payloadView, transportView, vxlanView } from './views-transport.js'
import type { TransportName } from './views-transport.js'
import { leafOf } from './views-value.js'
import type { Member, PacketContext, ViewValue } from './views-value.js'
import { writeField, writeRaw } from './views-write.js'

export { viewLeafTypes } from './views-value.js'
export type { Member, PacketContext, ScalarMember, ScalarTypeName, ViewValue } from './views-value.js'

/** The view of the packet itself, or of the frame at `ctx.frame`; always present. Call it once, at the start. */
export const rootView = (ctx: PacketContext): ViewValue => frameView(ctx, 'packet', ctx.frame)

/** Reads a field, value or view member. The name is one that memberInfo knows, and no method. */
export function readMember(ctx: PacketContext, view: ViewValue, name: string): Member {
  const info = memberInfo(view.protocol, name)
  if (info?.kind === 'field') return readField(ctx, view, name, info.field)
  if (info?.kind === 'view') return { kind: 'view', view: childView(ctx, view, name, info.view) }
  if (info?.kind !== 'value') throw new Error(`a view of ${view.protocol} has no value ${name}`)
  if (view.protocol === 'ipv6')
    return { kind: 'scalar', type: info.type, value: [leafOf(ctx, view, 'protocol')] }
  if (view.protocol === 'gre') {
    const { present, value } = optionalWord(ctx, view, name)
    return { kind: 'scalar', type: info.type, value: [value], present }
  }
  return readProperty(ctx, view, name)
}

function childView(ctx: PacketContext, view: ViewValue, name: string, child: ViewName): ViewValue {
  if (view.protocol === 'packet' || view.protocol === 'inner') return networkView(ctx, view, name)
  if (child === 'vlan') return innerTagView(ctx, view)
  if (child === 'payload') return payloadView(ctx, view)
  if (child === 'vxlan') return vxlanView(ctx, view)
  if (child === 'inner') return innerFrame(ctx, view)
  return transportView(ctx, view, child as TransportName)
}

/** Bytes of the raw reads. */
const rawReads: { readonly [name: string]: { bytes: 1 | 2 | 4 | 8; type: 'u8' | 'u16' | 'u32' | 'u64' } } = {
  u8: { bytes: 1, type: 'u8' },
  u16: { bytes: 2, type: 'u16' },
  u32: { bytes: 4, type: 'u32' },
  u64: { bytes: 8, type: 'u64' },
}

/**
 * Calls a method. `args` are the operands as i32 values, constants included as `const` instructions; `constants` are
 * the same arguments where they are literals: `['ms', 32]` for time, `[offset or undefined, count]` for bytes. The
 * caller has checked that the unit is one of ns, us, ms and s, that 1 <= bits <= 32 and 1 <= count <= 64.
 */
export function callMethod(
  ctx: PacketContext,
  view: ViewValue,
  name: string,
  args: readonly Instr[],
  constants: readonly (number | string | undefined)[],
): Member {
  if (name === 'time') return readClock(ctx, constants[0] as TimeUnit, Number(constants[1]))
  if (name === 'bytes') return readRaw(ctx, view, args[0], Number(constants[1]), 'bytes')
  if (!Object.hasOwn(rawReads, name)) throw new Error(`views have no method ${name}`)
  return readRaw(ctx, view, args[0], rawReads[name].bytes, rawReads[name].type)
}

/**
 * Writes `count` bytes to a payload at `offset` (i32), from leaves as a read of as many bytes gives them. Returns an
 * i1: whether they all lie in the payload; if not, nothing is written.
 */
export const writeBytes = (
  ctx: PacketContext,
  view: ViewValue,
  offset: Instr,
  count: number,
  leaves: readonly Instr[],
): Instr => writeRaw(ctx, view, offset, count, leaves)

/** Assigns a writable field and updates the checksums that cover it. `leaves` are as readMember gives them. */
export function writeMember(
  ctx: PacketContext,
  view: ViewValue,
  name: string,
  leaves: readonly Instr[],
): void {
  const info = memberInfo(view.protocol, name)
  if (info?.kind !== 'field') throw new Error(`a view of ${view.protocol} has no field ${name}`)
  writeField(ctx, view, info.field, leaves)
}

/** A view as values that can flow through variables of the types viewLeafTypes gives; viewFromLeaves takes them back. */
export const viewLeaves = (view: ViewValue): Instr[] => [view.present, view.base, ...view.extra]

export const viewFromLeaves = (protocol: ViewName, leaves: readonly Instr[]): ViewValue => ({
  protocol,
  present: leaves[0],
  base: leaves[1],
  extra: leaves.slice(2),
})
