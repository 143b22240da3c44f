// Which values are to share a register, so that no copy is needed between them: a phi's result with its operands, and a
// result with the operand that its instruction overwrites.
//
// Classes are merged where nothing in one is alive with anything in the other, and only while the merged class is as
// easy to colour as before (Briggs's test: fewer neighbours of many neighbours than there are registers). Promises:
// deterministic. Read liveness.ts and allocate.ts first.

import type { Interference } from './liveness.js'
import { isValue } from './machine.js'
import type { Block, Machine, Value } from './machine.js'

export interface Affinity {
  readonly a: Value
  readonly b: Value
  /** How often the copy would run, roughly. */
  readonly weight: number
}

/** Registers there are, and of them those that calls keep. */
export interface Registers {
  readonly either: number
  readonly kept: number
}

/** Copies that a machine function has unless their ends share a register; the most expensive first. */
export function affinities({ blocks }: Machine, often: ReadonlyMap<Block, number>): Affinity[] {
  const found: Affinity[] = []
  for (const block of blocks) {
    for (const { dst, args } of block.phis)
      args.forEach((b, k) => {
        if (isValue(b)) found.push({ a: dst, b, weight: often.get(block.preds[k]) ?? 0 })
      })
    for (const { dst, uses } of block.steps)
      if (dst?.like && uses.includes(dst.like))
        found.push({ a: dst, b: dst.like, weight: often.get(block) ?? 0 })
  }
  return found.toSorted((x, y) => y.weight - x.weight)
}

export interface Coalesced {
  /** Of classes, each by its leader. */
  readonly graph: Interference
  readonly leader: (v: Value) => Value
}

/** Merges what may be merged. */
export function coalesce(graph: Interference, pairs: readonly Affinity[], registers: Registers): Coalesced {
  const leaders = new Map<Value, Value>()
  const leader = (v: Value): Value => {
    let at = v
    for (let up = leaders.get(at); up; up = leaders.get(at)) at = up
    return at
  }
  const neighbours = new Map([...graph.neighbours].map(([v, set]) => [v, new Set(set)]))
  const acrossCalls = new Set(graph.acrossCalls)
  const weight = new Map(graph.weight)
  const room = (v: Value): number => (acrossCalls.has(v) ? registers.kept : registers.either)
  const place = new Map(graph.values.map((v, k) => [v, k]))
  for (const pair of pairs) {
    let [a, b] = [leader(pair.a), leader(pair.b)]
    if (a === b || neighbours.get(a)!.has(b)) continue
    if (place.get(b)! < place.get(a)!) [a, b] = [b, a]
    const [ofA, ofB] = [neighbours.get(a)!, neighbours.get(b)!]
    const limit = Math.min(room(a), room(b))
    let significant = 0
    for (const n of ofA) {
      if (neighbours.get(n)!.size - (ofB.has(n) ? 1 : 0) >= room(n)) significant++
      if (significant >= limit) break
    }
    for (const n of ofB) {
      if (significant >= limit) break
      if (!ofA.has(n) && neighbours.get(n)!.size >= room(n)) significant++
    }
    if (significant >= limit) continue
    leaders.set(b, a)
    for (const n of ofB) {
      neighbours.get(n)!.delete(b)
      neighbours.get(n)!.add(a)
      ofA.add(n)
    }
    neighbours.delete(b)
    if (acrossCalls.delete(b)) acrossCalls.add(a)
    weight.set(a, (weight.get(a) ?? 0) + (weight.get(b) ?? 0))
    a.prefer ??= b.prefer
  }
  const values = graph.values.filter(v => !leaders.has(v))
  return { graph: { values, neighbours, acrossCalls, weight }, leader }
}
