// The state slice: splits a packet function into extract (packet → item), advance (item → state) and the function
// itself, so that advance after extract changes state exactly as the function does. This is State-Compute Replication
// done by the compiler.
//
// Steps, one file each: slice-body.ts keeps what decides state; taint.ts separates what depends on state from what the
// packet alone decides; slice-flow.ts and slice-data.ts turn the packet's part into choices and dataflow; slice-cut.ts
// finds the cheapest values in between; item.ts lays them out; extract.ts and advance.ts generate the two functions.
// docs/decisions/0080 says why it is done this way. Promises: pure; deterministic; a program that cannot be split comes
// back as a Refusal with its place.

import { opInfo } from '../ir/ops.js'
import type { Func, Span } from '../ir/types.js'
import { fieldBitsOf } from '../transform/pass.js'
import type { Facts } from '../transform/pass.js'
import { buildAdvance } from './advance.js'
import { blockOf } from './cfg.js'
import { Choices } from './choice.js'
import { Congruence } from './congruence.js'
import { settledBranches } from './control-dependence.js'
import { dominators } from './dominators.js'
import { buildExtract } from './extract.js'
import { bitsUsed, placeFields } from './item.js'
import type { Placement } from './item.js'
import { loops } from './loops.js'
import { ranges } from './ranges.js'
import { refusable } from './refusal.js'
import type { Refusal } from './refusal.js'
import type { ObjectShapes } from './shapes.js'
import { stateBody } from './slice-body.js'
import { cutMetadata } from './slice-cut.js'
import type { Need } from './slice-cut.js'
import { Data, isSelector } from './slice-data.js'
import type { DataNode } from './slice-data.js'
import { Flow } from './slice-flow.js'
import { hoistLoads } from './slice-loads.js'
import { describeNeed } from './slice-names.js'
import type { NameContext } from './slice-names.js'
import { regroup } from './slice-regroup.js'
import { taint } from './taint.js'
import type { Taint } from './taint.js'
import { Uses } from './uses.js'

/** One field of an item. */
export interface ItemField {
  readonly name: string
  /** Bits it has, and where they begin as little-endian loads count them. */
  readonly bits: number
  readonly offset: number
  /** What state changes need it for. */
  readonly reason: string
  /** Where the program computes it. */
  readonly span?: Span
}

export interface Slice {
  readonly item: {
    readonly bytes: number
    /** Bits in use, at most 8 × bytes. */
    readonly bits: number
    /** The effect bit, which travels in the history's header. */
    readonly headerBits: number
    readonly fields: readonly ItemField[]
  }
  /** Rule tables whose look-ups are part of the item: state depends on what they said when the item was made. */
  readonly rules: readonly string[]
  /** Returns i1: 1 if the packet may change state, and then the item has been stored. */
  readonly extract: Func
  /** Applies an item. Not to be called for one without effect. */
  readonly advance: Func
  /** The packet function, as it was. */
  readonly process: Func
}

export interface SliceOptions {
  /** The program's objects, for exact reasons. */
  readonly shapes?: ObjectShapes
  /** Widths of fields of rule tables. */
  readonly facts?: Facts
}

/** Splits an optimised packet function whose calls are expanded. */
export function sliceState(main: Func, options: SliceOptions = {}): Slice | Refusal {
  return refusable(() => {
    const { func: body, joins } = stateBody(main)
    let view = look(body)
    if (hoistLoads(body, view.tainted)) view = look(body)
    const { tree, loops, looping, tainted } = view
    const congruence = regroup(body, tainted) ? new Congruence(body, looping) : view.congruence
    const places = blockOf(body)
    const settled = settledBranches(body, tree)
    const choices = new Choices()
    const flow = new Flow({
      func: body,
      taint: tainted,
      congruence,
      choices,
      loops,
      joins,
      places,
      looping,
      settled,
    })
    const data = new Data(flow, tree, places, congruence)
    const needs = cutMetadata({
      flow,
      data,
      taint: tainted,
      ranges: ranges(body, { bits: fieldBitsOf(options.facts) }),
    })
    const placement = placeFields(needs, exclusions(needs, flow, body, tainted))
    const common = { taint: tainted, flow, data, needs, placement }
    return {
      item: itemOf(needs, placement, { shapes: options.shapes, uses: new Uses(body) }),
      rules: rulesIn(needs, data),
      extract: buildExtract({ ...common, name: 'extract', body, tree }),
      advance: buildAdvance({ ...common, name: 'advance' }),
      process: main,
    }
  })
}

/** What the analyses say about the body as it is now. */
function look(body: Func) {
  const tree = dominators(body)
  const found = loops(body, tree)
  const looping = new Set(found.flatMap(l => [...l.blocks]))
  const congruence = new Congruence(body, looping)
  return { tree, loops: found, looping, congruence, tainted: taint(body, congruence, found) }
}

export const isSlice = (s: Slice | Refusal): s is Slice => 'extract' in s

/** Two fields may share bits if no way through the packet's own control flow writes both. */
function exclusions(needs: readonly Need[], flow: Flow, body: Func, { dynamic, region }: Taint) {
  const sites: Func['blocks'][] = needs.map(() => [])
  for (const block of body.blocks) {
    if (dynamic.has(block)) continue
    const behind = region(block)
    needs.forEach(({ places }, k) => {
      if (places.has(block) || [...places.keys()].some(p => behind.has(p))) sites[k].push(block)
    })
  }
  const known = new Map<string, boolean>()
  return (a: number, b: number): boolean => {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`
    let apart = known.get(key)
    if (apart === undefined) {
      apart = !sites[a].some(x => sites[b].some(y => flow.reaches(x, y) || flow.reaches(y, x)))
      known.set(key, apart)
    }
    return apart
  }
}

function itemOf(needs: readonly Need[], placement: Placement, context: NameContext): Slice['item'] {
  const fields = needs
    .map((need, k) => ({ ...describeNeed(need, context), bits: need.bits, offset: placement.offsets[k] }))
    .toSorted((a, b) => a.offset - b.offset)
  return { bytes: placement.bytes, bits: bitsUsed(needs, placement.offsets), headerBits: 1, fields }
}

/** The rule tables that some field is computed from. */
function rulesIn(needs: readonly Need[], data: Data): string[] {
  const rules = new Set<string>()
  const nodes = new Set<DataNode>(needs.map(n => n.node))
  for (const node of nodes) {
    if (!isSelector(node) && opInfo(node.op).effect === 'rules.read') rules.add(String(node.attrs.object))
    const operands = isSelector(node) || !data.isLeaf(node) ? data.operands(node) : node.args
    for (const operand of operands) nodes.add(operand)
  }
  return [...rules].toSorted()
}
