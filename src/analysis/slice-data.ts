// The state body's packet-only values as pure dataflow: what each one is computed from once control flow is turned into
// choices.
//
// A node is a value, or a selector: the number of the outcome that a Choice of more than one test has. A phi becomes a
// selection: its nodes are what selects and the operands. Leaves are what only the packet's holder can read: loads,
// the packet's properties, look-ups in rule tables, and what a loop computes. Free are constants, settings, and the
// sequence number and seed, which every worker knows.

import { opInfo } from '../ir/ops.js'
import type { Block, Instr } from '../ir/types.js'
import { Choices, outcomesIn, testsIn } from './choice.js'
import type { Choice, Test } from './choice.js'
import { predIndex } from './cfg.js'
import type { Congruence } from './congruence.js'
import type { DominatorTree } from './dominators.js'
import type { Flow } from './slice-flow.js'

/** A decision of several tests as one value: 0 for the first of outcomesIn(choice), and so on. */
export interface Selector {
  readonly kind: 'selector'
  readonly key: string
  readonly outcomes: number
  /** All equal decisions of the program. */
  readonly choices: Choice[]
  /** Blocks that control enters once it is decided. */
  readonly ends: Set<Block>
}

export type DataNode = Instr | Selector
export const isSelector = (n: DataNode): n is Selector => 'kind' in n

/** How a phi selects: operands by outcome of the choice, in the order of outcomesIn. */
export interface Selection {
  readonly choice: Choice
  readonly operands: readonly Instr[]
}

const everywhere: ReadonlySet<string> = new Set(['sequence', 'seed'])

export class Data {
  private readonly flow: Flow
  private readonly tree: DominatorTree
  private readonly places: ReadonlyMap<Instr, Block>
  private readonly congruence: Congruence
  private readonly selections = new Map<Instr, Selection | undefined>()
  private readonly selectors = new Map<string, Selector>()
  private readonly classes = new Map<string, Instr>()
  private readonly classOf = new Map<Instr, Instr>()

  constructor(flow: Flow, tree: DominatorTree, places: ReadonlyMap<Instr, Block>, congruence: Congruence) {
    this.congruence = congruence
    this.flow = flow
    this.tree = tree
    this.places = places
  }

  /** The constant that a value is known to be wherever a packet has an effect. */
  known(i: Instr): bigint | undefined {
    return i.op === 'const' ? BigInt(i.attrs.value) : this.flow.known(i)
  }

  /** True for values that need no metadata at all. */
  isFree(i: Instr): boolean {
    if (this.known(i) !== undefined || i.op === 'setting') return true
    return i.op === 'input' && everywhere.has(String(i.attrs.name))
  }

  /** True if the value cannot be computed from others behind the cut. */
  isLeaf(i: Instr): boolean {
    if (i.op === 'input' || opInfo(i.op).effect !== 'none') return true
    const place = this.places.get(i)
    if (place && this.flow.loopOf(place)) return true
    return i.op === 'phi' && this.selection(i) === undefined
  }

  /**
   * The first of all values that are the same function of the packet, wherever they are computed. Loads count as
   * checked: where an unchecked one is reached it gives the same.
   */
  same(i: Instr): Instr {
    let first = this.classOf.get(i)
    if (!first) {
      const own = this.congruence.of(i)
      const key = this.functionOf(own)
      first = this.classes.get(key) ?? own
      this.classes.set(key, first)
      this.classOf.set(i, first)
    }
    return first
  }

  congruent(a: Instr, b: Instr): boolean {
    return this.congruence.of(a) === this.congruence.of(b)
  }

  /** A value that needs no choice to be computed where this one does: a phi of equal operands is one of them. */
  simplest(i: Instr): Instr {
    return i.op === 'phi' ? this.congruence.of(i) : i
  }

  private functionOf(i: Instr): string {
    const known = this.known(i)
    if (known !== undefined) return `${i.type} ${known}`
    const place = this.places.get(i)
    if (place && this.flow.loopOf(place)) return `loop ${i.id}`
    if (i.op === 'phi') {
      const selection = this.selection(i)
      if (!selection) return `phi ${i.id}`
      const tests = keyOf(selection.choice, c => this.same(c).id)
      return `phi ${tests} ${selection.operands.map(a => this.same(a).id).join(' ')}`
    }
    const { checked: _, ...attrs } = i.attrs
    const args = i.args.map(a => this.same(a).id)
    if (opInfo(i.op).commutative) args.sort((a, b) => a - b)
    return `${i.op} ${i.type} ${args.join(' ')} ${Object.values(attrs).join(' ')}`
  }

