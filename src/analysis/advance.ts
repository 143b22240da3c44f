// Generates advance: applies an item's packet to the state. It runs only for items whose effect bit is 1.
//
// Stations (slice-flow.ts) keep their state-dependent code and its control flow; everything between them is regenerated
// from the item: a decision that was cut is one test of a field, others are made of the tests that were, and values
// behind the cut are computed again where they are used. No packet access, verdict or counter remains, which is checked.

import { FunctionBuilder } from '../ir/builder.js'
import type { Variable } from '../ir/builder.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { outcomesIn } from './choice.js'
import type { Choice } from './choice.js'
import type { Placement } from './item.js'
import { loadField } from './item-code.js'
import type { Need } from './slice-cut.js'
import { isSelector } from './slice-data.js'
import type { Data, DataNode, Selector } from './slice-data.js'
import type { Flow } from './slice-flow.js'
import type { Taint } from './taint.js'

export interface AdvanceContext {
  readonly name: string
  readonly taint: Taint
  readonly flow: Flow
  readonly data: Data
  readonly needs: readonly Need[]
  readonly placement: Placement
}

export function buildAdvance(context: AdvanceContext): Func {
  const func = new AdvanceBuilder(context).build()
  for (const { op } of func.blocks.flatMap(b => b.instrs)) {
    const { effect } = opInfo(op)
    if (effect.startsWith('packet.') || effect.startsWith('rules.') || effect === 'counter')
      throw new Error(`advance contains ${op}`)
  }
  return func
}

/** A block of the function under construction. */
interface Place {
  /** Emits the block's contents and its end; called with the builder there. */
  readonly emit: () => void
  readonly targets: readonly Place[]
  readonly block: Block
  /** Set when the place is emitted. */
  parent?: Place
  depth: number
  preds: Place[]
}

class AdvanceBuilder {
  private readonly c: AdvanceContext
  private readonly b: FunctionBuilder
  private readonly fields = new Map<DataNode, number>()
  private readonly stations = new Map<Block, Place>()
  private readonly choices = new Map<string, Place>()
  /** State-dependent values: each is made once. */
  private readonly values = new Map<Instr, Instr>()
  private readonly phis = new Map<Instr, Variable>()
  /** Packet-only values, by the places where they were computed. */
  private readonly computed = new Map<DataNode, { place: Place; value: Instr }[]>()
  private here!: Place

  constructor(context: AdvanceContext) {
    this.c = context
    this.b = new FunctionBuilder(context.name, [], 'void')
    context.needs.forEach(({ node }, k) => this.fields.set(node, k))
  }

  build(): Func {
    const { b } = this
    const start = this.choicePlace(this.c.flow.start)
    b.jump(start.block)
    const order = topological(start)
    for (const place of order) for (const t of place.targets) t.preds.push(place)
    const emitted = new Set<Place>()
    for (const place of order) {
      if (place.preds.every(p => emitted.has(p))) b.seal(place.block)
      b.at(place.block)
      // What comes round a loop to here is dominated by here.
      const preds = place.preds.filter(p => emitted.has(p))
      place.parent = preds.reduce<Place | undefined>(common, preds[0])
      place.depth = place.parent ? place.parent.depth + 1 : 0
      this.here = place
      place.emit()
      emitted.add(place)
      for (const t of new Set(place.targets))
        if (emitted.has(t) && t.preds.every(p => emitted.has(p))) b.seal(t.block)
    }
    return b.finish()
  }

  private place(targets: readonly Place[], emit: (block: Block) => void): Place {
    const block = this.b.block()
    return { targets, block, emit: () => emit(block), depth: 0, preds: [] }
  }

  // Control: decisions, arrivals and stations.

  /** A decision; it is made by its selector if that was cut and the decision is asked for as a whole. */
  private choicePlace(choice: Choice, whole = true): Place {
    const chooser = whole ? this.c.data.chooser(choice) : undefined
    const selector = chooser && isSelector(chooser) && this.fields.has(chooser) ? chooser : undefined
    const key = `${choice.id}${selector ? ' selected' : ''}`
    let place = this.choices.get(key)
    if (!place) {
      if (choice.kind === 'outcome') place = this.arrivalPlace(choice.value)
      else if (selector) place = this.selectedPlace(choice, selector)
      else {
        const targets = [this.choicePlace(choice.yes, false), this.choicePlace(choice.no, false)]
        place = this.place(targets, () =>
          this.b.branch(this.value(choice.cond), targets[0].block, targets[1].block),
        )
      }
      this.choices.set(key, place)
    }
    return place
  }

  /** A chain of comparisons with the numbers of the outcomes. */
  private selectedPlace(choice: Choice, selector: Selector): Place {
    const { b } = this
    const arrivals = outcomesIn(choice).map(o => this.choicePlace(o))
    const last = arrivals.length - 1
    let rest = arrivals[last]
    for (let k = last - 1; k >= 0; k--) {
      const [hit, miss, number] = [arrivals[k], rest, k]
      rest = this.place([hit, miss], () => {
        const is = b.emit('eq', [this.value(selector), b.const('i32', number)])
        b.branch(is, hit.block, miss.block)
      })
    }
    return rest
  }

