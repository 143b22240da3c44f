// Which values are alive together: the interference graph of a machine function.
//
// Two values interfere if one is defined while the other is still needed. A phi's operands are needed at the end of
// the predecessor they belong to; its results exist from the block's start on, all at once. Values are nodes here,
// numbered in the order of their definitions.

import { LiveSet } from './live-set.js'
import { isValue, valuesIn } from './machine.js'
import type { Block, Machine, Value } from './machine.js'
import { Pairs } from './pairs.js'

export interface Interference {
  /** Every value that is defined, by node: in an order in which definitions come before uses. */
  readonly values: readonly Value[]
  /** The nodes of this graph, in that order: all, or those that stand for classes. */
  readonly nodes: readonly number[]
  /** Throws for a value that is not defined. */
  readonly nodeOf: (value: Value) => number
  /** As nodeOf, without throwing. */
  readonly find: (value: Value) => number | undefined
  /** By node, in the order in which they were found. */
  readonly neighbours: readonly (readonly number[])[]
  /** Neighbours as pairs; those of nodes that are no longer in the graph mean nothing. */
  readonly meet: Pairs
  /** By node: 1 for values needed after a call during which they exist: r1 to r5 cannot hold them. */
  readonly acrossCalls: Uint8Array
  /** By node: definitions and uses, each counted as often as it runs. */
  readonly weight: Float64Array
}

export function interference(machine: Machine, often: ReadonlyMap<Block, number>): Interference {
  const values = definedIn(machine)
  // Not by number: those of functions that were put together are not unique.
  const places = new Map(values.map((v, k) => [v, k]))
  const find = (v: Value): number | undefined => places.get(v)
  const nodeOf = (v: Value): number => {
    const node = places.get(v)
    if (node === undefined) throw new Error(`${machine.name}: value ${v.id} was never defined`)
    return node
  }
  const liveOut = solve(machine, values.length, nodeOf)
  const neighbours: number[][] = values.map(() => [])
  const meet = new Pairs(values.length)
  const acrossCalls = new Uint8Array(values.length)
  const weight = new Float64Array(values.length)
  const join = (a: number, b: number): void => {
    if (b === a || meet.has(a, b)) return
    meet.add(a, b)
    neighbours[a].push(b)
    neighbours[b].push(a)
  }
  const live = new LiveSet(values.length)
  let defined = 0
  const joinDefined = (b: number): void => join(defined, b)
  const withLive = (a: number): void => {
    defined = a
    live.each(joinDefined)
  }
  const isNeeded = (l: number): void => void (acrossCalls[l] = 1)

  const params = machine.params.map(nodeOf)
  for (const p of params) for (const q of params) join(p, q)
  for (const [number, block] of machine.blocks.entries()) {
    const runs = often.get(block) ?? 0
    live.set(liveOut[number])
    for (const v of endUses(block)) {
      need(v, live, nodeOf)
      weight[nodeOf(v)] += runs
    }
    for (let k = block.steps.length - 1; k >= 0; k--) {
      const { dst, call, uses } = block.steps[k]
      if (dst) {
        const node = nodeOf(dst)
        live.delete(node)
        withLive(node)
        if (!dst.again) weight[node] += runs
        // What is read again is read while the result may be there already.
        for (const { again } of uses) if (again) join(node, nodeOf(again.pointer))
      }
      if (call) live.each(isNeeded)
      for (const u of uses) {
        need(u, live, nodeOf)
        weight[nodeOf(u)] += runs
      }
    }
    const results = block.phis.map(p => nodeOf(p.dst))
    for (const r of results) {
      withLive(r)
      for (const other of results) join(r, other)
      weight[r] += runs
    }
    if (number === 0) for (const p of params) withLive(p)
  }
  return { values, nodes: values.map((_, k) => k), nodeOf, find, neighbours, meet, acrossCalls, weight }
}

/** In the order of their definitions. */
function definedIn({ params, blocks }: Machine): Value[] {
  const values = [...params]
  for (const { phis, steps } of blocks) {
    for (const { dst } of phis) values.push(dst)
    for (const { dst } of steps) if (dst) values.push(dst)
  }
  return values
}

/** A use keeps a value alive, and what it may be read from again. */
function need(v: Value, live: LiveSet, nodeOf: Interference['nodeOf']): void {
  live.add(nodeOf(v))
  if (v.again) live.add(nodeOf(v.again.pointer))
}

function endUses({ end }: Block): readonly Value[] {
  if (end.kind === 'branch') return end.condition.uses
  return end.kind === 'return' && end.result !== undefined ? valuesIn([end.result]) : []
}

/** Values alive at the end of each block, by its place, before the copies into its successors' phis. */
function solve({ blocks }: Machine, count: number, nodeOf: Interference['nodeOf']): readonly number[][] {
  const places = new Map(blocks.map((b, k) => [b, k]))
  const targets = blocks.map(b => b.end.targets.map(to => places.get(to)!))
  const liveIn: (readonly number[] | undefined)[] = blocks.map(() => undefined)
  const liveOut: number[][] = blocks.map(() => [])
  const words = (count + 31) >>> 5
  const isOut = new Int32Array(blocks.length * words)
  const live = new LiveSet(count)
  for (let changed = true; changed;) {
    changed = false
    for (let number = blocks.length - 1; number >= 0; number--) {
      const block = blocks[number]
      const out = liveOut[number]
      const before = liveIn[number]
      const { length } = out
      const keep = (node: number): void => {
        const [word, bit] = [number * words + (node >>> 5), 1 << (node & 31)]
        if (isOut[word] & bit) return
        isOut[word] |= bit
        out.push(node)
      }
      for (const to of targets[number]) {
        for (const node of liveIn[to] ?? []) keep(node)
        if (before) continue
        const { phis, preds } = blocks[to]
        for (const [k, p] of preds.entries())
          if (p === block)
            for (const { args } of phis) {
              const arg = args[k]
              if (isValue(arg)) keep(nodeOf(arg))
            }
      }
      // Of the same values behind it, the same are needed before it.
      if (before && out.length === length) continue
      live.set(out)
      for (const v of endUses(block)) need(v, live, nodeOf)
      for (let k = block.steps.length - 1; k >= 0; k--) {
        const { dst, uses } = block.steps[k]
        if (dst) live.delete(nodeOf(dst))
        for (const u of uses) need(u, live, nodeOf)
      }
      for (const phi of block.phis) live.delete(nodeOf(phi.dst))
      const numbers = live.numbers()
      if (before?.length === numbers.length) continue
      liveIn[number] = numbers
      changed = true
    }
  }
  return liveOut
}
