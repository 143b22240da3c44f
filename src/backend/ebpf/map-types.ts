// The types of what a program keeps, in BTF: every state object with named fields, settings, counters, verdicts.
//
// With them `bpftool map dump` prints fields instead of bytes, and `bpftool btf dump … format c` writes the structures
// for a C program. What stands where comes from the layouts (state/layout.ts, target.ts); nothing is decided here.
// Keys are in the network's order (docs/state.md, fields), so their integers have the types be16, be32 and be64.

import type { FieldDecl } from '../../state/declaration.js'
import { headerBytes, scratchBytes, scratchOffset, slotsPerBucket } from '../../state/format.js'
import { devicesHeader, lpmHeader, poolHeader, tableHeader } from '../../state/format.js'
import type { FieldLayout, HashLayout, ObjectLayout } from '../../state/layout.js'
import type { Btf, Member, TypeId } from './btf.js'
import { typeName } from './btf.js'
import { runtime, runtimeBytes } from './target.js'

/** The type of a field in a key or in a value. */
export function fieldType(btf: Btf, { type, bytes }: FieldDecl, part: 'key' | 'value'): TypeId {
  if (type === 'bool') return btf.boolean()
  if (type === 'ipv6' || type === 'bytes') return btf.array(btf.unsigned(1), bytes)
  if (part === 'key' && bytes > 1) return btf.bigEndian(bytes)
  return type.startsWith('i') ? btf.signed(bytes) : btf.unsigned(bytes)
}

/** Fields as a structure of `size` bytes that begins where `start` is in the fields' own count. */
export function fieldsType(
  btf: Btf,
  name: string,
  fields: readonly FieldLayout[],
  part: 'key' | 'value',
  start: number,
  size: number,
): TypeId {
  const members = fields.map(f => ({ name: f.name, type: fieldType(btf, f, part), offset: f.offset - start }))
  return btf.struct(name, size, members)
}

/** The type of a state object or rule table: as many bytes as its layout says. */
export function objectType(btf: Btf, layout: ObjectLayout): TypeId {
  switch (layout.kind) {
    case 'table':
    case 'rules-hash':
      return tableType(btf, layout)
    case 'array': {
      const { name, value, length, stride, cell, size } = layout
      const element = partType(btf, `${name}_value`, value, 'value', layout.scalarValue, stride)
      const member = cell
        ? { name: 'value', type: element, offset: 0 }
        : { name: 'elements', type: btf.array(element, length), offset: 0 }
      return btf.struct(name, size, [member])
    }
    case 'pool': {
      const header = words(btf, poolHeader)
      const free = { name: 'free', type: btf.array(btf.unsigned(4), layout.count), offset: layout.ringOffset }
      return btf.struct(layout.name, layout.size, [...header, reserved(btf, 24), free])
    }
    case 'rules-lpm': {
      const { name, value, entriesOffset, capacity, stride, size } = layout
      const entry = partType(btf, `${name}_value`, value, 'value', layout.scalarValue, stride)
      const entries = { name: 'entries', type: btf.array(entry, capacity + 1), offset: entriesOffset }
      return btf.struct(name, size, [...words(btf, lpmHeader), reserved(btf, 20), entries])
    }
    case 'rules-devices': {
      const { name, value, entriesOffset, capacity, stride, size } = layout
      const present = { name: 'present', type: btf.unsigned(4), offset: 0 }
      const entry = btf.struct(`${name}_entry`, stride, [present, ...valueMembers(btf, layout, value)])
      const entries = { name: 'entries', type: btf.array(entry, capacity), offset: entriesOffset }
      return btf.struct(name, size, [...words(btf, devicesHeader), reserved(btf, 8), entries])
    }
  }
}

