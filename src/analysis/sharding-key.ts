// What the keys of state objects are made of: for each look-up, the header fields that can be read back from its key.
//
// A key may be put together differently on different ways through the program (`tcp` or `udp`, the smaller address
// first). Each combination of choices is one *alternative*: the choices of phis and selects are enumerated, the same
// for all leaves of the key. A leaf counts as a field only if nothing of the field is lost on the way into the key.

import type { Instr, Block, Func, Span } from '../ir/types.js'
import { blockOf, predIndex } from './cfg.js'
import { settledBranches } from './control-dependence.js'
import type { KnownCondition } from './control-dependence.js'
import { conclude } from './facts.js'
import type { Facts } from './facts.js'
import { loops } from './loops.js'
import { readsReceived } from './slice-memory.js'
import { nameOf } from './slice-names.js'

export type ShardField = 'source' | 'destination' | 'sourcePort' | 'destinationPort'

/** One leaf of a key: a part of a field and what was done to it, a constant, or neither. */
export type KeyLeaf =
  | { readonly kind: 'field'; readonly field: ShardField; readonly part: string; readonly done: string }
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'other'; readonly name: string }

export interface Alternative {
  readonly object: string
  readonly leaves: readonly KeyLeaf[]
  /** The packet has no ports on this way: it is neither TCP nor UDP nor SCTP, or a later fragment. */
  readonly portless: boolean
  readonly span?: Span
}

/** The loads that read fields, by name, offset from the header and width: which field, and which part of it. */
const loads: Readonly<Record<string, readonly [ShardField, part: string]>> = {
  'ipv4.source 12 4': ['source', 'ipv4'],
  'ipv4.destination 16 4': ['destination', 'ipv4'],
  'ipv6.source 8 8': ['source', 'ipv6 high'],
  'ipv6.source 16 8': ['source', 'ipv6 low'],
  'ipv6.destination 24 8': ['destination', 'ipv6 high'],
  'ipv6.destination 32 8': ['destination', 'ipv6 low'],
  ...Object.fromEntries(
    ['tcp', 'udp', 'sctp'].flatMap(transport => [
      [`${transport}.sourcePort 0 2`, ['sourcePort', 'port']],
      [`${transport}.destinationPort 2 2`, ['destinationPort', 'port']],
    ]),
  ),
}

/** Parts that make a field whole, by IP version; ports have one. */
export const wholes: readonly (readonly string[])[] = [['ipv4'], ['ipv6 high', 'ipv6 low'], ['port']]

/** Combinations of choices considered; a key with more is taken to hold no field. */
const mostAlternatives = 256

/** Operations that lose nothing. Of xor, add and sub the other operand must be a constant. */
const lossless: ReadonlySet<string> = new Set(['bswap16', 'bswap32', 'bswap64', 'zext', 'sext'])
const losslessWithConstant: ReadonlySet<string> = new Set(['xor', 'add', 'sub'])

/** What was chosen so far: the predecessor of a block with phis, the outcome of a select's condition. */
type Choices = ReadonlyMap<Block | Instr, number>

export class KeyReader {
  private readonly places: ReadonlyMap<Instr, Block>
  private readonly settled: ReadonlyMap<Block, readonly KnownCondition[]>
  private readonly looping: ReadonlySet<Block>
  private readonly isReceived: (load: Instr) => boolean
  private readonly hasInnerFrames: boolean
  private readonly implied = new Map<Block | Instr, Facts[]>()

  constructor(func: Func) {
    this.places = blockOf(func)
    this.settled = settledBranches(func)
    this.looping = new Set(loops(func).flatMap(l => [...l.blocks]))
    this.isReceived = readsReceived(func)
    this.hasInnerFrames = func.blocks.some(b => b.instrs.some(i => i.name?.startsWith('vxlan.')))
  }

  /** The alternatives of the look-up `op` with these key leaves; undefined if there are too many. */
  alternatives(op: Instr, leaves: readonly Instr[]): Alternative[] | undefined {
    const found: Alternative[] = []
    const waiting: Choices[] = [new Map()]
    for (let choices = waiting.pop(); choices; choices = waiting.pop()) {
      if (found.length + waiting.length > mostAlternatives) return undefined
      const resolved = leaves.map(leaf => this.resolve(leaf, choices))
      const open = resolved.find(r => r.undecided)?.undecided
      if (open) waiting.push(...this.decide(open, choices))
      else
        found.push({
          object: String(op.attrs.object),
          leaves: resolved.map(r => r.leaf!),
          portless: this.isPortless(choices),
          ...(op.span && { span: op.span }),
        })
    }
    return found
  }

