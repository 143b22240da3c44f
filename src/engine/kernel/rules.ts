// Rules of a table that is a map of the kernel's own: read as fields, and replaced by others while packets flow.
//
// A replacement never leaves a moment without a rule that is in both the old and the new set: new rules are written
// first, old ones removed then; only where both together do not fit, old ones go first. Read state/kernel-map.ts first.

import { readField } from '../../state/field.js'
import type { FieldValue } from '../../state/field.js'
import { entryOf, keyBits } from '../../state/kernel-map.js'
import type { KernelMap } from '../../state/kernel-map.js'
import type { FieldLayout } from '../../state/layout.js'
import type { RuleRow } from '../../state/rules.js'
import type { BpfMap } from '../../sys/map.js'

/** A rule as it stands in the map. */
export interface Rule {
  readonly key: readonly FieldValue[]
  /** Bits of the last key field that count, in a longest-prefix table. */
  readonly prefix?: number
  readonly value: readonly FieldValue[]
}

/** What a replacement did. */
export interface Replacement {
  readonly added: number
  readonly changed: number
  readonly removed: number
  readonly unchanged: number
}

type Bytes = Uint8Array<ArrayBufferLike>

/** What tells keys apart: of a longest prefix, only the bits that count. */
function nameOf(table: KernelMap, key: Bytes): string {
  const bytes = Buffer.from(key)
  if (table.kind === 'lpm') {
    const start = table.key[0].offset
    const bits = bytes.readUInt32LE(0)
    for (let k = start; k < bytes.length; k++) {
      const kept = Math.min(8, Math.max(0, bits - 8 * (k - start)))
      bytes[k] &= 0xff00 >> kept
    }
  }
  return bytes.toString('hex')
}

/** Every rule, sorted by the bytes of its key; at most `most`, and how many there are in all. */
export function readRules(
  map: BpfMap,
  table: KernelMap,
  most = Infinity,
): { readonly rules: readonly Rule[]; readonly count: number } {
  const entries = [...map.entries()].sort(([a], [b]) => Buffer.compare(a, b))
  return {
    rules: entries.slice(0, most).map(([key, value]) => ruleOf(table, key, value)),
    count: entries.length,
  }
}

function ruleOf(table: KernelMap, key: Bytes, value: Bytes): Rule {
  const read = (bytes: Bytes, fields: readonly FieldLayout[], side: 'key' | 'value'): FieldValue[] => {
    const memory = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
    return fields.map(field => readField(memory, 0, field, side))
  }
  const last = table.key[table.key.length - 1]
  const bits = table.kind === 'lpm' ? new DataView(key.buffer, key.byteOffset).getUint32(0, true) : undefined
  return {
    key: read(key, table.key, table.networkOrder ? 'key' : 'value'),
    ...(bits !== undefined && { prefix: bits - (keyBits(table) - 8 * last.bytes) }),
    value: read(value, table.value, 'value'),
  }
}

/** Makes these rows the map's rules. Throws what `BpfMap.update` throws; what was done before stays done. */
export function replaceRules(map: BpfMap, table: KernelMap, rows: readonly RuleRow[]): Replacement {
  const before = new Map([...map.entries()].map(([key, value]) => [nameOf(table, key), { key, value }]))
  const after = new Map(rows.map(row => entryOf(table, row)).map(entry => [nameOf(table, entry.key), entry]))
  const stale = [...before].filter(([name]) => !after.has(name)).map(([, { key }]) => key)
  const fresh = [...after].filter(([name]) => !before.has(name))
  const changed = [...after].filter(([name, { value }]) => {
    const old = before.get(name)
    return old !== undefined && Buffer.compare(old.value, value) !== 0
  })
  const remove = (): void => stale.forEach(key => void map.delete(key))
  const crowded = before.size + fresh.length > table.capacity
  if (crowded) remove()
  for (const [, { key, value }] of [...changed, ...fresh]) map.update(key, value)
  if (!crowded) remove()
  return {
    added: fresh.length,
    changed: changed.length,
    removed: stale.length,
    unchanged: after.size - fresh.length - changed.length,
  }
}