function tableType(btf: Btf, layout: HashLayout): TypeId {
  const { name, stride, bucketCount, bucketsOffset, keyOffset, keyBytes, key, scalarKey } = layout
  const u32 = btf.unsigned(4)
  const touched = [
    { name: 'touched_time', type: u32, offset: layout.touchedTimeOffset },
    { name: 'touched_sequence', type: u32, offset: layout.touchedSeqOffset },
  ]
  const entry = btf.struct(`${name}_entry`, stride, [
    { name: 'tag', type: u32, offset: 0 },
    ...touched.filter(t => t.offset >= 0),
    {
      name: 'key',
      type: scalarKey
        ? fieldType(btf, key[0], 'key')
        : fieldsType(btf, `${name}_key`, key, 'key', keyOffset, keyBytes),
      offset: keyOffset,
    },
    ...valueMembers(btf, layout, layout.value),
  ])
  const buckets = btf.array(btf.array(entry, slotsPerBucket), bucketCount)
  return btf.struct(name, layout.size, [
    ...words(btf, tableHeader),
    reserved(btf, 44),
    { name: 'scratch', type: btf.array(btf.unsigned(8), scratchBytes / 8), offset: scratchOffset },
    { name: 'buckets', type: buckets, offset: bucketsOffset },
  ])
}

/** The value of an entry, if it has one, as one member. */
function valueMembers(
  btf: Btf,
  { name, scalarValue }: { readonly name: string; readonly scalarValue: boolean },
  fields: readonly FieldLayout[],
): Member[] {
  if (fields.length === 0) return []
  const [{ offset }] = fields
  const last = fields[fields.length - 1]
  const size = last.offset + last.bytes - offset
  const type = scalarValue
    ? fieldType(btf, fields[0], 'value')
    : fieldsType(btf, `${name}_value`, fields, 'value', offset, size)
  return [{ name: 'value', type, offset }]
}

/** Fields from 0 on as an element of an array; a bare one is its own type if it fills the stride. */
function partType(
  btf: Btf,
  name: string,
  fields: readonly FieldLayout[],
  part: 'key' | 'value',
  scalar: boolean,
  stride: number,
): TypeId {
  if (scalar && fields[0].bytes === stride) return fieldType(btf, fields[0], part)
  return fieldsType(btf, name, fields, part, 0, stride)
}

/** Words of a header: u32 each, but a hash's seed. */
const words = (btf: Btf, header: Readonly<Record<string, number>>): Member[] =>
  Object.entries(header)
    .map(([name, offset]) => ({ name, type: btf.unsigned(name === 'seed' ? 8 : 4), offset }))
    .toSorted((a, b) => a.offset - b.offset)

const reserved = (btf: Btf, offset: number): Member => ({
  name: 'reserved',
  type: btf.array(btf.unsigned(4), (headerBytes - offset) / 4),
  offset,
})

/** Every rule table in one block of `bytes`, with the nodes of tries behind them. */
export function rulesType(btf: Btf, name: string, layouts: readonly ObjectLayout[], bytes: number): TypeId {
  const members = layouts.map(l => ({ name: l.name, type: objectType(btf, l), offset: l.offset }))
  const end = layouts.reduce((most, l) => Math.max(most, l.offset + l.size), 0)
  const nodes = { name: 'nodes', type: btf.array(btf.unsigned(4), (bytes - end) / 4), offset: end }
  return btf.struct(name, bytes, end < bytes ? [...members, nodes] : members)
}

/** Settings by name, 8 bytes each. */
export const settingsType = (btf: Btf, name: string, settings: readonly string[]): TypeId =>
  btf.struct(name, 8 * settings.length, settings.map(eight(btf)))

/** For each CPU u64 numbers by name, in `stride` bytes. */
export function perCpuType(
  btf: Btf,
  name: string,
  columns: readonly string[],
  stride: number,
  cpus: number,
): TypeId {
  const own = btf.struct(`${name}_of_cpu`, stride, columns.map(eight(btf)))
  return btf.struct(name, stride * cpus, [{ name: 'cpus', type: btf.array(own, cpus), offset: 0 }])
}

const eight =
  (btf: Btf) =>
  (name: string, k: number): Member => ({ name: typeName(name), type: btf.unsigned(8), offset: 8 * k })

/** What the runtime keeps (target.ts). */
export function runtimeType(btf: Btf, name: string): TypeId {
  const members = Object.entries(runtime)
    .map(([member, offset]) => ({ name: member, offset }))
    .toSorted((a, b) => a.offset - b.offset)
  return btf.struct(
    name,
    runtimeBytes,
    members.map((m, k) => ({
      name: m.name,
      type: btf.unsigned(k === members.length - 1 ? 4 : Math.min(8, members[k + 1].offset - m.offset)),
      offset: m.offset,
    })),
  )
}
