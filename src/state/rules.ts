// The rules block: rule tables filled from rows, and their look-ups.
//
// `buildRules` makes the whole block as bytes at offset 0; all offsets in it are relative, so it can be copied to any
// multiple of 64. Rows come from rules-file.ts, or from anywhere else. Promises: never throws on rows; equal rows make
// equal bytes.

import { addressSpace, devicesHeader, lpmHeader, lpmNodeBytes } from './format.js'
import { writeField } from './field.js'
import type { FieldValue } from './field.js'
import type { DevicesLayout, FieldLayout, LpmLayout, RulesLayout, RulesObjectLayout } from './layout.js'
import { objectIn } from './layout.js'
import { buildTrie, lookupLpm } from './lpm.js'
import type { Prefix } from './lpm.js'
import { load32, stateMemory, store32 } from './memory.js'
import type { StateMemory } from './memory.js'
import { Table, clearTable } from './table.js'

/** One rule: values of the key's and the value's fields, in declared order. */
export interface RuleRow {
  readonly key: readonly FieldValue[]
  /** Bits of the last key field that count, in longest-prefix tables; all of them if absent. */
  readonly prefix?: number
  readonly value: readonly FieldValue[]
  /** Where the rule stands in its file, for messages. */
  readonly line?: number
}

/** Rows by the name of their table; a table without rows is empty. */
export type RuleRows = Readonly<Record<string, readonly RuleRow[]>>

export type RulesResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly message: string; readonly table: string; readonly line?: number }

/** The bytes of a rules block, trie nodes included. `seed` is the hash's. */
export function buildRules(layout: RulesLayout, rows: RuleRows, seed = 0n): RulesResult {
  const tries = new Map<string, Uint32Array>()
  let size = layout.size
  for (const object of layout.objects) {
    const own = rows[object.name] ?? []
    if (own.length > object.capacity) {
      const message = `${own.length} rules do not fit the capacity ${object.capacity}`
      return { ok: false, message, table: object.name, line: own[object.capacity].line }
    }
    if (object.kind !== 'rules-lpm') continue
    const prefixes = prefixesOf(object, own)
    const again = repeated(prefixes)
    if (again) {
      const { line } = own[again.entry - 1]
      return { ok: false, message: 'this prefix is there twice', table: object.name, line }
    }
    const trie = buildTrie(prefixes)
    tries.set(object.name, trie)
    size += trie.byteLength
    if (size > addressSpace) {
      const message = `the rule tables with ${own.length} prefixes need ${size} bytes; the limit is ${addressSpace}`
      return { ok: false, message, table: object.name }
    }
  }
  const memory = stateMemory(new ArrayBuffer(size))
  let nodes = layout.size
  for (const object of layout.objects) {
    const own = rows[object.name] ?? []
    const refused =
      object.kind === 'rules-hash'
        ? fillHash(memory, object, own, seed)
        : object.kind === 'rules-devices'
          ? fillDevices(memory, object, own)
          : undefined
    if (refused) return { ok: false, message: refused.message, table: object.name, line: refused.row.line }
    if (object.kind !== 'rules-lpm') continue
    const trie = tries.get(object.name)!
    fillLpm(memory, object, own, nodes, trie)
    nodes += trie.byteLength
  }
  return { ok: true, bytes: memory.bytes }
}

/** The packed key of a row, `areaBytes` long. */
export function keyOfRow(fields: readonly FieldLayout[], areaBytes: number, row: RuleRow): Uint8Array {
  const memory = stateMemory(new ArrayBuffer(areaBytes))
  const start = fields[0].offset
  fields.forEach((field, i) =>
    writeField(memory, 0, { ...field, offset: field.offset - start }, 'key', row.key[i]),
  )
  return memory.bytes
}

function writeValue(memory: StateMemory, at: number, fields: readonly FieldLayout[], row: RuleRow): void {
  fields.forEach((field, i) => writeField(memory, at, field, 'value', row.value[i]))
}

interface Refused {
  readonly row: RuleRow
  readonly message: string
}

