// What a program declares, with exact sizes: state objects, rule tables, parameters, counters.

import type { Compiled } from '../../compile.js'
import { lineStarts, positionAt } from '../../diagnostics/lines.js'
import type { FieldDecl } from '../../state/declaration.js'
import { slotsPerBucket } from '../../state/format.js'
import type { ObjectLayout } from '../../state/layout.js'
import { show } from '../../state/text.js'
import { settingField } from '../inputs.js'

export interface DescribedField {
  readonly name: string
  readonly type: string
  readonly bytes: number
}

/** A state object or rule table. */
export interface DescribedObject {
  readonly name: string
  readonly kind: 'table' | 'array' | 'cell' | 'pool' | 'rules' | 'lpm' | 'devices' | 'fib'
  /** Entries, elements or numbers that fit. */
  readonly capacity: number
  readonly key: readonly DescribedField[]
  readonly value: readonly DescribedField[]
  /** Bytes of an entry, element or number, and how many places for one there are. */
  readonly entryBytes: number
  readonly places: number
  /** Bytes in all, header and rounding included; of lpm without the trie, which grows with the rules. */
  readonly bytes: number
  readonly evict?: 'none' | 'oldest'
  readonly expire?: { readonly after: number; readonly unit: string }
  readonly release?: { readonly pool: string; readonly field: string }
  /** Line of the declaration, from 1; absent if it was not found. */
  readonly line?: number
}

export interface DescribedParameter {
  readonly name: string
  readonly type: string
  /** As `--set` takes it. */
  readonly default: string
  readonly description?: string
}

/** Tables, arrays and pools, which every replica has a copy of. */
export const stateOf = ({ artifact, program }: Compiled): DescribedObject[] =>
  artifact.stateLayout.objects.map(o => describeObject(o, program.source))

/** Rule tables, which all workers share. */
export const rulesOf = ({ artifact, program }: Compiled): DescribedObject[] =>
  artifact.rulesLayout.objects.map(o => {
    const described = describeObject(o, program.source)
    const isFib = artifact.rules.some(r => r.name === o.name && r.fib !== undefined)
    return isFib ? { ...described, kind: 'fib' as const } : described
  })

export function parametersOf({ artifact }: Compiled): DescribedParameter[] {
  return artifact.settings.map(setting => {
    const field = settingField(setting)
    const value = setting.type === 'bool' ? setting.default !== 0n : setting.default
    const narrow = typeof value === 'bigint' && field.bytes < 8 ? Number(value) : value
    return {
      name: setting.name,
      type: setting.display ?? setting.type,
      default: String(show(field, narrow)),
      ...(setting.description !== undefined && { description: setting.description }),
    }
  })
}

function describeObject(o: ObjectLayout, source: string): DescribedObject {
  const line = lineOf(o.name, source)
  const common = { name: o.name, bytes: o.size, ...(line !== undefined && { line }) }
  if (o.kind === 'pool') {
    const number = [{ name: 'number', type: 'u32', bytes: 4 }]
    const size = { capacity: o.count, places: o.count, entryBytes: 4 }
    return { ...common, kind: 'pool', key: [], value: number, ...size }
  }
  const value = o.value.map(fieldOf)
  if (o.kind === 'array')
    return {
      ...common,
      kind: o.cell ? 'cell' : 'array',
      capacity: o.length,
      key: [],
      value,
      entryBytes: o.stride,
      places: o.length,
    }
  const keyed = { ...common, capacity: o.capacity, key: o.key.map(fieldOf), value, entryBytes: o.stride }
  if (o.kind === 'rules-lpm') return { ...keyed, kind: 'lpm', places: o.capacity + 1 }
  if (o.kind === 'rules-devices') return { ...keyed, kind: 'devices', places: o.capacity }
  const places = o.bucketCount * slotsPerBucket
  if (o.kind === 'rules-hash') return { ...keyed, kind: 'rules', places }
  return {
    ...keyed,
    kind: 'table',
    places,
    evict: o.evict,
    ...(o.expire && { expire: o.expire }),
    ...(o.release && { release: { pool: o.release.pool, field: o.release.field.name } }),
  }
}

const fieldOf = ({ name, type, bytes, display }: FieldDecl): DescribedField => ({
  name,
  type: display ?? (type === 'bytes' ? `bytes(${bytes})` : type),
  bytes,
})

/** The line on which a module constant is declared. */
export function lineOf(name: string, source: string): number | undefined {
  const at = new RegExp(`^(?:export\\s+)?const\\s+${name}\\b`, 'm').exec(source)?.index
  return at === undefined ? undefined : positionAt(lineStarts(source), at).line
}
