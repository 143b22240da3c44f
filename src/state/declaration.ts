// Declarations of state objects: plain data that the front end produces and every later stage reads.
//
// A program declares tables, arrays (a cell is an array of one), pools and rule tables. Tables, arrays and pools are
// replicated state: each worker has its own copy in a state block. Rule tables are read-only to programs and stand
// in a rules block that all workers share. Where each byte stands is layout.ts's business; read that next.
// The normative text is docs/state.md.

/** A field's type. Integers are two's complement; `bool` is one byte, 0 or 1; `ipv6` is 16 bytes, `bytes` n bytes. */
export type FieldType = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'i64' | 'bool' | 'ipv6' | 'bytes'

/** How dumps print a field and how rule files spell it; the value itself is what the type says. */
export type Display = 'ipv4' | 'ipv6' | 'port' | 'hex' | 'mac' | 'text' | 'device' | 'route'

export interface FieldDecl {
  readonly name: string
  readonly type: FieldType
  /** Size in bytes: 1, 2, 4, 8 as the type says, 16 for ipv6, n for bytes. */
  readonly bytes: number
  readonly display?: Display
}

/** The clock an expiring table counts in: 32 bits of the packet's timestamp divided by the unit; it wraps. */
export type TimeUnit = 'ns' | 'us' | 'ms' | 's'

export interface TableDecl {
  readonly kind: 'table'
  readonly name: string
  readonly key: readonly FieldDecl[]
  /** May be empty: a set of keys. */
  readonly value: readonly FieldDecl[]
  /** Entries that fit, 1 or more. */
  readonly capacity: number
  readonly evict: 'none' | 'oldest'
  /** An entry reads as absent `after` units after it was last touched; 1 <= after <= maxExpiry. */
  readonly expire?: { readonly after: number; readonly unit: TimeUnit }
  /** When an entry leaves, for any reason, this value field (an unsigned integer) is given back to the pool. */
  readonly release?: { readonly pool: string; readonly field: string }
  /** The author wrote a plain type, not an object: dumps print the one field bare. */
  readonly scalarKey: boolean
  readonly scalarValue: boolean
}

export interface ArrayDecl {
  readonly kind: 'array'
  readonly name: string
  readonly value: readonly FieldDecl[]
  /** Elements, 1 or more. */
  readonly length: number
  readonly scalarValue: boolean
  /** Declared as a cell: length is 1 and dumps print the element bare. */
  readonly cell?: boolean
}

export interface PoolDecl {
  readonly kind: 'pool'
  readonly name: string
  /** First and last number, both included; 0 <= first <= last <= 0xFFFFFFFE. */
  readonly first: number
  readonly last: number
}

/**
 * A rule table that is a map of the kernel's own there, so that anybody may change it while packets flow; `sockets`
 * leads to AF_XDP sockets. In user space nothing is different.
 */
export type KernelMapKind = 'hash' | 'lpm' | 'devices' | 'sockets'

export interface RulesDecl {
  readonly kind: 'rules'
  readonly name: string
  /** Exact match, longest prefix, or a u32 index into a table of devices. */
  readonly rules: 'hash' | 'lpm' | 'devices'
  /** What it is in the kernel, if not a part of the rules block (kernel-map.ts). */
  readonly map?: KernelMapKind
  /** Stands for the kernel's routes of this family of IP, which programs ask there instead (routes.ts). */
  readonly fib?: 4 | 6
  readonly key: readonly FieldDecl[]
  readonly value: readonly FieldDecl[]
  readonly capacity: number
  readonly scalarKey: boolean
  readonly scalarValue: boolean
}

/** What one worker's state block holds. */
export type ReplicatedObject = TableDecl | ArrayDecl | PoolDecl
export type StateObject = ReplicatedObject | RulesDecl

/** The largest `expire.after`: what remains of a 32-bit clock when its last 2^28 ticks mean "in the future". */
export const maxExpiry = 0xefffffff

/** Nanoseconds in one tick of a table's clock. */
export const nanosecondsIn: Readonly<Record<TimeUnit, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 }

const sizes: Readonly<Record<Exclude<FieldType, 'bytes'>, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
  bool: 1,
  ipv6: 16,
}

/** Size in bytes of a field of this type; for `bytes` it is n, which must be given. */
export const sizeOf = (type: FieldType, n = 0): number => (type === 'bytes' ? n : sizes[type])

/** Alignment of a field in a value struct: integers their size, ipv6 4 (as C's in6_addr), bytes 1. */
export function alignmentOf(field: FieldDecl): number {
  if (field.type === 'ipv6') return 4
  return field.type === 'bytes' ? 1 : field.bytes
}

/** True for the types whose value is one integer. */
export const isInteger = (type: FieldType): boolean => type !== 'ipv6' && type !== 'bytes'

/** One piece of a field that fits a register: `width` (1, 2, 4 or 8) bytes at `offset` in the field. */
export interface Leaf {
  readonly part: number
  readonly offset: number
  readonly width: 1 | 2 | 4 | 8
}

/**
 * A field as register-sized leaves. An integer is one leaf, its value. ipv6 and bytes are split into 8-byte leaves
 * from the front and a rest of 4, 2 and 1; the value of such a leaf is the big-endian reading of its bytes, in keys
 * and in values alike.
 */
export function leavesOf(field: FieldDecl): Leaf[] {
  const leaves: Leaf[] = []
  let offset = 0
  for (const width of [8, 4, 2, 1] as const)
    while (field.bytes - offset >= width) {
      leaves.push({ part: leaves.length, offset, width })
      offset += width
    }
  return leaves
}
