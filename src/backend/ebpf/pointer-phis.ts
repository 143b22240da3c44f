// Phis of offsets in an object are phis of pointers too: the ways that lead there have made a pointer nearby, which the
// verifier knows to be good, so that what was found is neither compared nor added again. Read memory.ts first.

import type { Block as IrBlock, Instr } from '../../ir/types.js'
import { isValue } from './machine.js'
import type { Block, Operand, Step, Value } from './machine.js'
import { addressStep, nextPointerStep, pointerKey, pointerStep, sumOf } from './memory.js'
import type { Pointers } from './memory.js'
import type { ObjectPlace } from './target.js'
import type { Forgotten } from './umax.js'

/** What selection knows of the function. */
export interface Surroundings {
  readonly objects: ReadonlyMap<string, ObjectPlace>
  readonly pointers: Pointers
  /** Of memory.ts's `extents`. */
  readonly ends: ReadonlyMap<string, number>
  readonly isForgotten: Forgotten
  readonly verified: ReadonlyMap<Instr, bigint>
  readonly values: ReadonlyMap<Instr, Operand>
  readonly fresh: (i?: Instr) => Value
}

interface PointerPhi {
  readonly phi: Instr
  readonly dst: Value
  readonly object: string
  readonly place: ObjectPlace
  readonly end: number
}

export class PointerPhis {
  private readonly known: Surroundings
  private readonly made = new Map<IrBlock, PointerPhi[]>()

  constructor(known: Surroundings) {
    this.known = known
  }

  /** Makes the pointers of a block's phis, which hold from here on; their operands come with `fill`. */
  begin(phis: readonly Instr[], block: IrBlock): void {
    const { objects, pointers, ends, isForgotten, fresh } = this.known
    const list: PointerPhi[] = []
    for (const phi of phis) {
      if (phi.type !== 'i32' || isForgotten(phi)) continue
      for (const [object, place] of objects) {
        const end = ends.get(pointerKey(object, phi))
        if (end === undefined) continue
        const dst = fresh(phi)
        pointers.add(pointerKey(object, phi), block, dst)
        list.push({ phi, dst, object, place, end })
      }
    }
    if (list.length) this.made.set(block, list)
  }

  /** Gives them their operands, made at the end of the predecessors. */
  fill(b: IrBlock, block: Block): void {
    for (const { dst, ...wanted } of this.made.get(b) ?? []) {
      const args = wanted.phi.args.map((a, n) => {
        const from = block.preds[n]
        // A block that is never reached.
        if (!from) return 0n
        const { value, step } = this.pointerFrom(b.preds[n], a, wanted)
        if (step) from.steps.push(step)
        value.like ??= dst
        return value
      })
      block.phis.push({ dst, args })
    }
  }

  /** A pointer to offset `a` at the end of a block, and the step that makes it if none is there. */
  private pointerFrom(
    at: IrBlock,
    a: Instr,
    { object, place, end }: Pick<PointerPhi, 'object' | 'place' | 'end'>,
  ): { readonly value: Value; readonly step?: Step } {
    const { pointers, values, verified, fresh } = this.known
    const known = pointers.get(pointerKey(object, a), at)
    if (known) return { value: known }
    const value = fresh()
    const { base, offset } = sumOf(a)
    const near = base === a ? undefined : pointers.get(pointerKey(object, base), at)
    if (near) return { value, step: nextPointerStep(value, near, offset) }
    const from = a.op === 'const' ? BigInt(a.attrs.value) : (values.get(a) ?? 0n)
    if (!isValue(from)) {
      const fits = Number(from) + end <= place.size
      return { value, step: addressStep(value, place.map, place.offset + (fits ? Number(from) : 0)) }
    }
    const bound = verified.get(a) ?? 0xffffffffffffffffn
    return { value, step: pointerStep(value, from, place, end, bound + BigInt(end) <= BigInt(place.size)) }
  }
}
