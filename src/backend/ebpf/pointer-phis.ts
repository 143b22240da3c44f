// Phis of offsets in an object are phis of pointers too: the ways that lead there have made a pointer nearby, which the
// verifier knows to be good, so that what was found is neither compared nor added again.
//
// Where ways add constants to pointers that are there, the least of them is left to the accesses: the entry that is found
// where it is looked for first needs no pointer of its own. Read memory.ts first.

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
  /** How far behind the pointer the offset is. */
  readonly ahead: number
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
        const found = place.entries === undefined ? 0 : this.aheadOf(object, phi, block, place.entries)
        const ahead = found ?? 0
        pointers.add(pointerKey(object, phi), { block, value: dst, ahead, isAny: found === undefined })
        list.push({ phi, dst, object, place, end, ahead })
      }
    }
    if (list.length) this.made.set(block, list)
  }

  /**
   * The least constant that the ways to a table's entry add to pointers, which accesses can add instead; undefined if no
   * way has a pointer, because the entry was inserted.
   */
  private aheadOf(object: string, phi: Instr, block: IrBlock, entries: number): number | undefined {
    const { pointers, isForgotten } = this.known
    let [least, adds] = [entries, false]
    phi.args.forEach((a, n) => {
      const { base, offset } = sumOf(a)
      const pred = block.preds[n]
      const known = pointers.find(pointerKey(object, a), pred)
      const near = base === a ? undefined : pointers.find(pointerKey(object, base), pred)
      // What was inserted just now is not what most packets find.
      if (known?.isAny || a.op === 'call') return
      const found = known ? known.ahead : near && offset + near.ahead
      adds ||= found !== undefined
      if (found !== undefined) least = Math.min(least, found)
      else if (a.op === 'phi' && !isForgotten(a)) least = 0
    })
    return adds ? least : undefined
  }

  /** Gives them their operands, made at the end of the predecessors. */
  fill(b: IrBlock, block: Block): void {
    for (const { dst, ...wanted } of this.made.get(b) ?? []) {
      const args = wanted.phi.args.map((a, n) => {
        const from = block.preds[n]
        // A block that is never reached.
        if (!from) return 0n
        const { value, steps } = this.pointerFrom(b.preds[n], a, wanted)
        from.steps.push(...steps)
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
    { object, place, end, ahead }: Pick<PointerPhi, 'object' | 'place' | 'end' | 'ahead'>,
  ): { readonly value: Value; readonly steps: readonly Step[] } {
    const { pointers, values, verified, fresh } = this.known
    const from = a.op === 'const' ? BigInt(a.attrs.value) : (values.get(a) ?? 0n)
    const { base, offset } = sumOf(a)
    const known = pointers.find(pointerKey(object, a), at)
    const near = known ?? (base === a ? undefined : pointers.find(pointerKey(object, base), at))
    /** Another that is so many bytes further. */
    const further = (pointer: Value, bytes: number, before: readonly Step[] = []) => {
      if (bytes === 0) return { value: pointer, steps: before }
      const value = fresh()
      return { value, steps: [...before, nextPointerStep(value, pointer, bytes)] }
    }
    if (near) return further(near.value, near.ahead + (known ? 0 : offset) - ahead)
    const value = fresh()
    if (!isValue(from)) {
      // No entry is at 0: what is behind it is never looked at.
      const start = Math.max(0, Number(from) - ahead)
      const fits = start + end <= place.size
      return { value, steps: [addressStep(value, place.map, place.offset + (fits ? start : 0))] }
    }
    const bound = verified.get(a) ?? 0xffffffffffffffffn
    const isBound = bound + BigInt(end) <= BigInt(place.size)
    return further(value, -ahead, [pointerStep(value, from, place, end, isBound)])
  }
}
