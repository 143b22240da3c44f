// What workers that share one copy of the state need: nothing, atomic additions, a lock per key, or one lock.
//
// Atomics do if a packet at most adds to one number: the amount and the place do not depend on state, and whatever is
// done with the sum changes no state. A lock per key does if everything a packet touches is found under one key that
// does not depend on state. Promises: pure; the answer is safe for every packet. Look-ups that find or insert an entry
// are the table's own business under atomics: it must make insertion safe against other workers.

import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr, Span } from '../ir/types.js'
import { blockOf } from './cfg.js'
import { Congruence } from './congruence.js'
import { controlDependence } from './control-dependence.js'
import { loops } from './loops.js'
import type { ObjectShape, ObjectShapes } from './shapes.js'
import { taint } from './taint.js'

export type SharingKind = 'none' | 'atomics' | 'key-lock' | 'program-lock'

export interface Sharing {
  readonly kind: SharingKind
  /** The object added to, or all objects under the key's lock. */
  readonly objects: readonly string[]
  /** Why not less is enough, and where. */
  readonly reason?: string
  readonly span?: Span
}

/** Analyses an optimised packet function whose calls are expanded. */
export function analyseSharing(main: Func, objects: ObjectShapes): Sharing {
  const analysis = new SharingAnalysis(main, objects)
  if (analysis.writes.length === 0) return { kind: 'none', objects: [] }
  const names = [...new Set(analysis.ops.map(objectOf))]
  const additions = analysis.whyNoAtomics()
  if (!additions) return { kind: 'atomics', objects: names }
  const keys = analysis.whyNoKeyLock()
  if (!keys) return { kind: 'key-lock', objects: names, ...additions }
  return { kind: 'program-lock', objects: names, ...keys }
}

type Why = { readonly reason: string; readonly span?: Span }
const why = (reason: string, at: Instr): Why => ({ reason, ...(at.span && { span: at.span }) })
const objectOf = (i: Instr): string => String(i.attrs.object)
const isLoad = (i: Instr): boolean => i.op === 'table.load' || i.op === 'array.load'
const isStore = (i: Instr): boolean => i.op === 'table.store' || i.op === 'array.store'
const sameField = (a: Instr, b: Instr): boolean =>
  objectOf(a) === objectOf(b) && a.attrs.field === b.attrs.field && a.attrs.part === b.attrs.part

class SharingAnalysis {
  /** Operations on objects that the program writes. */
  readonly ops: readonly Instr[]
  readonly writes: readonly Instr[]
  private readonly main: Func
  private readonly objects: ObjectShapes
  private readonly places: ReadonlyMap<Instr, Block>
  private readonly looping: ReadonlySet<Block>
  private readonly congruence: Congruence
  private readonly tainted: ReadonlySet<Instr>

  constructor(main: Func, objects: ObjectShapes) {
    this.main = main
    this.objects = objects
    this.places = blockOf(main)
    const all = main.blocks.flatMap(b => b.instrs)
    this.writes = all.filter(i => opInfo(i.op).effect === 'state.write')
    const written = new Set(this.writes.map(objectOf))
    this.ops = all.filter(i => opInfo(i.op).effect.startsWith('state.') && written.has(objectOf(i)))
    const found = loops(main)
    this.looping = new Set(found.flatMap(l => [...l.blocks]))
    this.congruence = new Congruence(main, this.looping)
    this.tainted = taint(main, this.congruence, found).values
  }

  /** Why atomic additions are not enough. */
  whyNoAtomics(): Why | undefined {
    let addition: Instr | undefined
    for (const i of this.writes) {
      const object = objectOf(i)
      const shape = this.objects.get(object)
      if (shape?.restless || shape?.releases !== undefined)
        return why(`entries of ${object} can leave while another worker uses them`, i)
      if (i.op === 'table.insert') continue
      if (!isStore(i)) return why(`${object} is changed by more than adding to a number`, i)
      if (addition || this.looping.has(this.places.get(i)!))
        return why('a packet changes more than one number', i)
      const problem = this.whyNoAddition(i)
      if (problem) return problem
      addition = i
    }
    if (!addition) return this.writes.length ? this.whyNoSet() : undefined
    for (const i of this.ops)
      if (
        isLoad(i) &&
        !(sameField(i, addition) && this.congruence.of(i.args[0]) === this.congruence.of(addition.args[0]))
      )
        return why('state other than the number added to is read', i)
    return this.whyDecided(addition)
  }

