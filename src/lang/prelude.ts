// What `import … from 'hairpin'` gives programs: declarations of state, constants and conversions, with the types
// that editors show. Programs are compiled, never run as JavaScript, so calling anything here throws an error that
// says what to do instead; only the constants (EtherType, IpProtocol) are what they seem.
//
// Promises: a program that type-checks under `tsc --strict` against this module gets no type error from hairpin for
// the same construct. Read scalars.ts for the integer types, view-types.ts for packets, docs/language.md for rules.

import { etherTypes } from '../wire/ethernet.js'
import { routeOutcomes } from '../state/routes.js'
import { ipProtocols } from '../wire/ipv4.js'
import type * as scalar from './scalars.js'
import type { Bytes, Duration, Ipv6Address, Known, Scalar, ScalarType } from './scalars.js'
import type {
  Devices,
  Fib,
  KeyOf,
  KeyType,
  Pool,
  Rules,
  StateArray,
  Cell,
  Table,
  Counter,
} from './state-types.js'
import type { TableOptions, Targets, ValueOf } from './state-types.js'

export type { Bytes, Duration, Ipv6Address, Scalar, ScalarType } from './scalars.js'
export type { Ipv4Address, MacAddress, Port } from './scalars.js'
export type * from './state-types.js'
export type * from './view-types.js'

/** The type of an IPv4 address, under the name of its declaration. */
export type ipv4 = scalar.Ipv4Address
/** The type of an IPv6 address, under the name of its declaration. */
export type ipv6 = scalar.Ipv6Address
/** The type of a MAC address, under the name of its declaration. */
export type mac = scalar.MacAddress
/** The type of a port, under the name of its declaration. */
export type port = scalar.Port

/** Thrown by everything here that only has a meaning in a compiled program. */
export class NotCompiledError extends Error {
  constructor(what: string) {
    super(
      `${what} has no meaning in plain JavaScript: hairpin programs are compiled, not imported. ` +
        `Run one with: hairpin run PROGRAM.ts --in CAPTURE.pcap`,
    )
    this.name = 'NotCompiledError'
  }
}

const absent = (what: string) => (): never => {
  throw new NotCompiledError(what)
}

/** A type as a value, for declarations, and a conversion: `u8(x)` keeps the low 8 bits. */
export interface Conversion<T extends Scalar> extends ScalarType<T> {
  (value: number | bigint | boolean): T
}
/** As Conversion; a constant text in the usual notation is accepted as well. */
export interface AddressConversion<T extends Scalar> extends Conversion<T> {
  (text: string): T
}

const conversion = (name: string): never => absent(`${name}()`) as unknown as never

/** Unsigned, 8 bits: 0 to 255. Stores truncate. */
export type u8 = scalar.u8
/** Unsigned 8 bits; `u8(x)` keeps the low 8 bits. */
export const u8: Conversion<scalar.u8> = conversion('u8')
/** Unsigned, 16 bits: 0 to 65535. Stores truncate. */
export type u16 = scalar.u16
/** Unsigned 16 bits; `u16(x)` keeps the low 16 bits. */
export const u16: Conversion<scalar.u16> = conversion('u16')
/** Unsigned, 32 bits: 0 to 4294967295. Stores truncate. */
export type u32 = scalar.u32
/** Unsigned 32 bits; `u32(x)` keeps the low 32 bits. */
export const u32: Conversion<scalar.u32> = conversion('u32')
/** Signed, 32 bits, two's complement. Not mixed with u32 without a conversion. */
export type i32 = scalar.i32
/** Signed 32 bits; `i32(x)` reads the low 32 bits as two's complement. */
export const i32: Conversion<scalar.i32> = conversion('i32')
/** Unsigned, 64 bits; a bigint, written `0n`. */
export type u64 = scalar.u64
/** Unsigned 64 bits; `u64(x)` widens a number. */
export const u64: Conversion<scalar.u64> = conversion('u64')
/** Signed, 64 bits, two's complement; a bigint. */
export type i64 = scalar.i64
/** Signed 64 bits; `i64(x)` widens a number, with its sign if it is an i32. */
export const i64: Conversion<scalar.i64> = conversion('i64')
/** A truth value; one byte in state. */
export type bool = scalar.bool
/** A truth value; `bool(x)` is x !== 0. */
export const bool: Conversion<scalar.bool> = conversion('bool')
/** An IPv4 address: `ipv4('10.0.0.1')`, or a u32 in host order. */
export const ipv4: AddressConversion<scalar.Ipv4Address> = conversion('ipv4')
/** A TCP, UDP or SCTP port. */
export const port: Conversion<scalar.Port> = conversion('port')
/** A MAC address: `mac('02:00:00:00:00:01')`, or a u64 of which 48 bits count. */
export const mac: AddressConversion<scalar.MacAddress> = conversion('mac')
/** An IPv6 address: `ipv6('2001:db8::1')`. */
export const ipv6: ScalarType<Ipv6Address> & ((text: string) => Ipv6Address) = conversion('ipv6')
/** The type of a string of `count` bytes, 1 to 64, for declarations: `key: bytes(16)`. */
export const bytes: <N extends number>(count: N) => ScalarType<Bytes<N>> = absent('bytes()')

/** What an Ethernet frame carries (IEEE registry). Comparing one with an IP protocol is a type error. */
export type EtherType = scalar.EtherType
type EtherTypes = { readonly [name in keyof typeof etherTypes]: Known<scalar.EtherType, 'EtherType'> }
/** EtherTypes by name; `EtherType(x)` converts a number. */
export const EtherType = Object.assign(absent('EtherType()'), etherTypes) as unknown as EtherTypes &
  Conversion<scalar.EtherType>

