// The scalar types of programs. Type-only: nothing here exists at run time.
//
// Integers are `number` (or `bigint` for 64 bits) with an optional mark, so a literal or the result of arithmetic
// fits any of them, but a variable declared wider does not silently become narrower, and i32 and u32 do not mix.
// Ports, addresses, EtherTypes and IP protocols carry a second mark and do not mix with each other. Values are in
// host order; byte order is the compiler's business. docs/language.md has the rules of arithmetic.

declare const fits: unique symbol
declare const kind: unique symbol

/** Unsigned, 8 bits: 0 to 255. Stores truncate. */
export type u8 = number & { readonly [fits]?: 'u8' }
/** Unsigned, 16 bits: 0 to 65535. Stores truncate. */
export type u16 = number & { readonly [fits]?: 'u8' | 'u16' }
/** Unsigned, 32 bits: 0 to 4294967295. Stores truncate. */
export type u32 = number & { readonly [fits]?: 'u8' | 'u16' | 'u32' }
/** Signed, 32 bits, two's complement. Not mixed with u32 without a conversion. */
export type i32 = number & { readonly [fits]?: 'u8' | 'u16' | 'i32' }
/** Unsigned, 64 bits; a bigint, written `0n`. */
export type u64 = bigint & { readonly [fits]?: 'u64' }
/** Signed, 64 bits, two's complement; a bigint. */
export type i64 = bigint & { readonly [fits]?: 'i64' }
/** A truth value; one byte in state. */
export type bool = boolean

/** A TCP, UDP or SCTP port, in host order. */
export type Port = u16 & { readonly [kind]?: 'Port' }
/** What an Ethernet frame carries, in host order; see the constants of the same name. */
export type EtherType = u16 & { readonly [kind]?: 'EtherType' }
/** What an IP packet carries; see the constants of the same name. */
export type IpProtocol = u8 & { readonly [kind]?: 'IpProtocol' }
/** What came of asking for a route, as the constants of `Route`. */
export type RouteOutcome = u8 & { readonly [kind]?: 'RouteOutcome' }
/** An IPv4 address as a number: 10.0.0.1 is 0x0A000001. */
export type Ipv4Address = u32 & { readonly [kind]?: 'Ipv4Address' }
/** A MAC address as a 48-bit number: 02:00:00:00:00:01 is 0x020000000001n. */
export type MacAddress = u64 & { readonly [kind]?: 'MacAddress' }

/** An IPv6 address, 16 bytes; can be compared, stored and used as a key. */
export interface Ipv6Address {
  readonly [kind]: 'Ipv6Address'
}
/** A string of `N` bytes; can be compared, stored and used as a key. */
export interface Bytes<N extends number = number> {
  readonly [kind]: 'Bytes'
  readonly [fits]: N
}

/** A constant of kind `K`, never equal to a value of another kind: comparing the two is a type error. */
export type Known<T, K extends string> = T & { readonly [kind]: K }

/** What becomes of a packet; made from `Verdict.*` or `redirect(device)`, never from a number. */
export type Verdict = number & { readonly [kind]: 'Verdict' }

/** A span of time in a declaration, from `seconds(30)` and its like; not a number. */
export interface Duration {
  readonly [kind]: 'Duration'
}

/** Every type a state field, parameter or key can have. */
export type Scalar = number | bigint | boolean | Ipv6Address | Bytes

/** A scalar type as a value, for declarations: `key: u32`. `T` is the type its values have. */
export interface ScalarType<T extends Scalar = Scalar> {
  readonly [kind]: 'ScalarType'
  readonly [fits]: T
}
