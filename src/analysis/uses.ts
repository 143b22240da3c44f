// Who uses each value of a function.

import { terminatorArgs } from './cfg.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** One use: operand `operand` of an instruction in `block`, or of the block's terminator (no instruction). */
export interface Use {
  readonly block: Block
  readonly instr?: Instr
  readonly operand: number
}

/** The uses of every value at the time of asking. */
export class Uses {
  private readonly map = new Map<Instr, Use[]>()

  constructor(func: Func) {
    for (const block of func.blocks) {
      for (const instr of block.instrs)
        instr.args.forEach((a, operand) => this.list(a).push({ block, instr, operand }))
      terminatorArgs(block).forEach((a, operand) => this.list(a).push({ block, operand }))
    }
  }

  private list(value: Instr): Use[] {
    let uses = this.map.get(value)
    if (!uses) this.map.set(value, (uses = []))
    return uses
  }

  of(value: Instr): readonly Use[] {
    return this.map.get(value) ?? []
  }

  count(value: Instr): number {
    return this.of(value).length
  }
}
