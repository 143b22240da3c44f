// The ranges of a few values, found when they are asked for: a pass that wants to know of a hundred values in a function
// of a thousand looks at those that these are computed from. Gives what ranges.ts gives, or nothing where that takes
// a loop; then the caller takes all of them. Read ranges.ts first.

import { everything } from './interval.js'
import type { Interval } from './interval.js'
import { Ranges } from './ranges.js'
import type { RangeOptions } from './ranges.js'
import type { Block, Func, Instr } from '../ir/types.js'

/** Operands followed at most from the value asked about; a longer way is treated as a loop is. */
const maxDepth = 200

/** Whether what is in the interval is 0, if that is the same for all of it. */
export const zeroIn = ({ lo, hi }: Interval): boolean | undefined =>
  lo > 0n ? false : hi === 0n ? true : undefined

export class RangesOnDemand extends Ranges {
  /** Where each value stands, by id; none for values that control does not reach or that were made since. */
  private readonly places: (Block | undefined)[]
  /** By id, 1 while the value is being evaluated. */
  private readonly open: Uint8Array
  private depth = 0
  /** Whether something took a loop since the last question. */
  private looped = false

  constructor(func: Func, options: RangeOptions = {}) {
    super(func, options)
    this.places = Array(func.nextId)
    this.open = new Uint8Array(func.nextId)
    for (const block of this.tree.order) for (const i of block.instrs) this.places[i.id] = block
  }

  protected override settle(): void {}

  /**
   * Whether the value is 0: undefined if it can be either, 'loop' if it takes a loop to find out. The function may have
   * been changed since by redirecting ways, as jump threading does: of values made since, nothing is known.
   */
  isZero(value: Instr): boolean | undefined | 'loop' {
    const place = this.places[value.id]
    // One operand that can be either settles it, whatever comes round a loop.
    if (value.op === 'phi' && place)
      for (const [k, a] of value.args.entries()) {
        if (!this.arrives(a)) continue
        const range = this.loopless(() => this.atEdge(a, place, k))
        if (range && range.lo === 0n && range.hi > 0n) return undefined
      }
    const range = this.loopless(() => this.of(value))
    return range ? zeroIn(range) : 'loop'
  }

  /** As `at`; undefined if it takes a loop to find out. */
  atIfLoopless(value: Instr, block: Block): Interval | undefined {
    return this.loopless(() => this.at(value, block))
  }

  /** What `find` finds, if that takes no loop. */
  private loopless(find: () => Interval): Interval | undefined {
    this.looped = false
    const range = find()
    if (!this.looped) return range
    // What conditions say may have been taken from a value not found.
    this.facts.clear()
    return undefined
  }

  override of(value: Instr): Interval {
    const known = this.known[value.id]
    if (known) return known
    const place = this.places[value.id]
    if (!place) return everything(value.type)
    // Once something took a loop, the question has no answer; to go on looking can take as long as there are ways.
    if (this.looped || this.open[value.id] || this.depth >= maxDepth) {
      this.looped = true
      return everything(value.type)
    }
    this.open[value.id] = 1
    this.depth++
    const range = this.evaluate(value, place)
    this.depth--
    this.open[value.id] = 0
    if (!this.looped) this.known[value.id] = range
    return range
  }

  /** Every operand, but for those that control does not bring. */
  protected override arrives({ id }: Instr): boolean {
    return this.known[id] !== undefined || id >= this.places.length || this.places[id] !== undefined
  }
}

/**
 * Ranges for a pass that asks about a few values or about all of them. Of few, what takes a loop to find out can be
 * anything.
 */
export class RangesOfFew {
  private readonly few: RangesOnDemand | undefined
  private readonly all: Ranges | undefined

  constructor(func: Func, options: RangeOptions, ofAll: boolean) {
    if (ofAll) this.all = new Ranges(func, options)
    else this.few = new RangesOnDemand(func, options)
  }

  /** What the value can be while the block is executed, of a value that was there when this was made. */
  at(value: Instr, block: Block): Interval {
    return this.all?.at(value, block) ?? this.few?.atIfLoopless(value, block) ?? everything(value.type)
  }
}
