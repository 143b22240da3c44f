// The metadata of a packet: the cheapest set of packet-only values from which all that state-dependent code needs of
// the packet can be computed.
//
// Sinks are the operands that state-dependent instructions take from the packet, and the choosers of which such code
// runs. Sources are the leaves of the dataflow (slice-data.ts). The weight of a value is the number of its significant
// bits. Each bit weighs `scale`, so that preferences between equal cuts never cost a bit: fewer fields, and raw loads
// rather than their byte-swapped or widened copies.

import type { Block, Instr } from '../ir/types.js'
import { testsIn } from './choice.js'
import type { Choice } from './choice.js'
import { minimumCut } from './cut.js'
import type { Ranges } from './ranges.js'
import type { Data, DataNode, Selector } from './slice-data.js'
import { isSelector, testBlocks } from './slice-data.js'
import type { Flow } from './slice-flow.js'
import type { Taint } from './taint.js'

/** What a piece of metadata is for: an operand of a state-dependent instruction, or a choice of what runs. */
export type Purpose = { readonly user: Instr; readonly operand: number } | { readonly choice: Choice }

/** One cut value. */
export interface Need {
  readonly node: DataNode
  /** Significant bits, at least 1. */
  readonly bits: number
  /**
   * Blocks at whose end it must have been computed, and which of the equal values is at hand there. For a selector,
   * those that test.
   */
  readonly places: Map<Block, DataNode>
  readonly purposes: Purpose[]
}

interface Sink {
  readonly node: DataNode
  readonly place?: Block
  readonly purpose: Purpose
}

export interface CutContext {
  readonly flow: Flow
  readonly data: Data
  readonly taint: Taint
  readonly ranges: Ranges
}

/** More than fields can add up to by preference. */
const scale = 4096
const copies: ReadonlySet<string> = new Set(['zext', 'bswap16', 'bswap32', 'bswap64'])

/** The minimum cut, in the order in which the program needs the values. Undefined if there is none: our bug. */
export function cutMetadata(context: CutContext): Need[] {
  const sinks = findSinks(context)
  const cut = minimum(context, sinks)
  const needs = new Map<DataNode, Need>()
  const seen = new Map<DataNode, Set<Block | undefined>>()
  const need = (node: DataNode, place: Block | undefined, purpose: Purpose): void => {
    const places = seen.get(node) ?? new Set()
    const same = sameNode(node, context.data)
    if (cut.has(same)) {
      const made = needs.get(same) ?? emptyNeed(same, context)
      needs.set(same, made)
      for (const b of isSelector(node) ? node.choices.flatMap(testBlocks) : [place!]) made.places.set(b, node)
      if (!made.purposes.some(p => samePurpose(p, purpose))) made.purposes.push(purpose)
      return
    }
    if (places.has(place)) return
    seen.set(node, places.add(place))
    if (isSelector(node)) for (const choice of node.choices) tests(choice, purpose)
    else if (context.data.simplest(node) !== node) need(context.data.simplest(node), place, purpose)
    else if (node.op === 'phi') {
      const { choice, operands } = context.data.selection(node)!
      const chooser = context.data.chooser(choice)
      if (chooser && isSelector(chooser) && cut.has(chooser)) need(chooser, undefined, purpose)
      else tests(choice, purpose)
      const join = context.flow.placeOf(node)
      for (const operand of operands)
        node.args.forEach((a, k) => {
          if (context.data.congruent(a, operand) && !context.data.isFree(a)) need(a, join.preds[k], purpose)
        })
    } else for (const a of node.args) if (!context.data.isFree(a)) need(a, place, purpose)
  }
  const tests = (choice: Choice, purpose: Purpose): void => {
    for (const { cond, blocks } of testsIn(choice)) for (const b of blocks) need(cond, b, purpose)
  }
  for (const { node, place, purpose } of sinks)
    if (place || isSelector(node)) need(node, place, purpose)
    else if ('choice' in purpose) tests(purpose.choice, purpose)
  return [...needs.values()]
}

const emptyNeed = (node: DataNode, context: CutContext): Need => ({
  node,
  bits: bitsOfNode(node, context),
  places: new Map(),
  purposes: [],
})

const sameNode = (n: DataNode, data: Data): DataNode => (isSelector(n) ? n : data.same(n))

const samePurpose = (a: Purpose, b: Purpose): boolean =>
  'user' in a && 'user' in b ? a.user === b.user && a.operand === b.operand : 'choice' in a && 'choice' in b

function findSinks({ flow, data, taint }: CutContext): Sink[] {
  const sinks: Sink[] = []
  const choose = (choice: Choice): void => {
    const node = data.chooser(choice, flow.endsOf(choice))
    if (node) sinks.push({ node, purpose: { choice } })
  }
  choose(flow.start)
  for (const station of flow.stations) {
    for (const user of station.instrs) {
      if (!taint.values.has(user)) continue
      user.args.forEach((node, operand) => {
        if (taint.values.has(node) || data.isFree(node)) return
        const place = user.op === 'phi' ? station.preds[operand] : station
        sinks.push({ node, place, purpose: { user, operand } })
      })
    }
    flow.next(station).forEach(choose)
  }
  return sinks
}

function minimum(context: CutContext, sinks: readonly Sink[]): Set<DataNode> {
  const { data } = context
  const numbers = new Map<DataNode, number>()
  const nodes: DataNode[] = []
  const successors: number[][] = []
  const number = (n: DataNode): number => {
    let k = numbers.get(n)
    if (k === undefined) {
      k = nodes.push(n) - 1
      numbers.set(n, k)
      successors.push([])
    }
    return k
  }
  const ends = sinks.map(s => number(sameNode(s.node, data)))
  const sources: number[] = []
  for (let k = 0; k < nodes.length; k++) {
    const node = nodes[k]
    if (!isSelector(node) && data.isLeaf(node)) sources.push(k)
    else for (const operand of data.operands(node)) successors[number(operand)].push(k)
  }
  const weights = nodes.map(n => weightOf(n, context))
  const cut = minimumCut({ weights, successors, sources, sinks: ends })
  if (!cut) throw new Error('no finite cut of the state slice')
  return new Set(cut.nodes.map(k => nodes[k]))
}

function weightOf(node: DataNode, context: CutContext): number {
  if (isSelector(node)) return isSound(node, context) ? bitsOfNode(node, context) * scale + 1 : Infinity
  return bitsOfNode(node, context) * scale + (copies.has(node.op) ? 2 : 1)
}

export function bitsOfNode(node: DataNode, { ranges }: Pick<CutContext, 'ranges'>): number {
  if (isSelector(node)) return Math.ceil(Math.log2(node.outcomes))
  return Math.max(1, ranges.bits(node))
}

/**
 * True if a selector can be followed while control makes its tests: equal decisions are made in the same blocks, all
 * of them beforehand or all behind state, and none is met again once decided.
 */
function isSound({ choices, ends }: Selector, { flow, taint }: CutContext): boolean {
  const blocks = testBlocks(choices[0])
  const others = choices.slice(1).map(testBlocks)
  if (others.some(o => o.length !== blocks.length || o.some(b => !blocks.includes(b)))) return false
  const dynamic = blocks.filter(b => taint.dynamic.has(b)).length
  if (dynamic === blocks.length) return true
  return dynamic === 0 && ![...ends].some(end => blocks.some(b => flow.reaches(end, b)))
}
