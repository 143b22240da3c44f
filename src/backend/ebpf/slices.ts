// State in slices (state/slices.ts): one map with the state block of every bucket, of which a packet uses one.
//
// Code for a state object loads an address in the value of its map; here each such load is made one from the frame, of
// where the packet's slice begins, which a function works out when it is entered. That is all that is different: what the
// verifier has to prove of an offset in an object it proves of the object in the slice. Read program.ts first.

import type { StateObjectLayout } from '../../state/layout.js'
import { alu64, fp, isLabel, ja, jge, label, ldMapValue, ldx, mayGoto, mov64, jgt } from './asm.js'
import { exit, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, stx } from './asm.js'
import type { Code, Item, Register } from './asm.js'
import { objectType } from './map-types.js'
import type { MapDeclaration } from './maps.js'
import type { CompiledFunction } from './program.js'
import { mapNames, runtime } from './target.js'
import type { ObjectPlace } from './target.js'

/** The map of all slices, one after the other. */
export const slicesMap = '.slices'

/** Slices of a program's state: how many, and the bytes of each, a multiple of 64. */
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
      ...beginning(slices, slot, f.name),
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
const beginning = ({ count, stride }: Slices, slot: number, name: string): Code => [
  ldMapValue(r9, mapNames.runtime),
  ldx.w(r9, r9, runtime.slice),
  ...within(r9, count, `${name}.slice`),
  alu64.mul.imm(r9, stride),
  ldMapValue(r8, slicesMap),
  alu64.add.reg(r8, r9),
  stx.dw(fp, slot, r8),
]

/** Has the verifier see that a slice's number is one of so many; there is no other. */
const within = (number: Register, count: number, name: string): Code =>
  Number.isInteger(Math.log2(count)) ? [alu64.and.imm(number, count - 1)] : bounded(number, count, name)

/** Makes a register 0 that is not below a bound. The verifier goes by way of what is likely first, which includes the other. */
export function bounded(register: Register, below: number, name: string): Code {
  const [good, bad] = [label(name), label(`${name}.not`)]
  return [jge.imm(register, below, bad), ja(good), bad, mov64.imm(register, 0), good]
}

/** Words that are copied in one round. */
const round = 8

/** copySlice(from, to): the one slice becomes what the other is. Nobody else may use either meanwhile, but to read `from`. */
export function copySliceFunction({ count, stride }: Slices): Code {
  const [next, done] = [label('copySlice.next'), label('copySlice.done')]
  const address = (to: Register, number: Register): Code => [
    ...within(number, count, `copySlice.within${to}`),
    alu64.mul.imm(number, stride),
    ldMapValue(to, slicesMap),
    alu64.add.reg(to, number),
  ]
  return [
    label('copySlice'),
    ...address(r6, r1),
    ...address(r7, r2),
    // 0, but the verifier looks at the loop once if it does not know.
    ldMapValue(r8, mapNames.runtime),
    ldx.dw(r8, r8, runtime.zero),
    next,
    mayGoto(done),
    jgt.imm(r8, stride - 8 * round, done),
    mov64.reg(r3, r6),
    alu64.add.reg(r3, r8),
    mov64.reg(r4, r7),
    alu64.add.reg(r4, r8),
    ...Array.from({ length: round }, (_, k) => [ldx.dw(r5, r3, 8 * k), stx.dw(r4, 8 * k, r5)]).flat(),
    alu64.add.imm(r8, 8 * round),
    ja(next),
    done,
    mov64.imm(r0, 0),
    exit(),
  ]
}

type SliceAddress = Exclude<Item, { label: string }> & { readonly high: number }

const isSliceAddress = (item: Item): item is SliceAddress =>
  !isLabel(item) && item.map === slicesMap && item.high !== undefined
