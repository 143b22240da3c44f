// Shapes: how a run-time value is carried by SSA leaves, and what shape two values have in common.
//
// `spread` turns a value into the leaves of a shape (converting on the way), `gather` turns leaves back into a value.
// Promises: gather(shape, spread(value, shape)) means what value means after a store to a variable of that shape.

import type { Instr, Type } from '../../ir/types.js'
import type { ArrayDecl, TableDecl } from '../../state/declaration.js'
import { scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import { viewFromLeaves, viewLeaves } from '../views.js'
import { viewLeafTypes } from '../views-value.js'
import type { ViewName } from '../members.js'
import type { Lowering } from './lowering.js'
import { widest } from './integers.js'
import { toType } from './convert.js'
import { errorValue, undefinedValue, voidValue } from './value.js'
import type { Value } from './value.js'

export interface ScalarShape {
  readonly kind: 'scalar'
  readonly type: ScalarType
  readonly literal?: boolean
}
export interface RecordShape {
  readonly kind: 'record'
  readonly fields: readonly (readonly [string, Shape])[]
}
export type Shape =
  | ScalarShape
  | RecordShape
  | { readonly kind: 'optional'; readonly of: ScalarShape | RecordShape }
  | { readonly kind: 'view'; readonly protocol: ViewName }
  | { readonly kind: 'entry'; readonly object: TableDecl }
  | { readonly kind: 'element'; readonly object: ArrayDecl }
  | { readonly kind: 'undefined' | 'void' | 'error' }

/** The shape of a value, or undefined if it exists only during lowering. */
export function shapeOf(value: Value): Shape | undefined {
  switch (value.kind) {
    case 'constant':
      return value.type
        ? { kind: 'scalar', type: value.type }
        : { kind: 'scalar', type: literalType(value.sort, value.value), literal: true }
    case 'scalar':
      return { kind: 'scalar', type: value.type, ...(value.literal && { literal: true }) }
    case 'optional': {
      const of = shapeOf(value.value)
      return of?.kind === 'scalar' || of?.kind === 'record' ? { kind: 'optional', of } : undefined
    }
    case 'record': {
      const fields: [string, Shape][] = []
      for (const [name, field] of value.fields) {
        const shape = shapeOf(field)
        if (!shape) return undefined
        fields.push([name, shape])
      }
      return { kind: 'record', fields }
    }
    case 'view':
      return { kind: 'view', protocol: value.view.protocol }
    case 'entry':
      return { kind: 'entry', object: value.object }
    case 'element':
      return { kind: 'element', object: value.object }
    case 'undefined':
    case 'void':
    case 'error':
      return { kind: value.kind }
    default:
      return undefined
  }
}

/** The smallest type that holds a literal. */
function literalType(sort: string, value: bigint): ScalarType {
  if (sort === 'boolean') return scalars.bool
  if (sort === 'bigint') return value < 0n ? scalars.i64 : scalars.u64
  if (value < 0n) return scalars.i32
  return value < 0x100n ? scalars.u8 : value < 0x10000n ? scalars.u16 : scalars.u32
}

/** The shape a variable without annotation gets from its first value. */
export function variableShape(shape: Shape): Shape {
  if (shape.kind === 'scalar' && shape.literal && shape.type.sort === 'number')
    return { kind: 'scalar', type: shape.type.signed ? scalars.i32 : scalars.u32 }
  if (shape.kind === 'scalar' && shape.literal) return { kind: 'scalar', type: shape.type }
  if (shape.kind === 'optional') return { kind: 'optional', of: variableShape(shape.of) as ScalarShape }
  if (shape.kind === 'record')
    return { kind: 'record', fields: shape.fields.map(([n, s]) => [n, variableShape(s)] as const) }
  return shape
}

/** The shape of a value that is one or the other; undefined if there is none. */
export function join(a: Shape, b: Shape): Shape | undefined {
  if (a.kind === 'error' || b.kind === 'error') return { kind: 'error' }
  if (a.kind === 'scalar' && b.kind === 'scalar') return joinScalars(a, b)
  if (a.kind === 'record' && b.kind === 'record') return joinRecords(a, b)
  if (a.kind === 'view' && b.kind === 'view') return a.protocol === b.protocol ? a : undefined
  if (a.kind === 'entry' && b.kind === 'entry') return a.object === b.object ? a : undefined
  if (a.kind === 'element' && b.kind === 'element') return a.object === b.object ? a : undefined
  if (a.kind === b.kind)
    return a.kind === 'optional' && b.kind === 'optional' ? optional(join(a.of, b.of)) : a
  if (a.kind === 'undefined' || a.kind === 'void') return withUndefined(b)
  if (b.kind === 'undefined' || b.kind === 'void') return withUndefined(a)
  if (a.kind === 'optional') return optional(join(a.of, b))
  if (b.kind === 'optional') return optional(join(a, b.of))
  return undefined
}

function withUndefined(shape: Shape): Shape | undefined {
  if (shape.kind === 'scalar' || shape.kind === 'record') return { kind: 'optional', of: shape }
  return shape.kind === 'element' ? undefined : shape
}

const optional = (shape: Shape | undefined): Shape | undefined => shape && withUndefined(shape)

function joinScalars(a: ScalarShape, b: ScalarShape): Shape | undefined {
  if (a.type === b.type) return a.literal ? b : a
  if (a.type.sort !== b.type.sort) return undefined
  if (a.type.sort === 'boolean' || a.type.sort === 'opaque') return undefined
  if (a.literal && b.literal) return { kind: 'scalar', type: widest(a.type, b.type)!, literal: true }
  if (a.literal || b.literal) {
    const [literal, typed] = a.literal ? [a, b] : [b, a]
    const fits = literal.type.signed
      ? typed.type.signed
      : literal.type.bits <= typed.type.bits - (typed.type.signed ? 1 : 0)
    if (fits || typed.type.sort === 'bigint') return typed
    if (typed.type.signed || literal.type.signed) return { kind: 'scalar', type: scalars.i32 }
    return { kind: 'scalar', type: scalars.u32 }
  }
  const type = widest(a.type, b.type)
  return type && { kind: 'scalar', type }
}

function joinRecords(a: RecordShape, b: RecordShape): Shape | undefined {
  const fields: [string, Shape][] = []
  const other = new Map(b.fields)
  for (const [name, shape] of a.fields) {
    const match = other.get(name)
    const joined = match ? join(shape, match) : optional(shape)
    if (!joined) return undefined
    fields.push([name, joined])
    other.delete(name)
  }
  for (const [name, shape] of other) {
    const joined = optional(shape)
    if (!joined) return undefined
    fields.push([name, joined])
  }
  return { kind: 'record', fields }
}

/** Register types of the leaves of a shape, in order. */
export function leafTypes(shape: Shape): Type[] {
  switch (shape.kind) {
    case 'scalar':
      return [...shape.type.leaves]
    case 'record':
      return shape.fields.flatMap(([, s]) => leafTypes(s))
    case 'optional':
      return ['i1', ...leafTypes(shape.of)]
    case 'view':
      return viewLeafTypes(shape.protocol)
    case 'entry':
    case 'element':
      return ['i32']
    default:
      return []
  }
}

/** The leaves of `value` as a `shape`, converted as a store to a variable of that shape converts. */
export function spread(l: Lowering, value: Value, shape: Shape): Instr[] {
  const absent = (): Instr[] => leafTypes(shape).map(type => l.builder.const(type, 0))
  if (value.kind === 'error') l.lost()
  if (['undefined', 'void', 'never', 'error'].includes(value.kind)) return absent()
  switch (shape.kind) {
    case 'scalar': {
      const inner = value.kind === 'optional' ? value.value : value
      const scalar = toType(l, inner, shape.type)
      return scalar ? [...scalar.leaves] : absent()
    }
    case 'record': {
      const inner = value.kind === 'optional' ? value.value : value
      if (inner.kind !== 'record') return absent()
      return shape.fields.flatMap(([name, s]) => spread(l, inner.fields.get(name) ?? undefinedValue, s))
    }
    case 'optional': {
      const present = value.kind === 'optional' ? value.present : l.builder.const('i1', 1)
      return [present, ...spread(l, value.kind === 'optional' ? value.value : value, shape.of)]
    }
    case 'view':
      return value.kind === 'view' ? viewLeaves(value.view) : absent()
    case 'entry':
      return value.kind === 'entry' ? [value.slot] : absent()
    case 'element':
      return value.kind === 'element' ? [value.index] : absent()
    default:
      return []
  }
}

/** The value that leaves of this shape carry. */
export function gather(shape: Shape, leaves: readonly Instr[]): Value {
  switch (shape.kind) {
    case 'scalar':
      return { kind: 'scalar', type: shape.type, leaves, ...(shape.literal && { literal: true }) }
    case 'record': {
      let at = 0
      const take = (s: Shape): Value => {
        const n = leafTypes(s).length
        return gather(s, leaves.slice(at, (at += n)))
      }
      return { kind: 'record', fields: new Map(shape.fields.map(([name, s]) => [name, take(s)])) }
    }
    case 'optional': {
      const value = gather(shape.of, leaves.slice(1))
      return value.kind === 'scalar' || value.kind === 'record'
        ? { kind: 'optional', present: leaves[0], value }
        : errorValue
    }
    case 'view':
      return { kind: 'view', view: viewFromLeaves(shape.protocol, leaves) }
    case 'entry':
      return { kind: 'entry', object: shape.object, slot: leaves[0] }
    case 'element':
      return { kind: 'element', object: shape.object, index: leaves[0] }
    case 'undefined':
      return undefinedValue
    case 'void':
      return voidValue
    default:
      return errorValue
  }
}

/** The i1 that says whether a value is there; undefined if it always is. */
export function presence(l: Lowering, value: Value): Instr | undefined {
  if (value.kind === 'optional') return value.present
  if (value.kind === 'view') return value.view.present
  if (value.kind === 'entry') return l.builder.emit('ne', [value.slot, l.builder.const('i32', 0)])
  if (value.kind === 'undefined' || value.kind === 'void') return l.builder.const('i1', 0)
  return undefined
}
