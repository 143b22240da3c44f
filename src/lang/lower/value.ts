// What an expression evaluates to while a program is lowered, and how such values become SSA leaves.
//
// Scalars, records, optionals, views and entries exist at run time: they have a shape, and a shape says how many
// leaves of which types carry a value through variables and phis. Constants stay symbolic until an instruction needs
// them. Everything else (types, functions, state objects, namespaces) exists only during lowering.

import type { Instr, Setting } from '../../ir/types.js'
import type { ArrayDecl, StateObject, TableDecl } from '../../state/declaration.js'
import type { ScalarType } from '../types.js'
import type { Ts } from '../typescript.js'
import type { ViewValue } from '../views.js'

export type Sort = 'number' | 'bigint' | 'boolean'

/** A value known now. Without a type it is a plain literal and takes the type of what it meets. */
export interface Constant {
  readonly kind: 'constant'
  readonly sort: Sort
  readonly value: bigint
  readonly type?: ScalarType
}

export interface Scalar {
  readonly kind: 'scalar'
  readonly type: ScalarType
  readonly leaves: readonly Instr[]
  /** A choice between literals: takes the type of what it meets, as a literal does. */
  readonly literal?: boolean
}

export interface Optional {
  readonly kind: 'optional'
  readonly present: Instr
  readonly value: Scalar | RecordValue
}

export interface RecordValue {
  readonly kind: 'record'
  readonly fields: ReadonlyMap<string, Value>
}

export interface View {
  readonly kind: 'view'
  readonly view: ViewValue
}

/** A table entry mutated in place: the slot is 0 where there is none. */
export interface Entry {
  readonly kind: 'entry'
  readonly object: TableDecl
  readonly slot: Instr
}

/** An array element mutated in place. */
export interface Element {
  readonly kind: 'element'
  readonly object: ArrayDecl
  readonly index: Instr
}

export interface Text {
  readonly kind: 'text'
  readonly text: string
}

/** A literal array: constants, or texts in declarations. */
export interface List {
  readonly kind: 'list'
  readonly items: readonly Value[]
}

export type Static =
  | Text
  | List
  | { readonly kind: 'type'; readonly type: ScalarType }
  | { readonly kind: 'duration'; readonly nanoseconds: bigint }
  | { readonly kind: 'state'; readonly object: StateObject }
  | { readonly kind: 'setting'; readonly setting: Setting; readonly type: ScalarType }
  | { readonly kind: 'counter'; readonly name: string }
  | { readonly kind: 'function'; readonly node: Ts.FunctionDeclaration; readonly name: string }
  | { readonly kind: 'builtin'; readonly name: string }
  | { readonly kind: 'members'; readonly name: string; readonly members: ReadonlyMap<string, Constant> }
  | { readonly kind: 'method'; readonly receiver: Value; readonly name: string }

export type Value =
  | Constant
  | Scalar
  | Optional
  | RecordValue
  | View
  | Entry
  | Element
  | Static
  | { readonly kind: 'undefined' }
  | { readonly kind: 'void' }
  /** Control cannot get here. */
  | { readonly kind: 'never' }
  /** Something was reported already; whatever touches it stays silent. */
  | { readonly kind: 'error' }

export const undefinedValue: Value = { kind: 'undefined' }
export const voidValue: Value = { kind: 'void' }
export const errorValue: Value = { kind: 'error' }

export const constant = (sort: Sort, value: bigint, type?: ScalarType): Constant => ({
  kind: 'constant',
  sort,
  value,
  ...(type && { type }),
})
export const scalar = (type: ScalarType, ...leaves: Instr[]): Scalar => ({ kind: 'scalar', type, leaves })
export const record = (fields: Iterable<readonly [string, Value]>): RecordValue => ({
  kind: 'record',
  fields: new Map(fields),
})

/** A value that TypeScript has proved to be there, without its undefined. */
export const bare = (value: Value): Value => (value.kind === 'optional' ? value.value : value)
