// State in slices (state/slices.ts): one map with the state block of every bucket, of which a packet uses one.
//
// Code for a state object loads an address in the value of its map; here each such load is made one from the frame, of
// where the packet's slice begins, which a function works out when it is entered. That is all that is different: what the
// verifier has to prove of an offset in an object it proves of the object in the slice. Read program.ts first.

import type { StateObjectLayout } from '../../state/layout.js'
import { alu64, fp, isLabel, ldMapValue, ldx, r8, r9, stx } from './asm.js'
import type { Code, Item } from './asm.js'
import { objectType } from './map-types.js'
import type { MapDeclaration } from './maps.js'
import type { CompiledFunction } from './program.js'
import { mapNames, runtime } from './target.js'
import type { ObjectPlace } from './target.js'

/** The map of all slices, one after the other. */
export const slicesMap = '.slices'

/** Slices of a program's state: how many, a power of two, and the bytes of each. */
export interface Slices {
  readonly count: number
  readonly stride: number
}

export const slicesDeclaration = (
  objects: readonly StateObjectLayout[],
  { count, stride }: Slices,
): MapDeclaration => ({
  name: slicesMap,
  valueSize: count * stride,
  valueType(btf) {
    const members = objects.map(o => ({ name: o.name, type: objectType(btf, o), offset: o.offset }))
    return btf.array(btf.struct('hairpin_slice', stride, members), count)
  },
})

/** Where state objects are in a slice. */
export const placesInSlice = (objects: readonly StateObjectLayout[]): [string, ObjectPlace][] =>
  objects.map(o => [
    o.name,
    {
      map: slicesMap,
      offset: o.offset,
      size: o.size,
      ...('bucketsOffset' in o && { entries: o.bucketsOffset }),
    },
  ])

/** Has a function use the slice whose number is in the runtime's map. */
export const inSlice =
  (slices: Slices) =>
  (f: CompiledFunction): CompiledFunction => {
    if (!f.code.some(isSliceAddress)) return f
    // Below everything that the function has in its frame.
    const slot = -f.stack - 8
    const [name, ...rest] = f.code
    const code: Code = [
      name,
      ...beginning(slices, slot),
      ...rest.flatMap((item): Code => {
        if (!isSliceAddress(item)) return [item]
        const { dst, high, origin } = item
        const from = { ...ldx.dw(dst, fp, slot), ...(origin && { origin }) }
        return high === 0 ? [from] : [from, { ...alu64.add.imm(dst, high), ...(origin && { origin }) }]
      }),
    ]
    return { ...f, code, stack: f.stack + 8 }
  }

/** Parameters are in r1 to r5, and nothing is in r8 and r9 yet. */
const beginning = ({ count, stride }: Slices, slot: number): Code => [
  ldMapValue(r9, mapNames.runtime),
  ldx.w(r9, r9, runtime.slice),
  alu64.and.imm(r9, count - 1),
  alu64.mul.imm(r9, stride),
  ldMapValue(r8, slicesMap),
  alu64.add.reg(r8, r9),
  stx.dw(fp, slot, r8),
]

type SliceAddress = Exclude<Item, { label: string }> & { readonly high: number }

const isSliceAddress = (item: Item): item is SliceAddress =>
  !isLabel(item) && item.map === slicesMap && item.high !== undefined
