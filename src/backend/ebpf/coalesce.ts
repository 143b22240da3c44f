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
  /** By node. */
  readonly leader: (node: number) => number
}

/** Merges what may be merged. */
export function coalesce(graph: Interference, pairs: readonly Affinity[], registers: Registers): Coalesced {
  const { values, nodeOf, find } = graph
  const leaders = new Int32Array(values.length).fill(-1)
  const leader = (node: number): number => {
    let at = node
    while (leaders[at] >= 0) at = leaders[at]
    return at
  }
  const neighbours = graph.neighbours.map(list => [...list])
  // Lists keep those that were merged into others, counts do not.
  const counts = Int32Array.from(neighbours, list => list.length)
  const meet = graph.meet.copy()
  const acrossCalls = graph.acrossCalls.slice()
  const weight = graph.weight.slice()
  const room = (node: number): number => (acrossCalls[node] ? registers.kept : registers.either)
  for (const pair of pairs) {
    let [a, b] = [leader(nodeOf(pair.a)), leader(nodeOf(pair.b))]
    if (a === b || meet.has(a, b)) continue
    if (b < a) [a, b] = [b, a]
    const [ofA, ofB] = [neighbours[a], neighbours[b]]
    const limit = Math.min(room(a), room(b))
    let significant = 0
    for (const n of ofA) {
      if (leaders[n] >= 0) continue
      if (counts[n] - (meet.has(b, n) ? 1 : 0) >= room(n)) significant++
      if (significant >= limit) break
    }
    for (const n of ofB) {
      if (significant >= limit) break
      if (leaders[n] < 0 && !meet.has(a, n) && counts[n] >= room(n)) significant++
    }
    if (significant >= limit) continue
    leaders[b] = a
    for (const n of ofB) {
      if (leaders[n] >= 0) continue
      if (meet.has(a, n)) counts[n]--
      else {
        meet.add(a, n)
        neighbours[n].push(a)
        ofA.push(n)
        counts[a]++
      }
    }
    if (acrossCalls[b]) acrossCalls[a] = 1
    weight[a] += weight[b]
    values[a].prefer ??= values[b].prefer
  }
  const isLeader = (node: number): boolean => leaders[node] < 0
  const joined = {
    nodes: graph.nodes.filter(isLeader),
    neighbours: neighbours.map((list, node) => (isLeader(node) ? list.filter(isLeader) : [])),
  }
  return { graph: { values, nodeOf, find, ...joined, meet, acrossCalls, weight }, leader }
}
