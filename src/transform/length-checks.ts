// Checks of the packet's length that come earlier and say more: if a packet that is too short for a check further down
// ends where this check sends it anyway, with nothing done on the way, then this check may ask for that length at once,
// and the one further down is answered. A straight parse path is left with one comparison per header at most. Folding
// takes out what is answered (fold.ts), threading what is answered on one way in only: an IPv4 header that stands
// right behind the Ethernet header (thread.ts). Promises: the same verdicts, stores and counts.

import { predIndex, terminatorArgs } from '../analysis/cfg.js'
import { SettledBranches } from '../analysis/control-dependence.js'
import type { KnownCondition } from '../analysis/control-dependence.js'
import { maxOf } from '../analysis/interval.js'
import { Ranges } from '../analysis/ranges.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { constOf, keepTarget, newConst, newInstr, phisOf } from './edit.js'

/** Blocks that are looked at below one check. */
const furthest = 24

/** A branch that goes to `fails` unless base + end <= length; no base means 0. */
interface Check {
  readonly block: Block
  readonly base: Instr | undefined
  readonly end: bigint
  /** Position of the target of packets that are long enough. */
  readonly passes: 0 | 1
}

const isLength = (i: Instr): boolean => i.op === 'input' && i.attrs.name === 'length'

/** Whether a condition compares the packet's length. */
export const isLengthCheck = (cond: Instr): boolean =>
  cond.op === 'not' ? isLengthCheck(cond.args[0]) : cond.op === 'leu' && isLength(cond.args[1])

export function mergeLengthChecks(func: Func): boolean {
  if (!func.blocks.some(b => b.term.op === 'branch' && isLengthCheck(b.term.cond))) return false
  for (const block of func.blocks) addConstantsLast(func, block)
  const ranges = new Ranges(func)
  const checks = new Map<Block, Check>()
  for (const block of func.blocks) {
    const check = checkOf(block, ranges)
    if (check) checks.set(block, check)
  }
  let changed = false
  for (const block of func.blocks.toReversed()) {
    const check = checks.get(block)
    if (!check) continue
    const stronger = strengthened(func, check, checks, ranges)
    if (!stronger) continue
    checks.set(block, stronger)
    changed = true
  }
  const settled = new SettledBranches(func)
  for (const block of [...func.blocks]) {
    const check = checks.get(block)
    if (!check || !new Deferral(func, check, checks, ranges, settled.at(block)).run()) continue
    checks.delete(block)
    changed = true
  }
  for (const block of func.blocks) if (putFirst(func, block, checks)) changed = true
  return changed
}

/** x + 20 + y <= length becomes x + y + 20 <= length: x + y is one base for all checks and loads behind it. */
function addConstantsLast(func: Func, block: Block): void {
  const { term } = block
  if (term.op !== 'branch' || term.cond.op !== 'leu' || !isLength(term.cond.args[1])) return
  const [sum] = term.cond.args
  const home = sum.op === 'add' && func.blocks.find(b => b.instrs.includes(sum))
  if (!home || usedElsewhere(func, sum, block, term.cond)) return
  for (const [a, b] of [sum.args, sum.args.toReversed()]) {
    if (a.op !== 'add' || a.args[1].op !== 'const' || b.op === 'const') continue
    const rest = newInstr(func, 'add', [a.args[0], b], { like: sum })
    home.instrs.splice(home.instrs.indexOf(sum), 0, rest)
    sum.args = [rest, a.args[1]]
    return
  }
}

/** The block's branch as a check: `base + k <= length`, as the front end writes it. */
function checkOf(block: Block, ranges: Ranges): Check | undefined {
  const { term } = block
  if (term.op !== 'branch' || term.targets[0] === term.targets[1]) return undefined
  let { cond } = term
  let passes: 0 | 1 = 0
  while (cond.op === 'not') {
    cond = cond.args[0]
    passes = passes ? 0 : 1
  }
  if (cond.op !== 'leu' || !isLength(cond.args[1])) return undefined
  let [base] = cond.args
  let end = 0n
  while (base.op === 'add' && base.args[1].op === 'const') {
    const [a, b]: readonly Instr[] = base.args
    if (ranges.of(a).hi + ranges.of(b).hi > maxOf(base.type)) break
    end += BigInt(b.attrs.value)
    base = a
  }
  const constant = constOf(base)
  return constant === undefined
    ? { block, base, end, passes }
    : { block, base: undefined, end: end + constant, passes }
}