  /** What a node that is neither free nor a leaf is computed from; free ones left out. */
  operands(n: DataNode): DataNode[] {
    if (isSelector(n)) return testsIn(n.choices[0]).map(t => this.same(t.cond))
    if (n.op !== 'phi') return this.bound(n.args)
    const { choice, operands } = this.selection(n)!
    const chooser = this.chooser(choice)
    return [...(chooser ? [chooser] : []), ...this.bound(operands)]
  }

  private bound(values: readonly Instr[]): Instr[] {
    return values.filter(a => !this.isFree(a)).map(a => this.same(a))
  }

  /** The node that tells the outcomes of a choice apart; undefined if it has only one. */
  chooser(choice: Choice, ends: readonly Block[] = []): DataNode | undefined {
    if (choice.kind === 'outcome') return undefined
    if (choice.yes.kind === 'outcome' && choice.no.kind === 'outcome') return this.same(choice.cond)
    const key = keyOf(choice, c => this.same(c).id)
    let selector = this.selectors.get(key)
    if (!selector) {
      selector = { kind: 'selector', key, outcomes: outcomesIn(choice).length, choices: [], ends: new Set() }
      this.selectors.set(key, selector)
    }
    if (!selector.choices.includes(choice)) selector.choices.push(choice)
    for (const end of ends) selector.ends.add(end)
    return selector
  }

  /** How a phi outside loops selects; undefined if a loop in between decides in its own way. */
  selection(phi: Instr): Selection | undefined {
    if (!this.selections.has(phi)) this.selections.set(phi, this.select(phi))
    return this.selections.get(phi)
  }

  private select(phi: Instr): Selection | undefined {
    const join = this.places.get(phi)!
    const from = this.tree.parent(join)
    if (!from) return undefined
    const operands = [...new Set(phi.args.map(a => this.congruence.of(a)))]
    const choices = new Choices()
    const done = new Map<Block, Choice | undefined>()
    let opaque = false
    const along = (block: Block, k: number): Choice | undefined => {
      const to = block.term.targets[k] as Block
      if (to === join)
        return choices.outcome(operands.indexOf(this.congruence.of(phi.args[predIndex(block, k)])))
      return this.tree.strictlyDominates(from, to) ? at(to) : undefined
    }
    const at = (block: Block): Choice | undefined => {
      if (!done.has(block)) done.set(block, find(block))
      return done.get(block)
    }
    const find = (block: Block): Choice | undefined => {
      const loop = this.flow.loopBefore(block, join)
      if (loop) {
        const out = this.flow.behind(loop, along)
        if (!out) opaque = true
        return out
      }
      const ways = block.term.targets.map((_, k) => along(block, k))
      const [then, otherwise] = ways.length === 1 ? [ways[0], ways[0]] : ways
      if (!then || then === otherwise) return otherwise
      return otherwise ? this.flow.test(block, then, otherwise, choices) : then
    }
    const choice = at(from)
    if (opaque || !choice) return undefined
    return { choice, operands: outcomesIn(choice).map(o => operands[o.value]) }
  }
}

/** Text that is the same for decisions that test the same values in the same way. */
function keyOf(choice: Choice, number: (cond: Instr) => number): string {
  const names = new Map<Choice, string>()
  const lines: string[] = []
  const name = (c: Choice): string => {
    let known = names.get(c)
    if (known !== undefined) return known
    if (c.kind === 'outcome') known = `=${[...names.keys()].filter(o => o.kind === 'outcome').length}`
    else {
      const text = `${number(c.cond)}?${name(c.yes)}:${name(c.no)}`
      known = `t${lines.push(text)}`
    }
    names.set(c, known)
    return known
  }
  name(choice)
  return lines.join(' ')
}

/** The blocks that make the tests of a choice. */
export const testBlocks = (choice: Choice): Block[] => [
  ...new Set(testsIn(choice).flatMap((t: Test) => [...t.blocks])),
]
