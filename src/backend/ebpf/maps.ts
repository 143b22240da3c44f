// The maps a compiled program stands in: one for each state object, and those of rules, settings, counters and runtime.
//
// All are array maps with one element that user space maps into its memory, and their sizes and types follow from the
// layouts; but rule tables may be ordinary maps of the kernel, which anybody may change (state/kernel-map.ts).

import type { Fib, KernelMap } from '../../state/kernel-map.js'
import type { ObjectLayout } from '../../state/layout.js'
import type { Btf, TypeId } from './btf.js'
import type { MapDefinition } from './map-definition.js'
import {
  fieldType,
  fieldsType,
  objectType,
  perCpuType,
  rulesType,
  runtimeType,
  settingsType,
} from './map-types.js'
import { counterStride, mapNames, runtimeBytes } from './target.js'
import type { ObjectPlace, Target } from './target.js'

/** An array map with one element, or what `table` says. */
export interface MapDeclaration {
  readonly name: string
  readonly valueSize: number
  /** Adds the type of its value, which has `valueSize` bytes. */
  readonly valueType: (btf: Btf) => TypeId
  /** What it is if it is no array map of one element. */
  readonly definition?: MapDefinition
  /** A rule table that is a map of the kernel's own. */
  readonly table?: KernelMap
}

/** A map that is there already, of bytes. */
export const present = (name: string, valueSize: number): MapDeclaration => ({
  name,
  valueSize,
  valueType: btf => btf.array(btf.unsigned(1), valueSize),
})

export interface Environment {
  readonly target: Target
  readonly maps: readonly MapDeclaration[]
}

export interface EnvironmentOptions {
  readonly objects: readonly ObjectLayout[]
  /** Rule tables that are maps of their own: they need no bytes of the rules block. */
  readonly tables?: readonly KernelMap[]
  /** Rule tables that are no memory at all: routes of the kernel. */
  readonly fibs?: readonly Fib[]
  /** Bytes of the rules block, with the nodes of tries; 0 without rules. */
  readonly rulesBytes: number
  readonly settings: readonly string[]
  readonly counters: readonly string[]
  readonly cpus: number
  readonly inputs: Target['inputs']
  readonly clock?: Target['clock']
  readonly cpu: Target['cpu']
  /** `may_goto` if left out. */
  readonly loops?: Target['loops']
  readonly forgets?: Target['forgets']
}

/** The kernel's numbers of kinds of maps, and the flags that rule tables are made with. */
const tableTypes = { hash: 1, lpm: 11, devices: 14, sockets: 17 } as const
const readOnlyForPrograms = 1 << 7
const allocatedOnDemand = 1 << 0
const tableFlags = {
  hash: readOnlyForPrograms,
  lpm: readOnlyForPrograms | allocatedOnDemand,
  devices: 0,
  sockets: 0,
} as const

/** What a rule table that is a map of the kernel's own is, for those who make it. */
export function tableDefinition({
  kind,
  name,
  key,
  keySize,
  value,
  valueSize,
  capacity,
}: KernelMap): MapDefinition {
  const plain = kind === 'devices' || kind === 'sockets'
  const keyType = (btf: Btf): TypeId => {
    const fields = key.map(f => ({ name: f.name, type: fieldType(btf, f, 'key'), offset: f.offset }))
    if (kind === 'lpm') fields.unshift({ name: 'prefixlen', type: btf.unsigned(4), offset: 0 })
    return btf.struct(`${name}_key`, keySize, fields)
  }
  return {
    type: tableTypes[kind],
    flags: tableFlags[kind],
    capacity,
    keyType: plain ? btf => btf.unsigned(4) : keyType,
    valueType: btf =>
      plain ? btf.unsigned(4) : fieldsType(btf, `${name}_value`, value, 'value', 0, valueSize),
  }
}

/** Where everything will be. */
export function environment(options: EnvironmentOptions): Environment {
  const {
    objects,
    tables = [],
    fibs = [],
    rulesBytes,
    settings,
    counters,
    cpus,
    inputs,
    clock,
    cpu,
    loops = 'may_goto',
    forgets = false,
  } = options
  const places = new Map<string, ObjectPlace>()
  const maps: MapDeclaration[] = []
  const isTable = ({ name }: ObjectLayout): boolean => [...tables, ...fibs].some(t => t.name === name)
  const rules = objects.filter(o => o.kind.startsWith('rules') && !isTable(o))
  for (const o of objects) {
    if (isTable(o)) continue
    const entries = 'bucketsOffset' in o && { entries: o.bucketsOffset }
    if (o.kind.startsWith('rules')) {
      // A trie's nodes stand behind all objects; the other kinds stay within their own bytes.
      const size = o.kind === 'rules-lpm' ? rulesBytes - o.offset : o.size
      places.set(o.name, { map: mapNames.rules, offset: o.offset, size, ...entries })
    } else {
      places.set(o.name, { map: o.name, offset: 0, size: o.size, ...entries })
      maps.push({ name: o.name, valueSize: o.size, valueType: btf => objectType(btf, o) })
    }
  }
  if (rules.length > 0)
    maps.push({
      name: mapNames.rules,
      valueSize: rulesBytes,
      valueType: btf => rulesType(btf, 'hairpin_rules', rules, rulesBytes),
    })
  if (settings.length > 0)
    maps.push({
      name: mapNames.settings,
      valueSize: 8 * settings.length,
      valueType: btf => settingsType(btf, 'hairpin_settings', settings),
    })
  if (counters.length > 0) {
    const stride = counterStride(counters.length)
    maps.push({
      name: mapNames.counters,
      valueSize: stride * cpus,
      valueType: btf => perCpuType(btf, 'hairpin_counters', counters, stride, cpus),
    })
  }
  maps.push({
    name: mapNames.runtime,
    valueSize: runtimeBytes,
    valueType: btf => runtimeType(btf, 'hairpin_runtime'),
  })
  for (const table of tables) {
    const definition = tableDefinition(table)
    const { name, valueSize } = table
    maps.push({ name, valueSize, valueType: definition.valueType, definition, table })
  }
  const time = clock && { clock }
  return {
    target: { objects: places, tables, fibs, settings, counters, cpus, inputs, ...time, cpu, loops, forgets },
    maps,
  }
}
