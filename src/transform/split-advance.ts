// Splits `advance` in two: what depends on the item alone, and what needs the state. The items of one packet are known
// together, so a worker can do the first part of all of them before the second part of any: their hashes overlap in
// the processor, and so do the cache misses of the table lines they will need.
//
//   early    item → note: computes what the rest would compute from the item (hashes, key words), and reads one word
//            of every table line that the item alone decides, for nothing but to have it in the cache
//   late     note → state: advance with those results read from the note
//
// late after early = advance, on any item (split-advance.test.ts). A note stands behind its item, at byte `noteAt`.
// Values that are cheap to compute again are not in it.

import { cloneFunction } from '../ir/clone.js'
import { bitsOf, opInfo } from '../ir/ops.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { mergeBitTests } from './bit-tests.js'
import { branchless } from './branchless.js'
import { cse } from './cse.js'
import { dce } from './dce.js'
import { ownConditions } from './own-conditions.js'
import { sink } from './sink.js'
import { split } from './split.js'

/** Whether a word of a state object never changes: `offset` counts from the object's start. */
export type IsConstant = (object: string, offset: number) => boolean

export interface SplitAdvance {
  /** Two blocks: what is the same for all items, and what an item needs. Returns nothing. */
  readonly early: Func
  readonly late: Func
  /** Reads of `early` whose results nobody needs. */
  readonly touches: ReadonlySet<Instr>
  /** Where notes begin, counted from the item: its size rounded up to 8. */
  readonly noteAt: number
  /** Bytes of a note; 0 if there is nothing to note. */
  readonly noteBytes: number
}

/** A value is computed again, not noted, if that takes no more instructions than these. */
const cheap = 3

export function splitAdvance(advance: Func, itemBytes: number, isConstant: IsConstant): SplitAdvance {
  const { func: late } = cloneFunction(advance, 'late')
  const known = new Early(late, isConstant)
  const noteAt = Math.ceil(itemBytes / 8) * 8
  const noted = known.notes(noteAt)
  const end = Math.max(noteAt, ...[...noted].map(([c, at]) => at + widthOf(c)))
  const early = known.function(noted)
  branchless(early.early)
  for (const block of late.blocks) readNotes(late, block, i => noted.get(known.classOf(i)!))
  // What only some ways need was computed above: the hash among them, for a key's second bucket.
  cse(late)
  dce(late)
  sink(late)
  readWhereUsed(late, isConstant)
  cse(late)
  dce(late)
  ownConditions(late)
  split(late)
  mergeBitTests(late)
  dce(late)
  return { ...early, late, noteAt, noteBytes: end - noteAt }
}

/** Makes noted values reads of the note, where they stand. */
function readNotes(func: Func, block: Block, offsetOf: (i: Instr) => number | undefined): void {
  block.instrs = block.instrs.flatMap(i => {
    const offset = offsetOf(i)
    if (offset === undefined) return [i]
    const attrs = { width: widthOf(i), offset }
    if (i.type !== 'i1') {
      Object.assign(i, { op: 'item.load', args: [], attrs })
      return [i]
    }
    const byte: Instr = { id: func.nextId++, op: 'item.load', type: 'i32', args: [], attrs }
    const zero: Instr = { id: func.nextId++, op: 'const', type: 'i32', args: [], attrs: { value: 0n } }
    Object.assign(i, { op: 'ne', args: [byte, zero], attrs: {} })
    return [byte, zero, i]
  })
}

/** Gives every block that uses a word of the note, or one that never changes, a read of its own: cse keeps the first. */
function readWhereUsed(func: Func, isConstant: IsConstant): void {
  const floats = (i: Instr): boolean =>
    i.op === 'item.load' || (i.op === 'state.load' && isConstantRead(i, isConstant))
  const copies = new Map<Block, Map<Instr, Instr>>(func.blocks.map(b => [b, new Map<Instr, Instr>()]))
  const copyIn = (block: Block, i: Instr): Instr => {
    if (!floats(i)) return i
    const known = copies.get(block)!.get(i)
    if (known) return known
    const args = i.args.map(a => ({ ...a, id: func.nextId++ }))
    const copy = { ...i, id: func.nextId++, args }
    copies.get(block)!.set(i, copy)
    block.instrs.push(...args, copy)
    return copy
  }
  for (const block of func.blocks) {
    const before = block.instrs
    block.instrs = []
    for (const i of before) {
      if (floats(i)) continue
      if (i.op !== 'phi') i.args = i.args.map(a => copyIn(block, a))
      block.instrs.push(i)
    }
    const { term } = block
    if (term.op === 'branch') term.cond = copyIn(block, term.cond)
  }
  // Operands of phis are read at the end of the block they come from.
  for (const { instrs, preds } of func.blocks)
    for (const i of instrs) if (i.op === 'phi') i.args = i.args.map((a, k) => copyIn(preds[k], a))
}

