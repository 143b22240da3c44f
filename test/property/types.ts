/** The scalar types random programs use, by the name they are declared under. */

import type { FieldType } from '../../src/wire/field.js'
import type { Sort } from './tree.js'

export interface Scalar {
  /** As declared: `u8`, `ipv4`, `bytes(6)`. */
  readonly name: string
  /** As an annotation: `u8`, `Bytes<6>`. */
  readonly annotation: string
  readonly sort: Sort
  /** Significant bits; of an unsigned number, what TypeScript lets be stored without a conversion. */
  readonly bits: number
  /** It does not mix with other types: the conversion that makes a plain number of it. */
  readonly plainly?: string
}

const scalar = (name: string, sort: Sort, bits: number, more: Partial<Scalar> = {}): Scalar => ({
  name,
  annotation: name,
  sort,
  bits,
  ...more,
})

export const scalars = {
  u8: scalar('u8', 'unsigned', 8),
  u16: scalar('u16', 'unsigned', 16),
  u32: scalar('u32', 'unsigned', 32),
  i32: scalar('i32', 'signed', 32),
  u64: scalar('u64', 'wide', 64),
  i64: scalar('i64', 'signedWide', 64),
  bool: scalar('bool', 'bool', 1),
  ipv4: scalar('ipv4', 'unsigned', 32, { plainly: 'u32' }),
  port: scalar('port', 'unsigned', 16, { plainly: 'u16' }),
  mac: scalar('mac', 'wide', 48, { plainly: 'u64' }),
  ipv6: scalar('ipv6', 'opaque', 128),
  bytes6: scalar('bytes(6)', 'opaque', 48, { annotation: 'Bytes<6>' }),
  bytes11: scalar('bytes(11)', 'opaque', 88, { annotation: 'Bytes<11>' }),
  etherType: scalar('EtherType', 'unsigned', 16, { plainly: 'u16' }),
  protocol: scalar('IpProtocol', 'unsigned', 8, { plainly: 'u8' }),
} as const

/** Types of parameters and local variables. */
export const plain: readonly Scalar[] = [
  scalars.u8,
  scalars.u16,
  scalars.u32,
  scalars.u32,
  scalars.i32,
  scalars.u64,
  scalars.i64,
  scalars.bool,
]

/** Types of header fields, as programs convert them. */
export const ofField: Readonly<Record<FieldType, Scalar>> = {
  u8: scalars.u8,
  u16: scalars.u16,
  u32: scalars.u32,
  u64: scalars.u64,
  bool: scalars.bool,
  Ipv4Address: scalars.ipv4,
  Ipv6Address: scalars.ipv6,
  MacAddress: scalars.mac,
  Port: scalars.port,
  EtherType: scalars.etherType,
  IpProtocol: scalars.protocol,
}

/** Named scalar fields of a key or a value; a plain type is one field without a name. */
export interface Shape {
  readonly plain: boolean
  readonly fields: readonly { readonly name: string; readonly type: Scalar }[]
}

/** As a declaration writes it. */
export const declared = ({ plain, fields }: Shape): string =>
  plain ? fields[0].type.name : `{ ${fields.map(f => `${f.name}: ${f.type.name}`).join(', ')} }`
