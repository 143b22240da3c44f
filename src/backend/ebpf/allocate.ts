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

const lost: readonly Register[] = [2, 3, 4, 5]
const kept: readonly Register[] = [6, 7, 8, 9]
const either: readonly Register[] = [...lost, ...kept]

export function allocate(machine: Machine): Allocation {
  const often = frequencies(machine)
  const graph = interference(machine, often)
  // Values that should share a register are coloured as one, unless that costs a place on the stack.
  const plain = color(graph)
  const pairs = affinities(machine, often)
  const joined = coalesce(graph, pairs, { either: either.length, kept: kept.length })
  const together = color(joined.graph)
  const cost = ({ spilled }: Colouring, of: Interference): number =>
    [...spilled].reduce((sum, v) => sum + (of.weight.get(v) ?? 0), 0)
  const better = cost(together, joined.graph) <= cost(plain, graph)
  const { registers, spilled: classes } = better ? together : plain
  const leader = better ? joined.leader : (v: Value): Value => v
  const spilled = new Set(graph.values.filter(v => classes.has(leader(v))))
  const moved = movedIn(machine)
  const again = new Set([...spilled].filter(v => v.again && !moved.has(v)))
  const slots = slotsOf(graph, new Set([...spilled].filter(v => !again.has(v))), pairs)
  return {
    again: v => (again.has(v) ? v.again : undefined),
    location: v => {
      const register = registers.get(leader(v))
      if (register !== undefined) return { register }
      const slot = slots.get(v)
      if (slot === undefined) throw new Error(`${machine.name}: value ${v.id} was never defined`)
      return { slot }
    },
    slots: Math.max(0, ...[...slots.values()].map(s => s + 1)),
    spilled: [...new Set([...spilled].flatMap(v => (v.name === undefined ? [] : [v.name])))],
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
  readonly registers: ReadonlyMap<Value, Register>
  readonly spilled: ReadonlySet<Value>
}

/** Registers for all values that do not end up in `spilled`. */
function color(graph: Interference): Colouring {
  const spilled = new Set<Value>()
  const registers = new Map<Value, Register>()
  const wishes = new Map<Value, Value[]>()
  for (const v of graph.values) if (v.like) wishes.set(v.like, [...(wishes.get(v.like) ?? []), v])
  for (const v of graph.values) {
    const neighbours = graph.neighbours.get(v)!
    const usable = graph.acrossCalls.has(v) ? kept : either
    const free = (): Register[] => {
      const taken = new Set<Register | undefined>()
      for (const n of neighbours) taken.add(registers.get(n))
      return usable.filter(r => !taken.has(r))
    }
    let allowed = free()
    while (allowed.length === 0) {
      const victim = cheapest(v, graph, registers, usable)
      spilled.add(victim)
      if (victim === v) break
      registers.delete(victim)
      allowed = free()
    }
    if (allowed.length === 0) continue
    const liked = [v.prefer, ...[v.like, ...(wishes.get(v) ?? [])].map(w => w && registers.get(w))]
    registers.set(v, liked.find(r => r !== undefined && allowed.includes(r)) ?? allowed[0])
  }
  return { registers, spilled }
}

/** Whichever is used least, by its neighbours: the value, or one that has a register it could have. */
function cheapest(
  value: Value,
  graph: Interference,
  registers: ReadonlyMap<Value, Register>,
  usable: readonly Register[],
): Value {
  let [best, least] = [value, cost(value, graph)]
  for (const n of graph.neighbours.get(value)!) {
    const register = registers.get(n)
    if (register === undefined || !usable.includes(register)) continue
    const c = cost(n, graph)
    if (c < least) [best, least] = [n, c]
  }
  return best
}

const cost = (v: Value, graph: Interference): number =>
  (graph.weight.get(v) ?? 0) / (1 + graph.neighbours.get(v)!.size)