const isConstantRead = ({ args: [at], attrs }: Instr, isConstant: IsConstant): boolean =>
  at.op === 'const' && isConstant(String(attrs.object), Number(at.attrs.value) + Number(attrs.offset))

const widthOf = (i: Instr): number =>
  i.op === 'item.load' ? Number(i.attrs.width) : Math.ceil(bitsOf(i.type) / 8)

/** The values of advance that depend on the item alone. Those that compute the same are one class: its first one. */
class Early {
  private readonly func: Func
  private readonly classes = new Map<Instr, Instr>()
  /** Classes that depend on no item either. */
  private readonly fixed = new Set<Instr>()

  constructor(func: Func, isConstant: IsConstant) {
    this.func = func
    const first = new Map<string, Instr>()
    for (const block of reversePostorder(func))
      for (const i of block.instrs) {
        const args = i.args.map(a => this.classes.get(a))
        if (args.includes(undefined) || !isEarly(i, isConstant)) continue
        const key = [i.op, i.type, ...args.map(a => a!.id), ...Object.entries(i.attrs).flat()].join(' ')
        const c = first.get(key) ?? i
        first.set(key, c)
        this.classes.set(i, c)
        if (c.op !== 'item.load' && args.every(a => this.fixed.has(a!))) this.fixed.add(c)
      }
  }

  classOf(i: Instr): Instr | undefined {
    return this.classes.get(i)
  }

  private argsOf(c: Instr): Instr[] {
    return c.args.map(a => this.classes.get(a)!)
  }

  /**
   * What goes into the note, with its offset. What the first blocks use is computed early, unless it is cheap. What
   * only some ways need is computed where it is needed, if one more value in the note is enough for that.
   */
  notes(noteAt: number): ReadonlyMap<Instr, number> {
    const noted = new Map<Instr, number>()
    const again = new Set<Instr>()
    /** What `early` computes in any case. */
    const ready = new Set<Instr>()
    const makeReady = (c: Instr): void => {
      if (ready.has(c)) return
      ready.add(c)
      this.argsOf(c).forEach(makeReady)
    }
    for (const i of this.firstReads()) makeReady(this.classes.get(i.args[0])!)
    let at = noteAt
    const note = (c: Instr): void => {
      const width = widthOf(c)
      at = Math.ceil(at / width) * width
      noted.set(c, at)
      at += width
      makeReady(c)
    }
    const isThere = (c: Instr): boolean => noted.has(c) || again.has(c) || this.fixed.has(c)
    /** Instructions to compute it from what is noted; Infinity if the note does not say enough. */
    const cost = (c: Instr): number => {
      if (isThere(c)) return 0
      if (c.op === 'item.load') return Infinity
      return (c.op === 'zext' ? 0 : 1) + this.argsOf(c).reduce((n, a) => n + cost(a), 0)
    }
    const compute = (c: Instr): void => {
      if (isThere(c)) return
      again.add(c)
      this.argsOf(c).forEach(compute)
    }
    /** Values that would have to be noted to compute it where it is needed. */
    const missing = (c: Instr, found = new Set<Instr>()): Set<Instr> => {
      for (const a of this.argsOf(c)) {
        if (cost(a) <= cheap || found.has(a)) continue
        if (a.op === 'item.load' || ready.has(a)) found.add(a)
        else missing(a, found)
      }
      return found
    }
    const { first, rest } = this.frontier()
    for (const field of this.sharedFields([...first, ...rest])) note(field)
    for (const c of first)
      if (cost(c) <= cheap) compute(c)
      else note(c)
    for (const c of rest) {
      if (isThere(c)) continue
      const absent = ready.has(c) || c.op === 'item.load' ? [c] : [...missing(c)]
      if (absent.length === 1 && absent[0] !== c) note(absent[0])
      const isCheap = ready.has(c) ? cost(c) <= cheap : cost(c) < Infinity
      if (isCheap) compute(c)
      else note(c)
    }
    return noted
  }

