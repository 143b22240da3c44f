// Who uses each value of a function.

import { terminatorArgs } from './cfg.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** One use: operand `operand` of an instruction in `block`, or of the block's terminator (no instruction). */
export interface Use {
  readonly block: Block
  readonly instr?: Instr
  readonly operand: number
}

/** The uses of values at the time of asking. */
export class Uses {
  private readonly map = new Map<Instr, Use[]>()

  /** All of the function's values, or those of `only`. */
  constructor(func: Func, only?: ReadonlySet<Instr>) {
    const left = only && new Uint8Array(func.nextId).fill(1)
    for (const { id } of only ?? []) left![id] = 0
    for (const block of func.blocks) {
      for (const instr of block.instrs) {
        const { args } = instr
        for (let operand = 0; operand < args.length; operand++)
          if (!left?.[args[operand].id]) this.add(args[operand], { block, instr, operand })
      }
      if (block.term.op === 'jump') continue
      const args = terminatorArgs(block)
      for (let operand = 0; operand < args.length; operand++)
        if (!left?.[args[operand].id]) this.add(args[operand], { block, operand })
    }
  }

  private add(value: Instr, use: Use): void {
    const uses = this.map.get(value)
    if (uses) uses.push(use)
    else this.map.set(value, [use])
  }

  of(value: Instr): readonly Use[] {
    return this.map.get(value) ?? []
  }

  count(value: Instr): number {
    return this.of(value).length
  }
}

/** The uses of a few values. */
export const usesOf = (func: Func, values: ReadonlySet<Instr>): Uses => new Uses(func, values)

/** Who uses each value at the time of asking, without saying where: cheaper for those who ask about all of them. */
export class Users {
  /** The users of value v stand in `list` from `ends[v.id - 1]` to `ends[v.id]`. */
  private readonly ends: Int32Array
  private readonly list: (Instr | undefined)[]

  constructor(func: Func) {
    const ends = new Int32Array(func.nextId)
    const each = (visit: (value: Instr, user: Instr | undefined) => void): void => {
      for (const block of func.blocks) {
        for (const i of block.instrs) for (const a of i.args) visit(a, i)
        for (const a of terminatorArgs(block)) visit(a, undefined)
      }
    }
    each(({ id }) => void ends[id]++)
    for (let k = 1; k < ends.length; k++) ends[k] += ends[k - 1]
    this.list = Array(ends.length ? ends[ends.length - 1] : 0)
    // Filled from each value's first place on; afterwards the starts have become the ends.
    for (let k = ends.length - 1; k > 0; k--) ends[k] = ends[k - 1]
    if (ends.length) ends[0] = 0
    each(({ id }, user) => void (this.list[ends[id]++] = user))
    this.ends = ends
  }

  /** Each user once per operand; undefined stands for a terminator. */
  of({ id }: Instr): readonly (Instr | undefined)[] {
    return id < this.ends.length ? this.list.slice(id > 0 ? this.ends[id - 1] : 0, this.ends[id]) : []
  }
}
