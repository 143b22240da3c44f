// Emits IR for what programs do with packets: reading fields, following views, raw reads, assignments. The language
// core asks memberInfo (members.ts) what a member is, and calls here to have it emitted at the builder's place.
//
// A view is a handful of IR values: whether it is there, where its header starts, and what its children need. Field
// loads are emitted unchecked where they are read: TypeScript's narrowing has the reader test `present` first, and
// `present` holds only if the bytes are in the packet. So a caller must emit a read only where `present` is known to
// be 1. Nothing is kept between calls; repeated parses are merged by a later pass.
// Read members.ts first, then src/wire/ for the formats.

import type { FunctionBuilder, Variable } from '../ir/builder.js'
import type { Instr } from '../ir/types.js'
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
  /** What its children need, in an order fixed by the protocol. */
  readonly extra: readonly Instr[]
}

/** The type of a scalar member; i32 and i64 never come from a packet. */
export type ScalarTypeName = FieldType | 'bytes'

/** What reading a member gives. */
export type Member =
  | {
      readonly kind: 'scalar'
      readonly type: ScalarTypeName
      /** Length, if the type is `bytes`. */
      readonly bytes?: number
      /** Leaves as docs/state.md has them: one for an integer or bool, several for Ipv6Address and bytes. */
      readonly value: readonly Instr[]
      /** i1, if the value can be undefined; the leaves are 0 where it is. */
      readonly present?: Instr
    }
  | { readonly kind: 'view'; readonly view: ViewValue }

/** The view of the packet itself, or of the frame at `ctx.frame`. Always present. */
export declare function rootView(ctx: PacketContext): ViewValue
/** Reads a field, value or view member. The name must be one that memberInfo knows and no method. */
export declare function readMember(ctx: PacketContext, view: ViewValue, name: string): Member
/**
 * Calls a method. `args` are the i32 operands in order, constants included as `const` instructions: the offset for
 * raw reads. `constants` are the literal arguments: `['ms', 32]` for time, `[offset?, count]` for bytes.
 */
export declare function callMethod(
  ctx: PacketContext,
  view: ViewValue,
  name: string,
  args: readonly Instr[],
  constants: readonly (number | string | undefined)[],
): Member
/** Assigns a writable field and updates the checksums that cover it. `leaves` are as readMember gives them. */
export declare function writeMember(
  ctx: PacketContext,
  view: ViewValue,
  name: string,
  leaves: readonly Instr[],
): void
/** A view as values that can flow through variables; viewFromLeaves takes them back. */
export declare function viewLeaves(view: ViewValue): Instr[]
export declare function viewFromLeaves(protocol: ViewName, leaves: readonly Instr[]): ViewValue