  private resolve(leaf: Instr, choices: Choices): { leaf?: KeyLeaf; undecided?: Instr } {
    let v = leaf
    const done: string[] = []
    for (;;) {
      if (v.op === 'phi') {
        const place = this.places.get(v)!
        if (this.looping.has(place)) return { leaf: { kind: 'other', name: nameOf(leaf) } }
        const k = choices.get(place)
        if (k === undefined) return { undecided: v }
        v = v.args[k]
      } else if (v.op === 'select') {
        const k = choices.get(v.args[0])
        if (k === undefined) return { undecided: v }
        v = v.args[k ? 1 : 2]
      } else if (lossless.has(v.op)) {
        done.push(v.op)
        v = v.args[0]
      } else if (losslessWithConstant.has(v.op) && v.args[1].op === 'const') {
        done.push(`${v.op} ${v.args[1].attrs.value}`)
        v = v.args[0]
      } else break
    }
    if (v.op === 'const') return { leaf: constantLeaf(BigInt(v.attrs.value), done) ?? other(leaf) }
    return { leaf: this.fieldOf(v, done) ?? other(leaf) }
  }

  private decide(open: Instr, choices: Choices): Choices[] {
    const key = open.op === 'phi' ? this.places.get(open)! : open.args[0]
    const ways = open.op === 'phi' ? open.args.length : 2
    return Array.from({ length: ways }, (_, k) => new Map(choices).set(key, k)).filter(c => this.agrees(c))
  }

  /** False if choices contradict each other: what one implies, another denies. */
  private agrees(choices: Choices): boolean {
    const all: Facts = new Map()
    for (const [key, k] of choices)
      for (const [i, value] of this.factsOf(key, k)) {
        const before = all.get(i)
        if (before !== undefined && before !== value) return false
        all.set(i, value)
      }
    return true
  }

  /** What one choice implies. */
  private factsOf(key: Block | Instr, k: number): Facts {
    let byWay = this.implied.get(key)
    if (!byWay) this.implied.set(key, (byWay = []))
    byWay[k] ??= this.imply(key, k)
    return byWay[k]
  }

  private imply(key: Block | Instr, k: number): Facts {
    const facts: Facts = new Map()
    const context = { places: this.places, settled: this.settled, looping: this.looping }
    const learn = (cond: Instr, value: boolean): void => conclude(cond, value ? 1n : 0n, facts, context)
    if ('op' in key) learn(key, k === 1)
    else {
      const from = key.preds[k]
      for (const { block, value } of this.settled.get(from) ?? [])
        if (block.term.op === 'branch') learn(block.term.cond, value)
      if (from.term.op === 'branch' && from.term.targets[0] !== from.term.targets[1])
        learn(from.term.cond, from.term.targets[0] === key && predIndex(from, 0) === k)
    }
    return facts
  }

  private isPortless(choices: Choices): boolean {
    if (this.hasInnerFrames) return false
    const absent = new Set<string>()
    for (const [key, k] of choices)
      for (const [i, value] of this.factsOf(key, k))
        if (value === 0n && i.name !== undefined) absent.add(i.name)
    return ['tcp', 'udp', 'sctp'].every(name => absent.has(`${name}.present`))
  }

  private fieldOf(v: Instr, done: readonly string[]): KeyLeaf | undefined {
    if (v.op !== 'load' || v.name === undefined || !this.isReceived(v)) return undefined
    const found = loads[`${v.name} ${Number(v.attrs.offset)} ${Number(v.attrs.width)}`]
    if (!found) return undefined
    const [field, part] = found
    // In a program that looks into tunnels, the same name may mean the inner packet.
    if (part === 'port' ? this.hasInnerFrames : readsPacket(v.args[1])) return undefined
    return { kind: 'field', field, part, done: done.join() }
  }
}

const other = (i: Instr): KeyLeaf => ({ kind: 'other', name: nameOf(i) })

/** Zero stays zero however its bytes are ordered; what else becomes of constants is not followed. */
const constantLeaf = (value: bigint, done: readonly string[]): KeyLeaf | undefined =>
  done.length === 0 || (value === 0n && done.every(d => lossless.has(d)))
    ? { kind: 'constant', value }
    : undefined

/** True if a value depends on the packet's bytes: an address that does is not that of the outermost IP header. */
function readsPacket(value: Instr): boolean {
  const seen = new Set([value])
  for (const i of seen) {
    if (i.op === 'load') return true
    for (const a of i.args) seen.add(a)
  }
  return false
}
