// Where every byte of every state object stands: the layout all backends share (normative text: docs/state.md).
//
// `layoutState` places the replicated objects of a program one after the other in a state block, `layoutRules` the
// rule tables in a rules block. The result is plain data with a number for every offset, so that a compiler backend
// needs no arithmetic of its own. Offsets inside an object count from the object's first byte; an object's `offset`
// counts from the block's. Everything is little-endian except keys, which are big-endian and packed.
// Promises: pure; never throws; a declaration that cannot be laid out comes back as an error value with its sum.

import { alignmentOf } from './declaration.js'
import type { FieldDecl, ReplicatedObject, RulesDecl, TimeUnit } from './declaration.js'
import { addressSpace, bucketCountFor, headerBytes, roundUp, scratchBytes, scratchOffset } from './format.js'
import { slotsPerBucket } from './format.js'
import { firstProblem } from './soundness.js'

/** A field and where it stands, from the first byte of the entry (table, rules) or of the element (array). */
export interface FieldLayout extends FieldDecl {
  readonly offset: number
}

interface Placed {
  readonly name: string
  /** Of the object in its block; a multiple of 64. */
  readonly offset: number
  /** Bytes of the object, a multiple of 64. */
  readonly size: number
}

/** A hash table: replicated state, or rules of kind hash (which never expire or evict). */
export interface HashLayout extends Placed {
  readonly kind: 'table' | 'rules-hash'
  readonly capacity: number
  readonly bucketCount: number
  /** Of bucket 0 in the object; a multiple of 64. */
  readonly bucketsOffset: number
  /** Bytes of an entry; slot s of bucket b is at bucketsOffset + (4 b + s) stride. */
  readonly stride: number
  /** Of these parts in an entry. The tag is at 0; touchedTime and touchedSeq are -1 where the table has none. */
  readonly touchedTimeOffset: number
  readonly touchedSeqOffset: number
  readonly keyOffset: number
  /** Bytes the key fields fill; the key area is padded with zeros to keyAreaBytes, a multiple of 4. */
  readonly keyBytes: number
  readonly keyAreaBytes: number
  readonly key: readonly FieldLayout[]
  readonly value: readonly FieldLayout[]
  readonly evict: 'none' | 'oldest'
  readonly expire?: { readonly after: number; readonly unit: TimeUnit }
  readonly release?: { readonly pool: string; readonly field: FieldLayout }
  readonly scalarKey: boolean
  readonly scalarValue: boolean
}

export interface ArrayLayout extends Placed {
  readonly kind: 'array'
  readonly length: number
  /** Element i is at i stride; there is no header. */
  readonly stride: number
  readonly value: readonly FieldLayout[]
  readonly scalarValue: boolean
  readonly cell: boolean
}

export interface PoolLayout extends Placed {
  readonly kind: 'pool'
  readonly first: number
  readonly last: number
  /** Numbers in the pool, last - first + 1. */
  readonly count: number
  /** Of the ring of u32 in the object. */
  readonly ringOffset: number
  /** Tables that expire and give numbers back to this pool, in declaration order; see docs/state.md, "take". */
  readonly releasedBy: readonly string[]
}

/** Longest-prefix match; the trie's nodes stand behind all objects of the rules block, their number being data. */
export interface LpmLayout extends Placed {
  readonly kind: 'rules-lpm'
  readonly capacity: number
  /** Key fields with offsets from the start of the packed key; only the last one may have a prefix length. */
  readonly key: readonly FieldLayout[]
  readonly keyBytes: number
  /** Entry i (1..capacity; 0 is unused) is at entriesOffset + i stride. */
  readonly entriesOffset: number
  readonly stride: number
  readonly value: readonly FieldLayout[]
  readonly scalarKey: boolean
  readonly scalarValue: boolean
}

/** Entries by index; entry i is at entriesOffset + i stride and begins with a u32 that is 1 where it is present. */
export interface DevicesLayout extends Placed {
  readonly kind: 'rules-devices'
  readonly capacity: number
  readonly key: readonly FieldLayout[]
  readonly entriesOffset: number
  readonly stride: number
  readonly value: readonly FieldLayout[]
  readonly scalarKey: boolean
  readonly scalarValue: boolean
}

