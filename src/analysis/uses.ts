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

/**
 * Uses of values from other blocks than their own, and all uses of values made since; right while ways are redirected, as
 * jump threading does, if whoever makes a user or an operand enters it.
 */
export class FarUses {
  /** By id of the value; a use may stand twice, and may have ended. */
  private readonly lists: ({ readonly block: Block; readonly instr: Instr | undefined }[] | undefined)[]
  /** By id, of the values that were there at first: the block. */
  private readonly places: Int32Array

  constructor(func: Func) {
    const places = new Int32Array(func.nextId).fill(-1)
    this.places = places
    this.lists = Array(func.nextId)
    for (const { id, instrs } of func.blocks)
      for (let n = 0; n < instrs.length; n++) places[instrs[n].id] = id
    for (const block of func.blocks) {
      const { id, instrs, term } = block
      for (let n = 0; n < instrs.length; n++) {
        const { args } = instrs[n]
        for (let k = 0; k < args.length; k++)
          if (places[args[k].id] !== id) this.enter(args[k], block, instrs[n])
      }
      if (term.op === 'branch') {
        if (places[term.cond.id] !== id) this.enter(term.cond, block)
      } else if (term.op === 'return')
        for (const a of term.args) if (places[a.id] !== id) this.enter(a, block)
    }
  }

  /** An instruction of the block, or its terminator, uses the value from now on. */
  enter({ id }: Instr, block: Block, instr?: Instr): void {
    const list = this.lists[id]
    if (!list) this.lists[id] = [{ block, instr }]
    else if (list[list.length - 1].instr !== instr || !instr) list.push({ block, instr })
  }

  /** Whether a value is known to be used in its own block only. */
  none({ id }: Instr): boolean {
    return id < this.places.length && this.lists[id] === undefined
  }

  of(value: Instr): readonly Use[] {
    const found: Use[] = []
    for (const { block, instr } of this.lists[value.id] ?? []) {
      const args = instr ? instr.args : terminatorArgs(block)
      for (let operand = 0; operand < args.length; operand++)
        if (args[operand] === value) found.push(instr ? { block, instr, operand } : { block, operand })
    }
    return found
  }
}

/** Who uses each value at the time of asking, without saying where: cheaper for those who ask about all of them. */
export class Users {
  /** The users of value v stand in `list` from `ends[v.id - 1]` to `ends[v.id]`. */
  private readonly ends: Int32Array
  private readonly list: (Instr | undefined)[]

  constructor(func: Func) {
    const ends = new Int32Array(func.nextId)
    const each = (visit: (value: Instr, user: Instr | undefined) => void): void => {
      for (const block of func.blocks) {
        const { instrs } = block
        for (let n = 0; n < instrs.length; n++) {
          const { args } = instrs[n]
          for (let k = 0; k < args.length; k++) visit(args[k], instrs[n])
        }
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

  /** How many operands are the value. */
  count({ id }: Instr): number {
    return id < this.ends.length ? this.ends[id] - (id > 0 ? this.ends[id - 1] : 0) : 0
  }

  /** Visits each user once per operand; undefined stands for a terminator. */
  each({ id }: Instr, visit: (user: Instr | undefined) => void): void {
    if (id >= this.ends.length) return
    for (let k = id > 0 ? this.ends[id - 1] : 0; k < this.ends[id]; k++) visit(this.list[k])
  }

  /** Each user once per operand; undefined stands for a terminator. */
  of({ id }: Instr): readonly (Instr | undefined)[] {
    return id < this.ends.length ? this.list.slice(id > 0 ? this.ends[id - 1] : 0, this.ends[id]) : []
  }
}
