// What the verifier knows of the packet's length at each place of a function, and how much to prove at once where it does
// not know enough.
//
// It learns from checks where they branch, not from the truth of a value made before. What it learnt about a pointer
// holds for that very pointer, below; what it learnt from the packet's start on holds for every offset that is a
// constant on the way there, because it follows ways one by one. An unchecked access is executed only where its bytes
// are present (ir/ops.ts), so that one comparison can prove it and all that are executed after it in any case.

import type { DominatorTree } from '../../analysis/dominators.js'
import { postDominators } from '../../analysis/dominators.js'
import type { Block, Func, Instr } from '../../ir/types.js'
import { furthest, lengthCheck, placeOf } from './packet.js'
import type { Place } from './packet.js'
import type { Forgotten } from './umax.js'

export interface ProofOptions {
  readonly tree: DominatorTree
  readonly isForgotten: Forgotten
  /** The largest value, in any execution. */
  readonly bound: (i: Instr) => bigint
  /** Whether a branch compares with the packet's end itself. */
  readonly isWritten: (cond: Instr) => boolean
  /** Whether the pointer to an offset was made above the block: the same one stands there whichever way leads to it. */
  readonly isMadeAbove: (base: Instr, block: Block) => boolean
}

/** Where a proof is wanted: an access and its place. */
export interface Wanted {
  readonly block: Block
  readonly access: Instr
  readonly place: Place
}

export class PacketProofs {
  private readonly func: Func
  private readonly options: ProofOptions
  /** What is known at the end of blocks that have been asked about: bytes from a base on. */
  private readonly known = new Map<Block, Map<Instr | undefined, number>>()
  private post: DominatorTree | undefined

  constructor(func: Func, options: ProofOptions) {
    this.func = func
    this.options = options
  }

  /** Whether the verifier knows in `block` that there are `end` bytes from `base` on. Ask in reverse postorder. */
  knows(block: Block, base: Instr | undefined, end: number): boolean {
    return this.bytesFrom(base, this.at(block)) >= end
  }

  /** From here on in the block, and below, it has been shown them. */
  learn(block: Block, { base, offset }: Place): void {
    raise(this.at(block), base, offset)
  }

  /** The furthest byte from the place's base on that this access reaches, and those that come after it in any case. */
  reach({ block, access, place }: Wanted): number {
    const { tree, bound } = this.options
    this.post ??= postDominators(this.func)
    let end = place.offset
    for (let b: Block | undefined = block; b; b = this.post.parent(b)) {
      if (!tree.dominates(block, b)) continue
      const from = b === block ? b.instrs.indexOf(access) : 0
      for (const i of b.instrs.slice(from)) {
        if (!isUnchecked(i)) continue
        const at = placeOf(i.args[1], bound)
        const last = at.offset + Number(i.attrs.offset) + Number(i.attrs.width)
        if (at.base === place.base && last <= furthest) end = Math.max(end, last)
      }
    }
    return end
  }

  private at(block: Block): Map<Instr | undefined, number> {
    const found = this.known.get(block)
    if (found) return found
    const known = new Map(this.inherited(block))
    this.known.set(block, known)
    if (block.preds.length === 1) this.edge(block.preds[0], block, known)
    else this.meet(block, known)
    return known
  }

  private inherited(block: Block): Iterable<[Instr | undefined, number]> {
    const parent = this.options.tree.parent(block)
    return parent ? this.at(parent) : []
  }

  /** Adds what the branch at the end of `from` says on the way to `to`. */
  private edge(from: Block, to: Block, known: Map<Instr | undefined, number>): void {
    const place = this.told(from, to)
    if (place) raise(known, place.base, place.offset)
  }

  /** Up to where there are bytes if the branch at the end of `from` goes to `to`. */
  private told({ term }: Block, to: Block): Place | undefined {
    if (term.op !== 'branch' || term.targets[0] === term.targets[1] || !this.options.isWritten(term.cond))
      return undefined
    const check = lengthCheck(term.cond, this.options.bound)
    return check?.sense === (term.targets[0] === to) ? check.place : undefined
  }

  /** Adds what is known on all ways into a block where ways meet. */
  private meet(block: Block, known: Map<Instr | undefined, number>): void {
    const { tree, isForgotten, isMadeAbove } = this.options
    if (block.preds.some(p => tree.dominates(block, p))) return
    const ways = block.preds.map(p => {
      const place = this.told(p, block)
      if (!place) return this.at(p)
      const way = new Map(this.at(p))
      raise(way, place.base, place.offset)
      return way
    })
    const least = (of: (k: number) => Instr | undefined): number =>
      Math.min(...ways.map((way, k) => this.bytesFrom(of(k), way)))
    if (ways.length)
      raise(
        known,
        undefined,
        least(() => undefined),
      )
    for (const i of block.instrs) {
      if (i.op !== 'phi') break
      if (largestConstant(i, isForgotten) !== undefined)
        raise(
          known,
          i,
          least(k => i.args[k]),
        )
    }
    for (const base of new Set(ways.flatMap(way => [...way.keys()])))
      if (base && (largestConstant(base, isForgotten) !== undefined || isMadeAbove(base, block)))
        raise(
          known,
          base,
          least(() => base),
        )
  }

  private bytesFrom(base: Instr | undefined, known: ReadonlyMap<Instr | undefined, number>): number {
    const start = known.get(undefined) ?? 0
    if (!base) return start
    const largest = largestConstant(base, this.options.isForgotten)
    return Math.max(known.get(base) ?? 0, largest === undefined ? 0 : start - largest)
  }
}

function raise(known: Map<Instr | undefined, number>, base: Instr | undefined, end: number): void {
  if (end > (known.get(base) ?? 0)) known.set(base, end)
}

const isUnchecked = (i: Instr): boolean => i.op === 'store' || (i.op === 'load' && i.attrs.checked === false)

/** The largest of the constants that a value can be; undefined if it can be anything else. */
function largestConstant(value: Instr, isForgotten: Forgotten): number | undefined {
  if (value.op === 'const') return Number(value.attrs.value)
  const choices = value.op === 'select' ? value.args.slice(1) : value.op === 'phi' ? value.args : []
  // A phi that is not forgotten is in no cycle.
  if (choices.length === 0 || isForgotten(value)) return undefined
  const found = choices.map(c => largestConstant(c, isForgotten))
  return found.includes(undefined) ? undefined : Math.max(...found.map(Number))
}