/** The check with the longest end that it can take over from those below; undefined if there is none. */
function strengthened(
  func: Func,
  check: Check,
  checks: ReadonlyMap<Block, Check>,
  ranges: Ranges,
): Check | undefined {
  const { block, base, passes } = check
  const { term } = block
  if (term.op !== 'branch') return undefined
  /** Bytes that a check wants from this one's base on, at least; it fails where they are not there. */
  const endFrom = (c: Check): bigint | undefined => {
    if (c.base === base) return c.end
    return base === undefined && c.base ? ranges.of(c.base).lo + c.end : undefined
  }
  const way = new Way(block, passes ? 0 : 1)
  const ends = new Set<bigint>()
  for (const below of way.blocks) {
    const c = checks.get(below)
    const end = c && endFrom(c)
    if (end !== undefined && end > check.end) ends.add(end)
  }
  for (const end of [...ends].toSorted((a, b) => (a < b ? 1 : -1))) {
    if (base && ranges.of(base).hi + end > maxOf(base.type)) continue
    const fails = (b: Block): 0 | 1 | undefined => {
      const c = checks.get(b)
      const wanted = c && endFrom(c)
      return wanted !== undefined && wanted >= end ? (c!.passes ? 0 : 1) : undefined
    }
    if (!way.alwaysEnds(fails)) continue
    const limit = newConst(func, 'i32', end)
    const sum = base && newInstr(func, 'add', [base, limit])
    const [length] = (term.cond.op === 'not' ? term.cond.args[0] : term.cond).args.slice(1)
    const cond = newInstr(func, 'leu', [sum ?? limit, length], { like: term.cond })
    block.instrs.push(limit, ...(sum ? [sum] : []), cond)
    if (passes === 0) term.cond = cond
    else {
      term.cond = newInstr(func, 'not', [cond], { like: term.cond })
      block.instrs.push(term.cond)
    }
    return { ...check, end }
  }
  return undefined
}

/** What packets that pass a check go through, as far as nothing is done there, and where those that fail it end. */
class Way {
  /** Below the check, nearest first. */
  readonly blocks: readonly Block[]
  private readonly from: Block
  private readonly failing: 0 | 1

  constructor(from: Block, failing: 0 | 1) {
    this.from = from
    this.failing = failing
    const found = new Set([this.target])
    for (const b of found) {
      if (found.size >= furthest || !doesNothing(b)) continue
      for (const t of b.term.targets) if (t !== this.end && t !== from) found.add(t)
    }
    this.blocks = [...found]
  }

  private get target(): Block {
    return this.from.term.targets[this.failing ? 0 : 1] as Block
  }

  private get end(): Block {
    return this.from.term.targets[this.failing] as Block
  }

  /** Whether control comes to the failing end with the same values, given where some branches go. */
  alwaysEnds(goes: (b: Block) => 0 | 1 | undefined): boolean {
    const wanted = phisOf(this.end).map(p => p.args[predIndex(this.from, this.failing)])
    const same = (b: Block, k: 0 | 1): boolean => {
      const at = predIndex(b, k)
      return phisOf(this.end).every((p, n) => isSame(p.args[at], wanted[n]))
    }
    const seen = new Set<Block>()
    const visit = (b: Block): boolean => {
      if (seen.has(b)) return true
      // A way that comes round again might never end.
      seen.add(b)
      if (!this.blocks.includes(b) || !doesNothing(b) || b.term.targets.length === 0) return false
      const only = goes(b)
      return b.term.targets.every((t, k) => {
        if (only !== undefined && k !== only) return true
        if (t === this.end) return same(b, k as 0 | 1)
        return visit(t)
      })
    }
    return !this.loops() && visit(this.target)
  }

