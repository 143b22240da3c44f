// The maps a compiled program stands in: one for each state object, and those of rules, settings, counters and runtime.
//
// All are array maps with one element that user space maps into its memory. Their sizes and types follow from the
// layouts.

import type { ObjectLayout } from '../../state/layout.js'
import type { Btf, TypeId } from './btf.js'
import type { MapDefinition } from './map-definition.js'
import { objectType, perCpuType, rulesType, runtimeType, settingsType } from './map-types.js'
import { counterStride, mapNames, runtimeBytes } from './target.js'
import type { ObjectPlace, Target } from './target.js'

/** An array map with one element. */
export interface MapDeclaration {
  readonly name: string
  readonly valueSize: number
  /** Adds the type of its value, which has `valueSize` bytes. */
  readonly valueType: (btf: Btf) => TypeId
  /** What it is if it is no array map of one element. */
  readonly definition?: MapDefinition
}

export interface Environment {
  readonly target: Target
  readonly maps: readonly MapDeclaration[]
}

export interface EnvironmentOptions {
  readonly objects: readonly ObjectLayout[]
  /** Bytes of the rules block, with the nodes of tries; 0 without rules. */
  readonly rulesBytes: number
  readonly settings: readonly string[]
  readonly counters: readonly string[]
  readonly cpus: number
  readonly inputs: Target['inputs']
  readonly cpu: Target['cpu']
}

/** Where everything will be. */
export function environment(options: EnvironmentOptions): Environment {
  const { objects, rulesBytes, settings, counters, cpus, inputs, cpu } = options
  const places = new Map<string, ObjectPlace>()
  const maps: MapDeclaration[] = []
  const rules = objects.filter(o => o.kind.startsWith('rules'))
  for (const o of objects) {
    if (o.kind.startsWith('rules')) {
      // A trie's nodes stand behind all objects; the other kinds stay within their own bytes.
      const size = o.kind === 'rules-lpm' ? rulesBytes - o.offset : o.size
      places.set(o.name, { map: mapNames.rules, offset: o.offset, size })
    } else {
      places.set(o.name, { map: o.name, offset: 0, size: o.size })
      maps.push({ name: o.name, valueSize: o.size, valueType: btf => objectType(btf, o) })
    }
  }
  if (rulesBytes > 0)
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
  return { target: { objects: places, settings, counters, cpus, inputs, cpu }, maps }
}
