// The types of declared state: how keys and values follow from a declaration, and what can be done with a table, an
// array, a pool, a rule table, a counter. Type-only. The algorithms and the byte layout are src/state/'s business.

import type {
  Duration,
  MacAddress,
  RouteOutcome,
  Scalar,
  ScalarType,
  u16,
  u32,
  u8,
  Verdict,
} from './scalars.js'
import type { TimeUnit } from './view-types.js'

/** Named fields, in the order in which they are stored. */
export interface StructType {
  readonly [field: string]: ScalarType
}
/** What a key or a value is declared as: `u32`, or `{ source: ipv4, port: port }`. */
export type KeyType = ScalarType | StructType

/** The TypeScript type of a declared key. */
export type KeyOf<K extends KeyType> =
  K extends ScalarType<infer T>
    ? T
    : { readonly [F in keyof K]: K[F] extends ScalarType<infer T> ? T : never }
/** The TypeScript type of a declared value. */
export type ValueOf<V extends KeyType> =
  V extends ScalarType<infer T>
    ? T
    : { -readonly [F in keyof V]: V[F] extends ScalarType<infer T> ? T : never }

/** A copy of a value, as of the moment it was read. */
export type Snapshot<V> = [V] extends [Scalar] ? V : { readonly [F in keyof V]: V[F] }
/** A stored value that is changed in place; of a scalar type, its one field is `value`. */
export type Entry<V> = [V] extends [Scalar] ? { value: V } : V

/** A table as declared. */
export interface TableOptions<K extends KeyType, V extends KeyType> {
  readonly key: K
  readonly value: V
  /** Entries that really fit; 1 or more. */
  readonly capacity: number
  /** What a full table does with a new key: refuse it (`none`, the default) or give up an old entry. */
  readonly evict?: 'none' | 'oldest'
  /** An entry not refreshed for this long, by packet time, is absent. The clock has 32 bits; its unit is ms. */
  readonly expire?: { readonly after: Duration; readonly unit?: TimeUnit }
  /** When an entry leaves for any reason, the number in this value field goes back to the pool. */
  readonly release?: { readonly pool: Pool; readonly field: keyof V & string }
}

/** A hash table. */
export interface Table<K, V> {
  /** A copy of the value under a key, or undefined. Does not refresh the entry. */
  get(key: K): Snapshot<V> | undefined
  /** True if there is an entry. Does not refresh it. */
  has(key: K): boolean
  /** Stores a value and refreshes the entry; false if the table is full and refuses it. */
  set(key: K, value: V): boolean
  /**
   * The entry under a key, refreshed, to change in place: inserted with `initial` (or zeros) if absent. Undefined if
   * the table is full and refuses it. Valid until the next set, upsert or delete on the same table.
   */
  upsert(key: K, initial?: V): Entry<V> | undefined
  /** Removes an entry; false if there was none. */
  delete(key: K): boolean
}

/** A fixed number of elements. */
export interface StateArray<V> {
  /** A copy of element `index`; zeros beyond the end. */
  get(index: number): Snapshot<V>
  /** Stores element `index`; ignored beyond the end. */
  set(index: number, value: V): void
  /** Element `index`, to change in place. */
  at(index: number): Entry<V>
}

/** One value. */
export interface Cell<V> {
  /** A copy of the value. */
  get(): Snapshot<V>
  /** Stores the value. */
  set(value: V): void
}

/** Free numbers, handed out first in, first out. */
export interface Pool {
  /** The number that has been free longest, or undefined if none is free. */
  take(): u32 | undefined
  /** Puts a number back. */
  give(value: number): void
}

/** A read-only table filled from outside. */
export interface Rules<K, V> {
  /** A copy of the matching rule's value, or undefined. */
  lookup(key: K): Snapshot<V> | undefined
}

/** What packets can be sent to, by number; filled from outside. */
export interface Targets {
  /**
   * The verdict that sends the packet to what is behind a number, or `missing` (Drop, Pass or Transmit) if there is
   * nothing.
   */
  redirect(index: number, missing: Verdict): Verdict
}

/** Devices by number, filled from outside. */
export interface Devices extends Targets {
  /** The device behind a number, for `redirect`, or undefined. */
  lookup(index: number): u32 | undefined
}

/** What is asked of the routes. */
export interface RouteQuery<A> {
  readonly destination: A
  /** Where it comes from: policy rules may look at it. */
  readonly source: A
  /** Bytes of the packet from its IP header on, 1 or more, to be compared with the route's MTU. */
  readonly length: number
  /** Policy rules may look at it too. */
  readonly dscp: u8
}

/** What the routes answer; all but `outcome` is 0 where there is no next hop. */
export interface Hop {
  /** One of `Route`. */
  readonly outcome: RouteOutcome
  /** For `redirect`. */
  readonly device: u32
  /** The device's own hardware address. */
  readonly source: MacAddress
  /** The next hop's. */
  readonly nextHop: MacAddress
  /** The longest packet that the route takes; 0 if it was not asked. */
  readonly mtu: u16
}

/** The routes of one family of IP. */
export interface Fib<A> {
  /** Where a packet goes from here. */
  lookup(query: RouteQuery<A>): Hop
}

/** A counter of events. */
export interface Counter {
  /** Adds to the count: 1, or `count`. */
  add(count?: number | bigint): void
}
