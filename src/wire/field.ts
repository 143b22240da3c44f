// What a protocol's field table says. Everything that reads or writes a header follows from these rows: the plain
// views of this folder, the loads and stores the compiler emits, and the documented types that programs see.
//
// Bits count from the first bit on the wire: bit 0 is the most significant bit of byte 0, as RFCs draw it. Values are
// in host order. Read ethernet.ts next: every protocol file has its order.

/** The type of a field's value, under the name programs use. MacAddress has 48 bits, Ipv6Address 128. */
export type FieldType =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'bool'
  | 'Ipv4Address'
  | 'Ipv6Address'
  | 'MacAddress'
  | 'Port'
  | 'EtherType'
  | 'IpProtocol'

/**
 * Which checksum changes with a field: `header` the one in the same header; `transport` the one of the transport
 * header it stands in; `pseudo` those of the TCP, UDP or ICMPv6 header behind it, by way of the pseudo-header.
 */
export type Cover = 'header' | 'transport' | 'pseudo'

export interface Field {
  /** One sentence with unit and source; it becomes the doc comment that editors show. */
  readonly doc: string
  /** Position of the first bit, from the header's first bit. */
  readonly bit: number
  /** Width: 1 for bool, at most 8, 16, 32, 64 for integers, 32, 48 and 128 for addresses. */
  readonly bits: number
  readonly type: FieldType
  /** Programs may assign it. Fields that decide where later headers stand are never writable. */
  readonly writable?: boolean
  readonly covered?: readonly Cover[]
}

/** A header's name, size and fields, as one table. */
export interface Protocol {
  /** Lower-case name; also the member under which programs reach the view. */
  readonly name: string
  /** Name of the interface programs see. */
  readonly view: string
  /** One sentence; the interface's doc comment. */
  readonly doc: string
  /** Where the format is defined. */
  readonly source: string
  /** Bytes that are always there; a view exists only where these lie in the packet. */
  readonly headerBytes: number
  readonly fields: { readonly [name: string]: Field }
}
