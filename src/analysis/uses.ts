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
    for (const block of func.blocks) {
      for (const instr of block.instrs) {
        const { args } = instr
        for (let operand = 0; operand < args.length; operand++)
          if (!only || only.has(args[operand])) this.add(args[operand], { block, instr, operand })
      }
      terminatorArgs(block).forEach((a, operand) => {
        if (!only || only.has(a)) this.add(a, { block, operand })
      })
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