  /** A table that is only inserted into and asked: insertion alone is the table's business. */
  private whyNoSet(): Why | undefined {
    const load = this.ops.find(isLoad)
    return load && why('state is read that other workers may be changing', load)
  }

  /** A store adds if its value is the field's own value plus something that does not depend on state. */
  private whyNoAddition(store: Instr): Why | undefined {
    const [place, sum] = store.args
    const isOwn = (i: Instr): boolean =>
      isLoad(i) && sameField(i, store) && this.congruence.of(i.args[0]) === this.congruence.of(place)
    const own =
      sum.op === 'add'
        ? sum.args.find(isOwn)
        : sum.op === 'sub' && isOwn(sum.args[0])
          ? sum.args[0]
          : undefined
    const name = `${objectOf(store)}.${String(store.attrs.field)}`
    if (!own) return why(`the new value of ${name} is not its old value plus something`, store)
    if (sum.args.some(a => a !== own && this.tainted.has(a)))
      return why(`what is added to ${name} depends on state`, store)
    return store.op === 'array.store' && this.tainted.has(place)
      ? why(`which element of ${objectOf(store)} is added to depends on state`, store)
      : undefined
  }

  /** The addition may depend on the entry's being there, but not on what it says. */
  private whyDecided(store: Instr): Why | undefined {
    const dependence = controlDependence(this.main)
    const seen = new Set<Block>()
    const waiting = [this.places.get(store)!]
    const inserts = this.writes.filter(i => i.op === 'table.insert')
    waiting.push(...inserts.map(i => this.places.get(i)!))
    for (let block = waiting.pop(); block; block = waiting.pop()) {
      if (seen.has(block)) continue
      seen.add(block)
      for (const { block: decider } of dependence.get(block) ?? []) {
        if (decider.term.op === 'branch' && this.readsFields(decider.term.cond))
          return why('whether the number is added to depends on state', store)
        waiting.push(decider)
      }
    }
    return undefined
  }

  private readsFields(value: Instr): boolean {
    const seen = new Set([value])
    for (const i of seen) {
      if (isLoad(i) && this.tainted.has(i)) return true
      for (const a of i.args) seen.add(a)
    }
    return false
  }

  /** Why one lock per key is not enough. */
  whyNoKeyLock(): Why | undefined {
    let first: { readonly op: Instr; readonly key: readonly Instr[] } | undefined
    for (const op of this.ops) {
      const object = objectOf(op)
      const shape = this.objects.get(object)
      const pool = shape?.kind === 'pool' ? object : shape?.releases
      if (pool) return why(`all packets share the pool ${pool}`, op)
      const key = this.keyOf(op, shape)
      if (!key) continue
      if (key.every(k => k.op === 'const')) return why(`${object} is the same for all packets`, op)
      if (key.some(k => this.tainted.has(k)))
        return why(`what is looked up in ${object} depends on state`, op)
      if (!first) first = { op, key }
      else if (!this.sameKey(first.key, key))
        return why(`a packet may touch ${objectOf(first.op)} and ${object} under different keys`, op)
    }
    return undefined
  }

  private keyOf(op: Instr, shape: ObjectShape | undefined): readonly Instr[] | undefined {
    if (op.op === 'table.find' || op.op === 'table.insert') return op.args.slice(0, shape?.keyLeaves)
    return op.op === 'array.load' || op.op === 'array.store' ? op.args.slice(0, 1) : undefined
  }

  private sameKey(a: readonly Instr[], b: readonly Instr[]): boolean {
    return a.length === b.length && a.every((x, k) => this.congruence.of(x) === this.congruence.of(b[k]))
  }
}
