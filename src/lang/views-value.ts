// What a view is while a program is being compiled, and the few IR idioms that its emitters share. Types first; the
// functions below only shorten `builder.emit`.

import type { FunctionBuilder, Variable } from '../ir/builder.js'
import type { Attrs, Instr, Type } from '../ir/types.js'
import type { FieldType } from '../wire/field.js'
import type { ViewName } from './members.js'

/** Where code goes and which packet it is about. */
export interface PacketContext {
  readonly builder: FunctionBuilder
  /** Type mem: the packet's current version. Assignments write it. */
  readonly memory: Variable
  /** i32: offset of the frame's first byte; 0 for a packet as received. */
  readonly frame: Instr
}

/** A view while it is being compiled. */
export interface ViewValue {
  readonly protocol: ViewName
  /** i1: the view exists. */
  readonly present: Instr
  /** i32: offset of the header's first byte; meaningful where present. */
  readonly base: Instr
  /** What its children need, in the order `extraLeaves` gives. */
  readonly extra: readonly Instr[]
}

/** The type of a scalar member; i32 and i64 never come from a packet. */
export type ScalarTypeName = FieldType | 'bytes'

/** A value read from a packet. */
export interface ScalarMember {
  readonly kind: 'scalar'
  readonly type: ScalarTypeName
  /** Length, if the type is `bytes`. */
  readonly bytes?: number
  /** Leaves as docs/state.md has them: one for an integer (i32, i64) or bool (i1), several for Ipv6Address and bytes. */
  readonly value: readonly Instr[]
  /** i1, if the value can be undefined; the leaves are 0 where it is. */
  readonly present?: Instr
}

/** What reading a member gives. */
export type Member = ScalarMember | { readonly kind: 'view'; readonly view: ViewValue }

/**
 * The further values of each view, by name. `type` is the EtherType behind a frame's tags as it stands in the packet
 * (0 if cut off), `network` where what it names starts; `next` is where the payload starts, `end` where it ends by the
 * lengths in the headers and in the packet; `protocol` is what stands at `next`; `outermost` is 1 on a first VLAN tag;
 * `outer` is the start of the UDP header that carries the frame in VXLAN, or 0.
 */
export const extraLeaves = {
  packet: ['type', 'network'],
  inner: ['type', 'network', 'end', 'outer'],
  payload: ['end'],
  ethernet: ['outer'],
  vlan: ['outermost', 'outer'],
  arp: ['outer'],
  ipv4: ['next', 'outer'],
  ipv6: ['next', 'protocol', 'outer'],
  tcp: ['end', 'outer'],
  udp: ['end', 'outer'],
  sctp: ['end', 'outer'],
  icmp: ['end', 'outer'],
  icmpv6: ['end', 'outer'],
  gre: ['end', 'outer'],
  vxlan: ['end', 'outer'],
} as const satisfies { readonly [name in ViewName]: readonly string[] }

type LeafName = (typeof extraLeaves)[ViewName][number]

/** One of a view's further values; a view that has none of that name is our bug, `outer` of a packet apart. */
export function leafOf(ctx: PacketContext, view: ViewValue, name: LeafName): Instr {
  const at = (extraLeaves[view.protocol] as readonly LeafName[]).indexOf(name)
  if (at >= 0) return view.extra[at]
  if (name === 'outer') return i32(ctx, 0)
  throw new Error(`a view of ${view.protocol} has no ${name}`)
}

/** IR types of a view's leaves, in the order of viewLeaves. */
export const viewLeafTypes = (protocol: ViewName): Type[] => [
  'i1',
  'i32',
  ...extraLeaves[protocol].map((leaf): Type => (leaf === 'outermost' ? 'i1' : 'i32')),
]

/** The constant, if the value is one. */
export const constantOf = (i: Instr): bigint | undefined =>
  i.op === 'const' && typeof i.attrs.value === 'bigint' ? i.attrs.value : undefined

/** Gives a value the name under which listings and the metadata report show it. */
export function named(i: Instr, name: string): Instr {
  if (i.op !== 'const') i.name = name
  return i
}

export const i32 = ({ builder }: PacketContext, value: number | bigint): Instr => builder.const('i32', value)

/** A binary operation whose second operand may be a number, of the first one's type. */
export function op(ctx: PacketContext, name: string, a: Instr, b: Instr | number | bigint): Instr {
  const right = typeof b === 'object' ? b : ctx.builder.const(a.type, b)
  return ctx.builder.emit(name, [a, right])
}

/** a + n, without an instruction where that is a constant or a itself. */
export function plus(ctx: PacketContext, a: Instr, n: number): Instr {
  const known = constantOf(a)
  if (known !== undefined) return i32(ctx, known + BigInt(n))
  return n === 0 ? a : op(ctx, 'add', a, n)
}

/** The conjunction of some truth values. */
export const all = (ctx: PacketContext, ...conditions: Instr[]): Instr =>
  conditions.reduce((a, b) => op(ctx, 'and', a, b))

/** Bytes of the packet that are present. */
export const packetLength = ({ builder }: PacketContext): Instr =>
  named(builder.emit('input', [], { name: 'length' }, 'i32'), 'packet.length')

/** True if the packet has `bytes` bytes from `base` on. */
export const reaches = (ctx: PacketContext, base: Instr, bytes: number): Instr =>
  op(ctx, 'leu', plus(ctx, base, bytes), packetLength(ctx))

/** Reads `width` bytes at base + offset as they stand (little-endian); the caller has proved them present. */
export function loadRaw(ctx: PacketContext, base: Instr, offset: number, width: 1 | 2 | 4 | 8): Instr {
  const attrs: Attrs = { width, offset, checked: false }
  const memory = ctx.builder.read(ctx.memory)
  return ctx.builder.emit('load', [memory, base], attrs, width === 8 ? 'i64' : 'i32')
}

/** Writes the low `width` bytes of `value`, as they stand, at base + offset. */
export function storeRaw(ctx: PacketContext, base: Instr, offset: number, width: number, value: Instr): void {
  const memory = ctx.builder.read(ctx.memory)
  ctx.builder.write(ctx.memory, ctx.builder.emit('store', [memory, base, value], { width, offset }))
}

/** Between network and host order, for a value of `width` bytes. */
export const swapped = (ctx: PacketContext, value: Instr, width: number): Instr =>
  width === 1 ? value : ctx.builder.emit(`bswap${width * 8}`, [value])

/** The number a 16-bit network-order constant has when loaded as it stands. */
export const raw16 = (value: number): number => ((value & 0xff) << 8) | (value >> 8)

/** Runs `then` where the condition holds, and comes back; what it writes to variables is merged. */
export function when(ctx: PacketContext, condition: Instr, then: () => void): void {
  const { builder } = ctx
  const body = builder.block()
  const after = builder.block()
  builder.branch(condition, body, after)
  builder.seal(body)
  builder.at(body)
  then()
  builder.jump(after)
  builder.seal(after)
  builder.at(after)
}