export type StateObjectLayout = (HashLayout & { readonly kind: 'table' }) | ArrayLayout | PoolLayout
export type RulesObjectLayout = (HashLayout & { readonly kind: 'rules-hash' }) | LpmLayout | DevicesLayout
export type ObjectLayout = StateObjectLayout | RulesObjectLayout

export interface StateLayout {
  readonly objects: readonly StateObjectLayout[]
  /** Bytes of a state block, a multiple of 64. */
  readonly size: number
}

export interface RulesLayout {
  readonly objects: readonly RulesObjectLayout[]
  /** Bytes before the first trie node; the whole block is this plus the nodes. */
  readonly size: number
}

/** Why a layout was refused. */
export interface LayoutError {
  readonly reason: 'too-large' | 'bad-declaration'
  /** One sentence for a person, with the sum if the reason is size. */
  readonly message: string
  readonly object?: string
  /** Bytes needed and allowed, and what each object takes, if the reason is size. */
  readonly bytes?: number
  readonly limit?: number
  readonly parts?: readonly { readonly name: string; readonly bytes: number }[]
}

export type Result<T> =
  { readonly ok: true; readonly layout: T } | { readonly ok: false; readonly error: LayoutError }

/** Lays out a program's replicated objects, in the order given. `limit` is in bytes. */
export function layoutState(
  objects: readonly ReplicatedObject[],
  limit: number = addressSpace,
): Result<StateLayout> {
  const problem = firstProblem(objects)
  if (problem) return { ok: false, error: problem }
  let offset = 0
  const placed = objects.map(object => {
    const layout = layoutObject(object, offset, objects)
    offset += layout.size
    return layout
  })
  return within(limit, 'state', placed, { objects: placed, size: offset })
}

/** Lays out a program's rule tables, in the order given, without the trie nodes that follow them. */
export function layoutRules(
  objects: readonly RulesDecl[],
  limit: number = addressSpace,
): Result<RulesLayout> {
  const problem = firstProblem(objects)
  if (problem) return { ok: false, error: problem }
  let offset = 0
  const placed = objects.map(object => {
    const layout = layoutRulesObject(object, offset)
    offset += layout.size
    return layout
  })
  return within(limit, 'rule tables', placed, { objects: placed, size: offset })
}

/** The object of that name; throws if there is none, which is our bug. */
export function objectIn<T extends { readonly name: string }>(
  layout: { readonly objects: readonly T[] },
  name: string,
): T {
  const found = layout.objects.find(object => object.name === name)
  if (!found) throw new Error(`no state object ${name} in this layout`)
  return found
}

/** Offset of entry `slot` of bucket `bucket` in the table. */
export const entryOffset = (table: HashLayout, bucket: number, slot: number): number =>
  table.bucketsOffset + (bucket * slotsPerBucket + slot) * table.stride

function within<T extends { readonly size: number }>(
  limit: number,
  what: string,
  placed: readonly Placed[],
  layout: T,
): Result<T> {
  if (layout.size <= limit) return { ok: true, layout }
  const parts = placed.map(({ name, size }) => ({ name, bytes: size }))
  const sum = parts.map(part => `${part.name} ${part.bytes}`).join(' + ')
  const message = `${what} needs ${sum} = ${layout.size} bytes; the limit is ${limit}`
  return { ok: false, error: { reason: 'too-large', message, bytes: layout.size, limit, parts } }
}

