// The scalar types of the language: how wide they are, how they are kept in registers, which integers they mix with.
//
// A scalar value is a list of SSA leaves: one i32 (up to 32 bits), one i64, one i1, or for ipv6 and bytes(n) the
// leaves that state/declaration.ts gives a field of that type. Addresses, ports and protocol numbers are host-order
// integers with names of their own: TypeScript keeps them apart, arithmetic treats them as u8, u16 or u32.

import type { Type } from '../ir/types.js'
import { leavesOf, sizeOf } from '../state/declaration.js'
import type { Display, FieldDecl, FieldType } from '../state/declaration.js'

export interface ScalarType {
  /** As the author writes it: u8, Ipv4Address, Bytes<6>. */
  readonly name: string
  /** How a state field of this type is stored. */
  readonly field: FieldType
  /** Significant bits of a value; 8 times the size for ipv6 and bytes. */
  readonly bits: number
  readonly signed: boolean
  /** What TypeScript sees: a number, a bigint, a boolean, or an opaque address. */
  readonly sort: 'number' | 'bigint' | 'boolean' | 'opaque'
  readonly leaves: readonly Type[]
  readonly display?: Display
}

const integer = (
  name: string,
  bits: number,
  field: FieldType,
  more: Partial<ScalarType> = {},
): ScalarType => ({
  name,
  field,
  bits,
  signed: false,
  sort: bits > 32 ? 'bigint' : 'number',
  leaves: [bits > 32 ? 'i64' : 'i32'],
  ...more,
})

/** Leaves of a field as register types. */
const typesOf = (field: FieldType, bytes: number): Type[] =>
  leavesOf({ name: '', type: field, bytes }).map(l => (l.width === 8 ? 'i64' : 'i32'))

const table = {
  u8: integer('u8', 8, 'u8'),
  u16: integer('u16', 16, 'u16'),
  u32: integer('u32', 32, 'u32'),
  i32: integer('i32', 32, 'i32', { signed: true }),
  u64: integer('u64', 64, 'u64'),
  i64: integer('i64', 64, 'i64', { signed: true }),
  bool: integer('bool', 1, 'bool', { sort: 'boolean', leaves: ['i1'] }),
  Ipv4Address: integer('Ipv4Address', 32, 'u32', { display: 'ipv4' }),
  Port: integer('Port', 16, 'u16', { display: 'port' }),
  EtherType: integer('EtherType', 16, 'u16', { display: 'hex' }),
  IpProtocol: integer('IpProtocol', 8, 'u8'),
  RouteOutcome: integer('RouteOutcome', 8, 'u8', { display: 'route' }),
  MacAddress: integer('MacAddress', 48, 'u64', { display: 'mac' }),
  Ipv6Address: integer('Ipv6Address', 128, 'ipv6', {
    sort: 'opaque',
    leaves: typesOf('ipv6', 16),
    display: 'ipv6',
  }),
  Verdict: integer('Verdict', 32, 'u32'),
} satisfies Record<string, ScalarType>

export type ScalarTypeName = keyof typeof table
export const scalars: Readonly<Record<ScalarTypeName, ScalarType>> = table

const byteTypes = new Map<number, ScalarType>()

/** The type Bytes<n>; the same object for the same n. */
export function bytesType(n: number): ScalarType {
  let type = byteTypes.get(n)
  if (!type) {
    const leaves = typesOf('bytes', n)
    type = integer(`Bytes<${n}>`, 8 * n, 'bytes', { sort: 'opaque', leaves, display: 'hex' })
    byteTypes.set(n, type)
  }
  return type
}

/** The type of this name, `Bytes<n>` included; undefined if there is none. */
export function scalarNamed(name: string): ScalarType | undefined {
  const bytes = /^Bytes<(\d+)>$/.exec(name)
  if (bytes) return bytesType(Number(bytes[1]))
  return Object.hasOwn(table, name) ? table[name as ScalarTypeName] : undefined
}

/** A state field of this type. */
export const fieldOf = (name: string, type: ScalarType): FieldDecl => ({
  name,
  type: type.field,
  bytes: sizeOf(type.field, type.bits / 8),
  ...(type.display && { display: type.display }),
})

const displayed: Readonly<Partial<Record<Display, ScalarType>>> = {
  ipv4: table.Ipv4Address,
  port: table.Port,
  mac: table.MacAddress,
  route: table.RouteOutcome,
}

/** The type that values of a state field have. */
export function typeOfField(field: FieldDecl): ScalarType {
  if (field.type === 'bytes') return bytesType(field.bytes)
  if (field.type === 'ipv6') return table.Ipv6Address
  return (field.display && displayed[field.display]) ?? table[field.type]
}
