// What a loaded program says of itself: a map bound to it holds its names and layouts, so that any process can list it
// and read its state, whoever loaded it and whether or not that process still lives.

import { deserialize, serialize } from 'node:v8'
import { mapInfo } from '../../sys/info.js'
import { createMap } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import type { ReplicatedObject, RulesDecl } from '../../state/declaration.js'
import type { SettingInfo } from '../artifact.js'

/** Name of the map; a program that has such a map is ours. */
export const descriptionMap = 'hairpin'

export interface Description {
  readonly format: 2
  readonly name: string
  readonly file: string
  /** State, in the order of the program's layout. */
  readonly objects: readonly ReplicatedObject[]
  readonly rules: readonly RulesDecl[]
  readonly settings: readonly SettingInfo[]
  readonly counters: readonly string[]
  /** Ids of the maps by the names they have in the program, of which the kernel keeps 15 characters. */
  readonly maps: ReadonlyMap<string, number>
  /** CPUs that have verdicts and counters. */
  readonly cpus: number
  /** The kernel's monotonic clock at the start, ns. */
  readonly start: bigint
  /**
   * Of a program that hands packets to workers: ids of these workers' maps by name. Verdicts, counters and
   * state are theirs.
   */
  readonly workers?: readonly ReadonlyMap<string, number>[]
  /** Of several sequencers: how many, each with as many of the workers, one group after the other. */
  readonly groups?: number
  /** Of a sequencer: bytes of history in front of each packet. */
  readonly headerBytes?: number
  /** State is in so many slices, one after the other in a map that all workers have; `objects` are those of a slice. */
  readonly slices?: number
}

/** Ids of maps by their names. */
export const idsOf = (maps: ReadonlyMap<string, BpfMap>): Map<string, number> =>
  new Map([...maps].map(([name, map]) => [name, mapInfo(map).id]))

const key = new Uint8Array(new ArrayBuffer(4))

/** A map that holds the description. */
export function writeDescription(description: Description): BpfMap {
  const bytes = Uint8Array.from(serialize(description))
  const map = createMap({
    type: 'array',
    name: descriptionMap,
    keySize: 4,
    valueSize: bytes.length,
    maxEntries: 1,
  })
  map.update(key, bytes)
  return map
}

/** The description in a map of that name; undefined if it is none, or of another version of hairpin. */
export function readDescription(map: BpfMap): Description | undefined {
  if (map.type !== 'array' || map.keySize !== 4) return undefined
  try {
    const found = deserialize(map.lookup(key) ?? new Uint8Array(0)) as Partial<Description> | null
    return found?.format === 2 ? (found as Description) : undefined
  } catch {
    return undefined
  }
}