/** What an IP packet carries (IANA registry). Comparing one with an EtherType is a type error. */
export type IpProtocol = scalar.IpProtocol
type IpProtocols = { readonly [name in keyof typeof ipProtocols]: Known<scalar.IpProtocol, 'IpProtocol'> }
/** IP protocols by name; `IpProtocol(x)` converts a number. */
export const IpProtocol = Object.assign(absent('IpProtocol()'), ipProtocols) as unknown as IpProtocols &
  Conversion<scalar.IpProtocol>

/** What came of asking for a route. */
export type RouteOutcome = scalar.RouteOutcome
type RouteOutcomes = {
  readonly [name in keyof typeof routeOutcomes]: Known<scalar.RouteOutcome, 'RouteOutcome'>
}
/** What came of asking for a route: `hop.outcome === Route.Found`. */
export const Route = routeOutcomes as unknown as RouteOutcomes

/** What becomes of a packet. */
export type Verdict = scalar.Verdict
/** What becomes of a packet; `redirect(device)` is the fourth possibility. */
export const Verdict: {
  /** Discard it. */
  readonly Drop: Verdict
  /** Hand it to the kernel's network stack. */
  readonly Pass: Verdict
  /** Send it back out of the device it came in by. */
  readonly Transmit: Verdict
} = { Drop: 1 as Verdict, Pass: 2 as Verdict, Transmit: 3 as Verdict }
/** Send the packet out of another device, by its number. */
export const redirect: (device: number) => Verdict = absent('redirect()')

/**
 * A hash table of up to `capacity` entries:
 * `table({ key: { source: ipv4, port: port }, value: { bytes: u64 }, capacity: 65_536, evict: 'oldest' })`.
 * Key and value are a scalar type or an object of named scalar types.
 */
export const table: <K extends KeyType, V extends KeyType>(
  options: TableOptions<K, V>,
) => Table<KeyOf<K>, ValueOf<V>> = absent('table()')

/** `length` elements, all zero at first. An index out of range reads zeros and ignores writes. */
export const array: <V extends KeyType>(type: V, length: number) => StateArray<ValueOf<V>> = absent('array()')

/** One value, zero at first. */
export const cell: <V extends KeyType>(type: V) => Cell<ValueOf<V>> = absent('cell()')

/** The numbers `first` to `last`, both included, handed out in turn; the longest-free one comes next. */
export const pool: (first: number, last: number) => Pool = absent('pool()')

/**
 * A read-only table with exact match, filled from outside: `--table name=file.csv`. With `map: 'hash'` it is a hash map
 * of this name in the kernel, whose rules others may change while packets flow (docs/state.md, 6.4).
 */
export const rules: <K extends KeyType, V extends KeyType>(options: {
  readonly key: K
  readonly value: V
  readonly capacity: number
  readonly map?: 'hash'
}) => Rules<KeyOf<K>, ValueOf<V>> = absent('rules()')

/** A read-only table with longest-prefix match on the last key field, filled from outside; `map: 'lpm'` as for rules. */
export const lpm: <K extends KeyType, V extends KeyType>(options: {
  readonly key: K
  readonly value: V
  readonly capacity: number
  readonly map?: 'lpm'
}) => Rules<KeyOf<K>, ValueOf<V>> = absent('lpm()')

/** A read-only table of devices by number, filled from outside; with `map: 'devices'` a DEVMAP in the kernel. */
export const devices: (options: { readonly capacity: number; readonly map?: 'devices' }) => Devices =
  absent('devices()')

/**
 * AF_XDP sockets by number: `const xsks_map = sockets({ capacity: 64 })`, an XSKMAP of that name in the kernel. In user
 * space, where there are no sockets, it is a table of devices.
 */
export const sockets: (options: { readonly capacity: number }) => Targets = absent('sockets()')

/**
 * Routes and neighbours: in the kernel its own, asked with bpf_fib_lookup (`ip route`, `ip neigh`; a licence of the GPL is
 * wanted, docs/state.md, 6.5). In user space a longest-prefix table filled from outside, of `capacity` routes.
 */
export const fib: <A extends scalar.Ipv4Address | Ipv6Address>(options: {
  readonly family: ScalarType<A>
  readonly capacity: number
}) => Fib<A> = absent('fib()')

/** A number or truth value set when the program starts: `--set name=value`, named by its const. */
export const parameter: <T extends ScalarType>(
  type: T,
  initial: ValueOf<T>,
  description?: string,
) => ValueOf<T> = absent('parameter()')

/** Counts events per worker; the sum is reported. It is no state: it cannot be read back and is never replayed. */
export const counter: (description?: string) => Counter = absent('counter()')

/**
 * A number that depends only on the run's seed, the packet's sequence number and the place of the call: any u32, or
 * with `below` one of 0 to below - 1.
 */
export const random: (below?: number) => scalar.u32 = absent('random()')

/** For `expire: { after: seconds(30) }`. */
export const seconds: (count: number) => Duration = absent('seconds()')
/** For `expire: { after: minutes(5) }`. */
export const minutes: (count: number) => Duration = absent('minutes()')
/** For `expire: { after: milliseconds(500) }`. */
export const milliseconds: (count: number) => Duration = absent('milliseconds()')
/** For `expire: { after: microseconds(500), unit: 'us' }`. */
export const microseconds: (count: number) => Duration = absent('microseconds()')