  /** Whether control can come back to a block. */
  private loops(): boolean {
    const inside = new Set(this.blocks)
    const done = new Set<Block>()
    const open = new Set<Block>()
    const visit = (b: Block): boolean => {
      if (open.has(b)) return true
      if (done.has(b) || !inside.has(b)) return false
      open.add(b)
      const found = doesNothing(b) && b.term.targets.some(visit)
      open.delete(b)
      done.add(b)
      return found
    }
    return visit(this.target)
  }
}

/**
 * Makes a check later: not where its question comes up but where its answer is needed. On the ways on which a check of
 * more bytes follows, that one answers it; on the others it is made before anything is done, or where ways meet.
 */
class Deferral {
  private readonly func: Func
  private readonly check: Check
  private readonly checks: ReadonlyMap<Block, Check>
  private readonly ranges: Ranges
  private readonly settled: readonly KnownCondition[]
  private readonly edges: { readonly from: Block; readonly k: 0 | 1 }[] = []
  /** Where packets go that fail it, and the values that the phis there get from them. */
  private readonly ends: Block
  private readonly values: readonly Instr[]
  /** Whether a check was found that says more. */
  private answered = false

  constructor(
    func: Func,
    check: Check,
    checks: ReadonlyMap<Block, Check>,
    ranges: Ranges,
    settled: readonly KnownCondition[],
  ) {
    this.func = func
    this.check = check
    this.checks = checks
    this.ranges = ranges
    this.settled = settled
    const failing = check.passes ? 0 : 1
    this.ends = check.block.term.targets[failing] as Block
    this.values = phisOf(this.ends).map(p => p.args[predIndex(check.block, failing)])
  }

  run(): boolean {
    const { block, base, passes } = this.check
    if (!base) return false
    this.defer(block, passes)
    const { term } = block
    const moves = this.answered && this.edges.every(({ from }) => from !== block)
    if (!moves || this.edges.length > furthest || term.op !== 'branch') return false
    const length = (term.cond.op === 'not' ? term.cond.args[0] : term.cond).args[1]
    keepTarget(block, passes)
    for (const to of new Set(this.edges.map(({ from, k }) => from.term.targets[k] as Block))) {
      const here = this.edges.filter(({ from, k }) => from.term.targets[k] === to)
      if (here.length === to.preds.length) this.ask(this.above(to), to, length)
      else for (const { from, k } of here) this.ask(this.between(from, k), to, length)
    }
    return true
  }

  /** Looks where the answer is needed behind an edge. */
  private defer(from: Block, k: 0 | 1): void {
    const to = from.term.targets[k] as Block
    const known = this.checks.get(to)
    if (to === this.ends && phisOf(to).every((p, n) => isSame(p.args[predIndex(from, k)], this.values[n])))
      return
    if (to.preds.length > 1 || to.term.targets.length === 0 || !doesNothing(to) || !this.loadsProved(to))
      this.edges.push({ from, k })
    else if (known && known.base === this.check.base && known.end >= this.check.end) {
      this.answered ||= known.end > this.check.end
      this.defer(to, known.passes ? 0 : 1)
    } else to.term.targets.forEach((_, n) => this.defer(to, n as 0 | 1))
  }

  /** Whether the block's loads are where other checks say that there are bytes. */
  private loadsProved({ instrs }: Block): boolean {
    return instrs.every(i => {
      if (opInfo(i.op).effect !== 'packet.read' || i.attrs.checked === true) return true
      const { hi } = this.ranges.of(i.args[1])
      const width = BigInt(Number(i.attrs.offset) + Number(i.attrs.width))
      return this.settled.some(({ block, value }) => {
        const c = this.checks.get(block)
        if (!c || value !== (c.passes === 0)) return false
        if (c.base === i.args[1]) return c.end >= width
        return (c.base ? this.ranges.of(c.base).lo : 0n) + c.end >= hi + width
      })
    })
  }