  private arrivalPlace(number: number): Place {
    const { b, c } = this
    const { block, preds } = c.flow.arrivals[number]
    if (!block) return this.place([], () => b.return())
    const station = this.stationPlace(block)
    const phis = block.instrs.filter(i => i.op === 'phi' && c.taint.values.has(i))
    if (phis.length === 0) return station
    return this.place([station], () => {
      for (const phi of phis) b.write(this.variable(phi), this.value(phi.args[preds[0]]))
      b.jump(station.block)
    })
  }

  private stationPlace(station: Block): Place {
    let place = this.stations.get(station)
    if (!place) {
      // Entered first: in a loop, what follows leads back here.
      const targets: Place[] = []
      place = this.place(targets, () => this.station(station, targets))
      this.stations.set(station, place)
      targets.push(...this.c.flow.next(station).map(n => this.choicePlace(n)))
    }
    return place
  }

  private station(station: Block, targets: readonly Place[]): void {
    const { b, c } = this
    for (const i of station.instrs) {
      if (!c.taint.values.has(i)) continue
      b.span = i.span
      if (i.op === 'phi') {
        this.values.set(i, b.read(this.variable(i)))
        continue
      }
      const made = b.emit(
        i.op,
        i.args.map(a => this.value(a)),
        i.attrs,
        i.type,
      )
      if (i.name !== undefined) made.name = i.name
      this.values.set(i, made)
    }
    b.span = station.term.span
    const { term } = station
    if (targets.length === 2 && term.op === 'branch')
      b.branch(this.value(term.cond), targets[0].block, targets[1].block)
    else if (targets.length) b.jump(targets[0].block)
    else b.return()
  }

  private variable(phi: Instr): Variable {
    let v = this.phis.get(phi)
    if (!v) this.phis.set(phi, (v = this.b.variable(phi.type, phi.name)))
    return v
  }

  // Data: what was cut is loaded, what lies behind the cut computed.

  private value(node: DataNode): Instr {
    if (isSelector(node)) return this.packetValue(node)
    return this.c.taint.values.has(node) ? this.values.get(node)! : this.packetValue(this.c.data.same(node))
  }

  private packetValue(node: DataNode): Instr {
    for (const { place, value } of this.computed.get(node) ?? [])
      if (dominates(place, this.here)) return value
    const value = this.compute(node)
    const list = this.computed.get(node) ?? []
    this.computed.set(node, [...list, { place: this.here, value }])
    return value
  }

  private compute(node: DataNode): Instr {
    const { b, c } = this
    const field = this.fields.get(node)
    if (field !== undefined) {
      const { offsets, sizes } = c.placement
      const value = loadField(b, offsets[field], sizes[field], isSelector(node) ? 'i32' : node.type)
      if (!isSelector(node) && node.name !== undefined) value.name = node.name
      return value
    }
    if (isSelector(node)) throw new Error('a selector that was not cut has no value')
    const known = c.data.known(node)
    if (known !== undefined) return b.const(node.type, known)
    if (node.op === 'phi') return this.selected(node)
    if (c.data.isLeaf(node) && !c.data.isFree(node)) throw new Error(`advance needs ${node.op}`)
    const made = b.emit(
      node.op,
      node.args.map(a => this.value(a)),
      node.attrs,
      node.type,
    )
    if (node.name !== undefined) made.name = node.name
    return made
  }

  /** A phi as nested selects; by its selector if that was cut. */
  private selected(phi: Instr): Instr {
    const { b, c } = this
    const { choice, operands } = c.data.selection(phi)!
    const outcomes = outcomesIn(choice)
    const operand = (o: Choice): Instr => this.value(operands[outcomes.findIndex(x => x === o)])
    const chooser = c.data.chooser(choice)
    if (chooser && isSelector(chooser) && this.fields.has(chooser))
      return outcomes
        .map((o, k) => ({ value: operand(o), is: b.emit('eq', [this.value(chooser), b.const('i32', k)]) }))
        .reduceRight((rest, { value, is }) => ({ value: b.emit('select', [is, value, rest.value]), is }))
        .value
    const done = new Map<Choice, Instr>()
    const walk = (choice: Choice): Instr => {
      let value = done.get(choice)
      if (!value) {
        value =
          choice.kind === 'outcome'
            ? operand(choice)
            : b.emit('select', [this.value(choice.cond), walk(choice.yes), walk(choice.no)])
        done.set(choice, value)
      }
      return value
    }
    return walk(choice)
  }
}

/** Places reachable from the start, each before those it leads to without going round a loop. */
function topological(start: Place): Place[] {
  const order: Place[] = []
  const seen = new Set<Place>()
  const walk = (place: Place): void => {
    if (seen.has(place)) return
    seen.add(place)
    for (const t of place.targets.toReversed()) walk(t)
    order.push(place)
  }
  walk(start)
  return order.toReversed()
}

function dominates(a: Place, b: Place): boolean {
  let at: Place | undefined = b
  while (at && at.depth > a.depth) at = at.parent
  return at === a
}

/** The nearest place that dominates both. */
function common(a: Place | undefined, b: Place | undefined): Place | undefined {
  let [x, y] = [a, b]
  while (x !== y) {
    if (!x || !y) return undefined
    if (x.depth >= y.depth) x = x.parent
    else y = y.parent
  }
  return x
}
