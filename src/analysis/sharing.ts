// What workers that share one copy of the state need: nothing, atomic additions, a lock per key, or one lock.
//
// Atomics do if a packet looks into one object once and at most adds to one number there: the amount and the place do
// not depend on state, and whatever is done with the sum changes no state. A lock per key does if everything a packet
// touches is found under one key that does not depend on state. Promises: pure; the answer is safe for every packet of
// the function as given, so whoever compiles a form of it analyses the function it compiles (compile.ts).
// Look-ups that find no entry where one may be inserted are the form's own business.

import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr, Span } from '../ir/types.js'
import { blockOf } from './cfg.js'
import { Congruence } from './congruence.js'
import { controlDependence } from './control-dependence.js'
import { dominators } from './dominators.js'
import { loops } from './loops.js'
import type { ObjectShape, ObjectShapes } from './shapes.js'
import { taint } from './taint.js'
import { Uses } from './uses.js'

export type SharingKind = 'none' | 'atomics' | 'key-lock' | 'program-lock'

export interface Sharing {
  /** The least that is safe. */
  readonly kind: SharingKind
  /** The object added to, or all objects under the key's lock. */
  readonly objects: readonly string[]
  /** Why not less is enough, and where. */
  readonly reason?: string
  readonly span?: Span
  /** All that are safe, the least first. */
  readonly forms: readonly SharingKind[]
  /** Why the others are not. */
  readonly refused: Readonly<Partial<Record<SharingKind, Why>>>
  /** Under atomics, what is added; absent if entries are only inserted and looked for. */
  readonly addition?: Addition
}

/** A number that is added to: `store` puts `own` plus (or minus) `amount`, which is `sum`, in the place of `own`. */
export interface Addition {
  readonly own: Instr
  readonly amount: Instr
  readonly sum: Instr
  readonly store: Instr
  /** The addition may be done where `own` is read; otherwise where `sum` is computed, and every use is behind it. */
  readonly at: 'own' | 'sum'
}

/** Every form, the least first. */
export const sharingKinds: readonly SharingKind[] = ['none', 'atomics', 'key-lock', 'program-lock']

/** Analyses an optimised packet function whose calls are expanded. */
export function analyseSharing(main: Func, objects: ObjectShapes): Sharing {
  const analysis = new SharingAnalysis(main, objects)
  const { writes } = analysis
  if (writes.length === 0) return { kind: 'none', objects: [], forms: ['none', 'program-lock'], refused: {} }
  const names = [...new Set(analysis.ops.map(objectOf))]
  const atomics = analysis.whyNoAtomics()
  const keyLock = analysis.whyNoKeyLock()
  const refused = {
    none: why(`${objectOf(writes[0])} is written`, writes[0]),
    ...(atomics && { atomics }),
    ...(keyLock && { 'key-lock': keyLock }),
  }
  const forms = sharingKinds.filter(kind => !(kind in refused))
  const common = { objects: names, forms, refused }
  if (!atomics)
    return { kind: 'atomics', ...common, ...(analysis.addition && { addition: analysis.addition }) }
  return keyLock
    ? { kind: 'program-lock', ...common, ...keyLock }
    : { kind: 'key-lock', ...common, ...atomics }
}

export type Why = { readonly reason: string; readonly span?: Span }
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
  private readonly uses: Uses
  /** What whyNoAtomics found, if it found nothing against it. */
  addition: Addition | undefined

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
    this.uses = new Uses(main)
  }

  /** Why atomic additions are not enough. */
  whyNoAtomics(): Why | undefined {
    let addition: Omit<Addition, 'at'> | undefined
    for (const i of this.writes) {
      const object = objectOf(i)
      const shape = this.objects.get(object)
      if (shape?.restless || shape?.releases !== undefined)
        return why(`entries of ${object} can leave while another worker uses them`, i)
      if (i.op === 'table.insert') continue
      if (!isStore(i)) return why(`${object} is changed by more than adding to a number`, i)
      if (addition || this.looping.has(this.places.get(i)!))
        return why('a packet changes more than one number', i)
      const found = this.additionOf(i)
      if ('reason' in found) return found
      addition = found
    }
    const places = this.whyNoOnePlace()
    if (!addition) return places ?? this.whyNoSet()
    for (const i of this.ops)
      if (isLoad(i) && i !== addition.own) return why('state other than the number added to is read', i)
    const decided = this.whyDecided(addition.store)
    if (decided ?? places) return decided ?? places
    const at = this.placeOf(addition)
    if (!at) return why('the number is used before it is certain that it is added to', addition.own)
    this.addition = { ...addition, at }
    return undefined
  }

  /** Two look-ups, be it of one key, can find what no one moment held. */
  private whyNoOnePlace(): Why | undefined {
    const [first, ...others] = this.ops
    const other = others.find(i => objectOf(i) !== objectOf(first))
    if (other) return why(`a packet looks into ${objectOf(first)} and ${objectOf(other)}`, other)
    const [, again] = this.ops.filter(i => i.op === 'table.find')
    return again && why(`a packet looks into ${objectOf(again)} more than once`, again)
  }

  /** Where one instruction can read and add: reading, adding and storing happen together, and uses come later. */
  private placeOf({ own, amount, sum, store }: Omit<Addition, 'at'>): Addition['at'] | undefined {
    const home = this.places.get(store)!
    const tree = dominators(this.main)
    const before = (a: Instr, b: Instr): boolean => {
      const [x, y] = [this.places.get(a), this.places.get(b)!]
      if (!x || x !== y) return !x || tree.dominates(x, y)
      return x.instrs.indexOf(a) < x.instrs.indexOf(b)
    }
    if (this.places.get(own) === home && (amount.op === 'const' || before(amount, own))) return 'own'
    if (this.places.get(sum) !== home) return undefined
    const behind = this.uses.of(own).every(({ block, instr, operand }) => {
      if (!instr) return tree.dominates(home, block)
      if (instr === sum) return true
      return instr.op === 'phi' ? tree.dominates(home, block.preds[operand]) : before(sum, instr)
    })
    return behind ? 'sum' : undefined
  }

  /** A table that is only inserted into and asked: insertion alone is the table's business. */
  private whyNoSet(): Why | undefined {
    const load = this.ops.find(isLoad)
    return load && why('state is read that other workers may be changing', load)
  }

  /** A store adds if its value is the field's own value plus something that does not depend on state. */
  private additionOf(store: Instr): Omit<Addition, 'at'> | Why {
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
    const amount = sum.args[0] === own ? sum.args[1] : sum.args[0]
    if (this.tainted.has(amount)) return why(`what is added to ${name} depends on state`, store)
    if (store.op === 'array.store' && this.tainted.has(place))
      return why(`which element of ${objectOf(store)} is added to depends on state`, store)
    return { own, amount, sum, store }
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
    const inserts = this.writes.filter(i => i.op === 'table.insert')
    for (const i of this.writes)
      if (i.op === 'table.remove' && inserts.some(to => mayFollow(this.places, i, to)))
        return why(`a packet may remove an entry of ${objectOf(i)} and then insert one`, i)
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

/** Whether control can come from one instruction to the other. */
export function mayFollow(places: ReadonlyMap<Instr, Block>, from: Instr, to: Instr): boolean {
  const [start, end] = [places.get(from)!, places.get(to)!]
  if (start === end && start.instrs.indexOf(from) < start.instrs.indexOf(to)) return true
  const seen = new Set<Block>(start.term.targets)
  for (const block of seen) for (const next of block.term.targets) seen.add(next)
  return seen.has(end)
}