function layoutObject(
  object: ReplicatedObject,
  offset: number,
  all: readonly ReplicatedObject[],
): StateObjectLayout {
  if (object.kind === 'table') {
    const { expire, evict } = object
    const hash = layoutHash(object, offset, expire !== undefined, evict === 'oldest')
    const field = hash.value.find(f => f.name === object.release?.field)
    return {
      kind: 'table',
      ...hash,
      evict,
      ...(expire && { expire }),
      ...(object.release && field && { release: { pool: object.release.pool, field } }),
    }
  }
  if (object.kind === 'array') {
    const struct = layoutStruct(object.value, 0)
    const stride = roundUp(struct.end, struct.alignment)
    const { name, length, scalarValue, cell = false } = object
    const size = roundUp(length * stride, 64)
    return { kind: 'array', name, offset, size, length, stride, value: struct.fields, scalarValue, cell }
  }
  const { name, first, last } = object
  const count = last - first + 1
  const releasedBy = all
    .filter(o => o.kind === 'table' && o.expire !== undefined && o.release?.pool === name)
    .map(o => o.name)
  const size = roundUp(headerBytes + 4 * count, 64)
  return { kind: 'pool', name, offset, size, first, last, count, ringOffset: headerBytes, releasedBy }
}

function layoutRulesObject(object: RulesDecl, offset: number): RulesObjectLayout {
  if (object.rules === 'hash')
    return { kind: 'rules-hash', ...layoutHash(object, offset, false, false), evict: 'none' }
  const { name, capacity, scalarKey, scalarValue } = object
  const key = packKey(object.key, 0)
  const entriesOffset = headerBytes
  const common = { name, offset, capacity, key, entriesOffset, scalarKey, scalarValue }
  if (object.rules === 'lpm') {
    const { fields: value, end, alignment } = layoutStruct(object.value, 0)
    const stride = roundUp(Math.max(end, 4), Math.max(alignment, 4))
    const size = roundUp(entriesOffset + (capacity + 1) * stride, 64)
    return { kind: 'rules-lpm', ...common, size, keyBytes: bytesOf(key), stride, value }
  }
  const { fields: value, end, alignment } = layoutStruct(object.value, 4)
  const stride = roundUp(end, Math.max(alignment, 4))
  return {
    kind: 'rules-devices',
    ...common,
    size: roundUp(entriesOffset + capacity * stride, 64),
    stride,
    value,
  }
}

function layoutHash(
  { name, capacity, key, value, scalarKey, scalarValue }: Omit<RulesDecl, 'kind' | 'rules'>,
  offset: number,
  expires: boolean,
  evicts: boolean,
) {
  const touchedTimeOffset = expires ? 4 : -1
  const touchedSeqOffset = evicts ? (expires ? 8 : 4) : -1
  const keyOffset = 4 + (expires ? 4 : 0) + (evicts ? 4 : 0)
  const keyBytes = bytesOf(key)
  const keyAreaBytes = roundUp(keyBytes, 4)
  const struct = layoutStruct(value, keyOffset + keyAreaBytes)
  const stride = Math.max(16, roundUp(struct.end, 8))
  const bucketCount = bucketCountFor(capacity)
  const bucketsOffset = roundUp(scratchOffset + scratchBytes, 64)
  const size = roundUp(bucketsOffset + bucketCount * slotsPerBucket * stride, 64)
  return {
    name,
    offset,
    size,
    capacity,
    bucketCount,
    bucketsOffset,
    stride,
    touchedTimeOffset,
    touchedSeqOffset,
    keyOffset,
    keyBytes,
    keyAreaBytes,
    key: packKey(key, keyOffset),
    value: struct.fields,
    scalarKey,
    scalarValue,
  }
}

const bytesOf = (fields: readonly FieldDecl[]): number => fields.reduce((sum, f) => sum + f.bytes, 0)

/** Key fields one behind the other, without padding. */
export function packKey(fields: readonly FieldDecl[], start: number): FieldLayout[] {
  let offset = start
  return fields.map(field => {
    const placed = { ...field, offset }
    offset += field.bytes
    return placed
  })
}

/** Value fields in declared order, each at the next multiple of its alignment. */
export function layoutStruct(fields: readonly FieldDecl[], start: number) {
  let end = start
  let alignment = 1
  const placed = fields.map((field): FieldLayout => {
    const own = alignmentOf(field)
    alignment = Math.max(alignment, own)
    const offset = roundUp(end, own)
    end = offset + field.bytes
    return { ...field, offset }
  })
  return { fields: placed, end, alignment }
}