  /** Fields of the item that several values are cheap to compute from: they are noted instead of the values. */
  private sharedFields(wanted: readonly Instr[]): Instr[] {
    const users = new Map<Instr, number>()
    for (const c of wanted) {
      const fields = this.fieldsOf(c)
      for (const field of fields?.size === 1 ? fields : []) users.set(field, (users.get(field) ?? 0) + 1)
    }
    return [...users].filter(([, n]) => n > 1).map(([field]) => field)
  }

  /** The fields that a value depends on, if it is cheap to compute from them. */
  private fieldsOf(c: Instr): ReadonlySet<Instr> | undefined {
    const fields = new Set<Instr>()
    let cost = 0
    const visit = (x: Instr): void => {
      if (this.fixed.has(x)) return
      if (x.op === 'item.load') return void fields.add(x)
      cost += x.op === 'zext' ? 0 : 1
      this.argsOf(x).forEach(visit)
    }
    visit(c)
    return cost <= cheap ? fields : undefined
  }

  /** Classes that something late uses, in program order: in the first blocks, and elsewhere. */
  private frontier(): { first: Instr[]; rest: Instr[] } {
    const sure = this.sureBlocks()
    const first = new Set<Instr>()
    const rest = new Set<Instr>()
    for (const b of reversePostorder(this.func)) {
      const use = (i: Instr): void => {
        const c = this.classes.get(i)
        if (c) (sure.has(b) ? first : rest).add(c)
      }
      for (const i of b.instrs) if (!this.classes.has(i)) i.args.forEach(use)
      if (b.term.op === 'branch') use(b.term.cond)
      if (b.term.op === 'return') b.term.args.forEach(use)
    }
    return { first: [...first], rest: [...rest].filter(c => !first.has(c)) }
  }

  /** Blocks on all ways that the item alone decides. */
  private sureBlocks(): ReadonlySet<Block> {
    const seen = new Set<Block>()
    const visit = (b: Block): void => {
      if (seen.has(b)) return
      seen.add(b)
      if (b.term.op !== 'branch' || this.classes.has(b.term.cond)) b.term.targets.forEach(visit)
    }
    visit(this.func.blocks[0])
    return seen
  }

  /** The first read at each address there. */
  private firstReads(): Instr[] {
    const found = new Map<string, Instr>()
    for (const b of this.sureBlocks())
      for (const i of b.instrs) {
        const address = i.op === 'state.load' && this.classes.get(i.args[0])
        if (!address || this.fixed.has(address)) continue
        const key = `${String(i.attrs.object)} ${address.id}`
        if (!found.has(key)) found.set(key, i)
      }
    return [...found.values()]
  }

  function(noted: ReadonlyMap<Instr, number>): Pick<SplitAdvance, 'early' | 'touches'> {
    const early: Func = { name: 'early', params: [], result: 'void', blocks: [], nextId: 0 }
    const block = (): Block => ({
      id: early.nextId++,
      instrs: [],
      term: { op: 'return', args: [], targets: [] },
      preds: [],
    })
    const [setup, each] = [block(), block()]
    setup.term = { op: 'jump', targets: [each] }
    each.preds.push(setup)
    early.blocks.push(setup, each)
    const add = (to: Block, i: Omit<Instr, 'id'>): Instr => {
      const copy = { ...i, id: early.nextId++ }
      to.instrs.push(copy)
      return copy
    }
    const made = new Map<Instr, Instr>()
    const value = (c: Instr): Instr => {
      const known = made.get(c)
      if (known) return known
      const copy = add(this.fixed.has(c) ? setup : each, { ...c, args: this.argsOf(c).map(value) })
      made.set(c, copy)
      // Noted as soon as it is there: it may have no other use, and needs no place until the end then.
      const offset = noted.get(c)
      if (offset !== undefined)
        add(each, { op: 'item.store', type: 'void', args: [copy], attrs: { width: widthOf(c), offset } })
      return copy
    }
    const touches = new Set<Instr>()
    for (const i of this.firstReads())
      touches.add(add(each, { ...i, args: [value(this.classes.get(i.args[0])!)] }))
    for (const c of noted.keys()) value(c)
    return { early, touches }
  }
}

function isEarly(i: Instr, isConstant: IsConstant): boolean {
  const { op, type, attrs } = i
  if (op === 'phi') return false
  if (op === 'input') return attrs.name === 'seed'
  if (op === 'state.load') return isConstantRead(i, isConstant)
  const { effect } = opInfo(op)
  return effect === 'item.read' || (effect === 'none' && type !== 'mem')
}