function fillHash(
  memory: StateMemory,
  layout: RulesObjectLayout & { readonly kind: 'rules-hash' },
  rows: readonly RuleRow[],
  seed: bigint,
): Refused | undefined {
  clearTable(memory, layout.offset, layout, seed)
  const table = new Table(memory, layout.offset, layout)
  for (const row of rows) {
    const key = keyOfRow(layout.key, layout.keyAreaBytes, row)
    if (table.find(key) !== 0) return { row, message: 'this key is there twice' }
    const slot = table.insert(key)
    if (slot === 0) return { row, message: 'this rule finds no place; a larger capacity makes room' }
    writeValue(memory, layout.offset + slot, layout.value, row)
  }
  return undefined
}

function fillDevices(
  memory: StateMemory,
  layout: DevicesLayout,
  rows: readonly RuleRow[],
): Refused | undefined {
  const { offset, capacity, entriesOffset, stride, value } = layout
  store32(memory, offset + devicesHeader.count, rows.length)
  store32(memory, offset + devicesHeader.capacity, capacity)
  for (const row of rows) {
    const index = Number(row.key[0])
    if (index >= capacity) return { row, message: `index ${index} is beyond the capacity ${capacity}` }
    const at = offset + entriesOffset + index * stride
    if (load32(memory, at) !== 0) return { row, message: `index ${index} is there twice` }
    store32(memory, at, 1)
    writeValue(memory, at, value, row)
  }
  return undefined
}

const prefixesOf = ({ key, keyBytes }: LpmLayout, rows: readonly RuleRow[]) =>
  rows.map((row, i) => ({
    key: keyOfRow(key, keyBytes, row),
    length: 8 * (keyBytes - key[key.length - 1].bytes) + (row.prefix ?? 8 * key[key.length - 1].bytes),
    entry: i + 1,
  }))

/** The first prefix that an earlier one equals. */
function repeated(prefixes: readonly Prefix[]): Prefix | undefined {
  const seen = new Set<string>()
  for (const prefix of prefixes) {
    const bits = Uint8Array.from(prefix.key, (byte, i) => {
      const kept = Math.min(8, Math.max(0, prefix.length - 8 * i))
      return byte & (0xff00 >> kept)
    })
    const name = `${Buffer.from(bits).toString('latin1')}/${prefix.length}`
    if (seen.has(name)) return prefix
    seen.add(name)
  }
  return undefined
}

function fillLpm(
  memory: StateMemory,
  layout: LpmLayout,
  rows: readonly RuleRow[],
  nodes: number,
  trie: Uint32Array,
): void {
  const { offset, capacity, keyBytes, entriesOffset, stride, value } = layout
  store32(memory, offset + lpmHeader.nodeCount, trie.byteLength / lpmNodeBytes)
  store32(memory, offset + lpmHeader.entryCount, rows.length)
  store32(memory, offset + lpmHeader.keyBytes, keyBytes)
  store32(memory, offset + lpmHeader.nodesOffset, nodes - offset)
  store32(memory, offset + lpmHeader.capacity, capacity)
  rows.forEach((row, i) => writeValue(memory, offset + entriesOffset + (i + 1) * stride, value, row))
  trie.forEach((cell, i) => store32(memory, nodes + 4 * i, cell))
}

/** Look-ups in a rules block at `base`. */
export class RulesBlock {
  readonly memory: StateMemory
  readonly base: number
  readonly layout: RulesLayout
  private readonly tables = new Map<string, Table>()

  constructor(memory: StateMemory, base: number, layout: RulesLayout) {
    this.memory = memory
    this.base = base
    this.layout = layout
    for (const object of layout.objects)
      if (object.kind === 'rules-hash')
        this.tables.set(object.name, new Table(memory, base + object.offset, object))
  }

  /**
   * The entry for a key, as an offset from the object's first byte, or 0. The key is packed, with its padding for
   * hash tables (keyAreaBytes), without for the others.
   */
  lookup(name: string, key: Uint8Array): number {
    const table = this.tables.get(name)
    if (table) return table.find(key)
    const object = objectIn(this.layout, name)
    const at = this.base + object.offset
    if (object.kind === 'rules-hash') throw new Error(`rule table ${name} was not opened`)
    if (object.kind === 'rules-lpm') return lookupLpm(this.memory, at, object, key)
    const index = new DataView(key.buffer, key.byteOffset).getUint32(0)
    if (index >= object.capacity) return 0
    const entry = object.entriesOffset + index * object.stride
    return load32(this.memory, at + entry) === 0 ? 0 : entry
  }
}
