// Which values are alive together: the interference graph of a machine function.
//
// Two values interfere if one is defined while the other is still needed. A phi's operands are needed at the end of
// the predecessor they belong to; its results exist from the block's start on, all at once.

import { isValue, valuesIn } from './machine.js'
import type { Block, Machine, Value } from './machine.js'

export interface Interference {
  /** Every value that is defined, in an order in which definitions come before uses. */
  readonly values: readonly Value[]
  readonly neighbours: ReadonlyMap<Value, ReadonlySet<Value>>
  /** Values needed after a call during which they exist: r1 to r5 cannot hold them. */
  readonly acrossCalls: ReadonlySet<Value>
  /** Definitions and uses, each counted as often as it runs. */
  readonly weight: ReadonlyMap<Value, number>
}

export function interference(machine: Machine, often: ReadonlyMap<Block, number>): Interference {
  const liveOut = solve(machine)
  const neighbours = new Map<Value, Set<Value>>()
  const acrossCalls = new Set<Value>()
  const weight = new Map<Value, number>()
  const values: Value[] = []
  const of = (v: Value): Set<Value> => {
    let set = neighbours.get(v)
    if (!set) neighbours.set(v, (set = new Set()))
    return set
  }
  const together = (v: Value, live: Iterable<Value>): void => {
    const own = of(v)
    for (const l of live) {
      if (l === v) continue
      own.add(l)
      of(l).add(v)
    }
  }
  const weigh = (v: Value, block: Block): void =>
    void weight.set(v, (weight.get(v) ?? 0) + (often.get(block) ?? 0))

  for (const p of machine.params) {
    values.push(p)
    of(p)
    together(p, machine.params)
  }
  for (const block of machine.blocks) {
    const live = new Set(liveOut.get(block))
    const defined: Value[] = []
    for (const v of endUses(block)) {
      need(v, live)
      weigh(v, block)
    }
    for (const s of block.steps.toReversed()) {
      if (s.dst) {
        defined.push(s.dst)
        live.delete(s.dst)
        together(s.dst, live)
        of(s.dst)
        if (!s.dst.again) weigh(s.dst, block)
        // What is read again is read while the result may be there already.
        for (const { again } of s.uses) if (again) together(s.dst, [again.pointer])
      }
      if (s.call) for (const l of live) acrossCalls.add(l)
      for (const u of s.uses) {
        need(u, live)
        weigh(u, block)
      }
    }
    const results = block.phis.map(p => p.dst)
    for (const r of results) {
      together(r, live)
      together(r, results)
      of(r)
      weigh(r, block)
    }
    if (block === machine.blocks[0]) for (const p of machine.params) together(p, live)
    values.push(...results, ...defined.toReversed())
  }
  return { values, neighbours, acrossCalls, weight }
}

/** A use keeps a value alive, and what it may be read from again. */
function need(v: Value, live: Set<Value>): void {
  live.add(v)
  if (v.again) live.add(v.again.pointer)
}

function endUses({ end }: Block): readonly Value[] {
  if (end.kind === 'branch') return end.condition.uses
  return end.kind === 'return' && end.result !== undefined ? valuesIn([end.result]) : []
}

/** Values alive at the end of each block, before the copies into its successors' phis. */
function solve(machine: Machine): ReadonlyMap<Block, ReadonlySet<Value>> {
  const liveIn = new Map<Block, Set<Value>>()
  const liveOut = new Map<Block, Set<Value>>(machine.blocks.map(b => [b, new Set()]))
  for (let changed = true; changed;) {
    changed = false
    for (const block of machine.blocks.toReversed()) {
      const out = liveOut.get(block)!
      const before = liveIn.get(block)
      const { size } = out
      for (const to of block.end.targets) {
        for (const v of liveIn.get(to) ?? []) out.add(v)
        if (before) continue
        to.preds.forEach((p, k) => {
          if (p !== block) return
          for (const phi of to.phis) if (isValue(phi.args[k])) out.add(phi.args[k])
        })
      }
      // Of the same values behind it, the same are needed before it.
      if (before && out.size === size) continue
      const live = new Set(out)
      for (const v of endUses(block)) need(v, live)
      for (const s of block.steps.toReversed()) {
        if (s.dst) live.delete(s.dst)
        for (const u of s.uses) need(u, live)
      }
      for (const phi of block.phis) live.delete(phi.dst)
      if (before?.size === live.size) continue
      liveIn.set(block, live)
      changed = true
    }
  }
  return liveOut
}
