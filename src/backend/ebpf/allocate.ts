// Gives every value a register, or a slot of the stack where there are too few.
//
// Values in SSA form can be coloured in the order of their definitions: each takes a register that none of those alive
// with it has. Where none is left, the cheapest of them all by uses lives on the stack instead, whole. r2 to r5 are lost at calls; r6 to r9 are kept. Promises: deterministic.

import type { Register } from './asm.js'
import { affinities, coalesce } from './coalesce.js'
import { frequencies } from './frequency.js'
import { interference } from './liveness.js'
import type { Interference } from './liveness.js'
import { isValue } from './machine.js'
import type { Machine, Source, Value } from './machine.js'
import { slotsOf } from './slots.js'

export type Location = { readonly register: Register } | { readonly slot: number }

export interface Allocation {
  /** Where a value is read from each time it is used, if neither register nor slot holds it. */
  readonly again: (value: Value) => Source | undefined
  readonly location: (value: Value) => Location
  /** Slots of 8 bytes in use. */
  readonly slots: number
  /** Names of what lives on the stack, the author's where there are any. */
  readonly spilled: readonly string[]
}

/** Registers that calls keep, and all there are to give, as bits. */
const kept = 0b11_1100_0000
const either = 0b11_1111_1100

export function allocate(machine: Machine): Allocation {
  const often = frequencies(machine)
  const graph = interference(machine, often)
  const { values, nodes, nodeOf } = graph
  // Values that should share a register are coloured as one, unless that costs a place on the stack.
  const plain = color(graph)
  const pairs = affinities(machine, often)
  const joined = coalesce(graph, pairs, { either: 8, kept: 4 })
  const together = color(joined.graph)
  const cost = ({ spilled }: Colouring, { weight }: Interference): number =>
    spilled.reduce((sum, v) => sum + weight[v], 0)
  const better = cost(together, joined.graph) <= cost(plain, graph)
  const { registers, spilled: classes } = better ? together : plain
  const leader = better ? joined.leader : (v: number): number => v
  const isSpilled = new Uint8Array(values.length)
  for (const v of classes) isSpilled[v] = 1
  const spilled = nodes.filter(v => isSpilled[leader(v)])
  const moved = spilled.some(v => values[v].again) ? movedIn(machine) : new Set<Value>()
  const isAgain = (v: number): boolean => values[v].again !== undefined && !moved.has(values[v])
  const again = new Set(spilled.filter(isAgain).map(v => values[v]))
  const slots = slotsOf(
    graph,
    spilled.filter(v => !isAgain(v)),
    pairs,
  )
  return {
    again: v => (again.has(v) ? v.again : undefined),
    location: v => {
      const node = nodeOf(v)
      const register = registers[leader(node)]
      if (register > 0) return { register: register as Register }
      const slot = slots.get(node)
      if (slot === undefined) throw new Error(`${machine.name}: value ${v.id} has no place`)
      return { slot }
    },
    slots: Math.max(0, ...[...slots.values()].map(s => s + 1)),
    spilled: [...new Set(spilled.flatMap(v => values[v].name ?? []))],
  }
}

/** Values that are copied to a place, between blocks or for a call. */
function movedIn({ blocks }: Machine): ReadonlySet<Value> {
  const moved = new Set<Value>()
  for (const { phis, steps } of blocks) {
    for (const { args } of phis) for (const a of args) if (isValue(a)) moved.add(a)
    for (const { call, uses } of steps) if (call) for (const u of uses) moved.add(u)
  }
  return moved
}

interface Colouring {
  /** By node; 0 for those without. */
  readonly registers: Uint8Array
  /** Nodes, in the order in which they lost. */
  readonly spilled: readonly number[]
}

/** Registers for all values that do not end up in `spilled`. */
function color(graph: Interference): Colouring {
  const { values, nodes, find, acrossCalls } = graph
  const spilled: number[] = []
  const registers = new Uint8Array(values.length)
  // By node: whoever would like to have its register.
  const wishes: number[][] = []
  for (const v of nodes) {
    const { like } = values[v]
    // What it would like to be with may be gone, as nobody used it.
    const node = like && find(like)
    if (node !== undefined) (wishes[node] ??= []).push(v)
  }
  for (const v of nodes) {
    const neighbours = graph.neighbours[v]
    const usable = acrossCalls[v] ? kept : either
    let taken = 0
    for (const n of neighbours) taken |= 1 << registers[n]
    let allowed = usable & ~taken
    while (allowed === 0) {
      const victim = cheapest(v, graph, registers, usable)
      spilled.push(victim)
      if (victim === v) break
      registers[victim] = 0
      taken = 0
      for (const n of neighbours) taken |= 1 << registers[n]
      allowed = usable & ~taken
    }
    if (allowed !== 0) registers[v] = chosen(v, allowed)
  }
  return { registers, spilled }

  /** Of the registers that are allowed: one that would save a copy, or the first. */
  function chosen(v: number, allowed: number): number {
    const { prefer, like } = values[v]
    if (prefer !== undefined && (allowed >>> prefer) & 1) return prefer
    const node = like && find(like)
    const liked = node !== undefined && registers[node]
    if (liked && (allowed >>> liked) & 1) return liked
    for (const w of wishes[v] ?? []) if (registers[w] && (allowed >>> registers[w]) & 1) return registers[w]
    return 31 - Math.clz32(allowed & -allowed)
  }
}

/** Whichever is used least, by its neighbours: the value, or one that has a register it could have. */
function cheapest(node: number, graph: Interference, registers: Uint8Array, usable: number): number {
  let [best, least] = [node, cost(node, graph)]
  for (const n of graph.neighbours[node]) {
    if (registers[n] === 0 || ((usable >>> registers[n]) & 1) === 0) continue
    const c = cost(n, graph)
    if (c < least) [best, least] = [n, c]
  }
  return best
}

const cost = (node: number, { weight, neighbours }: Interference): number =>
  weight[node] / (1 + neighbours[node].length)
