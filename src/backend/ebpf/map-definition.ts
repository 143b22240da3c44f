// Definitions of maps as libbpf reads them from the types of `.maps`: a structure whose members say by their types
// what the map is. A number n is a pointer to an array of n ints, a type a pointer to it.
//
// The C for it is `__uint(type, BPF_MAP_TYPE_HASH); __type(key, struct flow_key); …` of bpf_helpers.h.

import type { Btf, TypeId } from './btf.js'

/** A map that a loader makes by its definition. */
export interface MapDefinition {
  /** The kernel's number of the kind of map, and its flags. */
  readonly type: number
  readonly flags: number
  readonly capacity: number
  readonly keyType: (btf: Btf) => TypeId
  readonly valueType: (btf: Btf) => TypeId
}

/** LIBBPF_PIN_BY_NAME: the loader pins the map under its name, or uses the one that is pinned there. */
const pinByName = 1
const pointerBytes = 8

/** Members in order, each with its type. */
function membersOf(map: MapDefinition, pin: boolean): [name: string, type: (btf: Btf) => TypeId][] {
  const number = (n: number) => (btf: Btf) => btf.array(btf.int(), n)
  return [
    ['type', number(map.type)],
    ['key', map.keyType],
    ['value', map.valueType],
    ['max_entries', number(map.capacity)],
    ...(map.flags === 0 ? [] : [['map_flags', number(map.flags)] as [string, (btf: Btf) => TypeId]]),
    ...(pin ? [['pinning', number(pinByName)] as [string, (btf: Btf) => TypeId]] : []),
  ]
}

/** Bytes of the variable that defines the map; all of them are zero. */
export const definitionBytes = (map: MapDefinition, pin: boolean): number =>
  pointerBytes * membersOf(map, pin).length

/** The type of that variable. */
export function defineMap(btf: Btf, map: MapDefinition, pin: boolean): TypeId {
  const members = membersOf(map, pin).map(([name, type], k) => ({
    name,
    type: btf.pointer(type(btf)),
    offset: pointerBytes * k,
  }))
  return btf.struct('', pointerBytes * members.length, members)
}