  /** A new block in front of another, with its phis. */
  private above(to: Block): Block {
    const phis = phisOf(to)
    const block = this.block(to.preds, phis)
    to.instrs = to.instrs.slice(phis.length)
    for (const p of new Set(block.preds))
      p.term.targets.forEach((t, k) => {
        if (t === to) p.term.targets[k] = block
      })
    to.preds = [block]
    return block
  }

  /** A new block on an edge. */
  private between(from: Block, k: 0 | 1): Block {
    const to = from.term.targets[k] as Block
    const block = this.block([from], [])
    to.preds[predIndex(from, k)] = block
    from.term.targets[k] = block
    return block
  }

  private block(preds: Block[], instrs: Instr[]): Block {
    const { func } = this
    const block: Block = { id: func.nextId++, instrs, term: { op: 'unreachable', targets: [] }, preds }
    func.blocks.push(block)
    return block
  }

  private ask(block: Block, to: Block, length: Instr): void {
    const { func, check, ends, values } = this
    const limit = newConst(func, 'i32', check.end)
    const sum = newInstr(func, 'add', [check.base!, limit])
    const cond = newInstr(func, 'leu', [sum, length])
    block.instrs.push(limit, sum, cond)
    block.term = { op: 'branch', cond, targets: [to, ends] }
    ends.preds.push(block)
    phisOf(ends).forEach((p, n) => p.args.push(values[n]))
  }
}

const isSame = (a: Instr, b: Instr): boolean =>
  a === b || (a.type === b.type && a.op === 'const' && constOf(a) === constOf(b))

/** Whether a block only computes and reads. */
const doesNothing = (block: Block): boolean =>
  block.instrs.every(({ op }) => {
    if (op === 'phi') return true
    const { effect } = opInfo(op)
    return effect === 'none' || effect === 'packet.read' || effect === 'item.read'
  })

/**
 * Of two questions one after the other that end in the same place, a check of the length goes first, if its base is chosen
 * here: the way on which the check is answered can then be threaded around it.
 */
function putFirst(func: Func, block: Block, checks: Map<Block, Check>): boolean {
  const { term } = block
  if (term.op !== 'branch' || block.preds.length < 2 || checks.has(block)) return false
  for (const k of [0, 1] as const) {
    const next = term.targets[k]
    const check = checks.get(next)
    const other = term.targets[1 - k]
    if (!check?.base || next.preds.length !== 1 || next.term.op !== 'branch') continue
    if (check.base.op !== 'phi' || !block.instrs.includes(check.base)) continue
    if (!check.base.args.some(a => a.op === 'const')) continue
    if (next.term.targets[1 - k] !== other || check.passes !== k || other === next) continue
    if (next.instrs.some(i => i.op === 'phi' || opInfo(i.op).effect !== 'none')) continue
    const [here, there] = [predIndex(block, 1 - k), predIndex(next, 1 - k)]
    if (!phisOf(other).every(p => isSame(p.args[here], p.args[there]))) continue
    const moved = block.instrs.filter(i => i === term.cond && !usedElsewhere(func, i, block))
    block.instrs = [...block.instrs.filter(i => !moved.includes(i)), ...next.instrs]
    next.instrs = moved
    // Constants that stand above need no copies.
    const [entry] = func.blocks
    if (block === entry) return true
    entry.instrs.unshift(...block.instrs.filter(i => i.op === 'const'))
    block.instrs = block.instrs.filter(i => i.op !== 'const')
    ;[term.cond, next.term.cond] = [next.term.cond, term.cond]
    return true
  }
  return false
}

/** Whether anything but the block's branch, or one instruction, uses a value. */
const usedElsewhere = (func: Func, value: Instr, block: Block, by?: Instr): boolean =>
  func.blocks.some(
    b =>
      b.instrs.some(i => i !== by && i.args.includes(value)) ||
      (b !== block && terminatorArgs(b).includes(value)),
  )
