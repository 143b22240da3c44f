// Rewrites packet loads so that they read the packet as received, because metadata is taken before the program runs.
//
// A load names a version of the packet's bytes. Walking back from it, a store that provably writes other bytes is
// skipped; a store of exactly the loaded bytes gives its value in place of the load; any other store is a refusal with
// both places. Addresses are compared as sums: equal terms cancel, the rest is bounded by ranges.ts.

import { bitsOf, opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { replaceUses } from '../transform/edit.js'
import { blockOf } from './cfg.js'
import { intersect, transfer } from './interval.js'
import type { Interval } from './interval.js'
import { ranges } from './ranges.js'
import type { Ranges } from './ranges.js'
import { refusable, Refused } from './refusal.js'

/** Rebases every load of the function in place; true if any was not of the packet as received. Throws Refused. */
export function readAsReceived(func: Func): boolean {
  const loads = func.blocks.flatMap(b => b.instrs.filter(i => i.op === 'load'))
  if (loads.every(i => i.args[0].op === 'packet')) return false
  const rebase = new Rebase(func)
  for (const load of loads) rebase.load(load)
  replaceUses(func, rebase.replaced)
  return true
}

/** Whether a load provably gives bytes as received; nothing is changed. */
export function readsReceived(func: Func): (load: Instr) => boolean {
  let rebase: Rebase | undefined
  return load => load.args[0].op === 'packet' || (rebase ??= new Rebase(func)).isReceived(load)
}

/** Operations looked through to bound a term of an address. */
const termDepth = 4

const widthOf = (i: Instr): bigint => BigInt(Number(i.attrs.width))

class Rebase {
  readonly replaced = new Map<Instr, Instr>()
  private readonly known: Ranges
  private readonly places: ReadonlyMap<Instr, Block>
  private readonly func: Func

  constructor(func: Func) {
    this.func = func
    this.known = ranges(func)
    this.places = blockOf(func)
  }

  isReceived(load: Instr): boolean {
    const found = refusable(() => this.back(load, load.args[0], new Set()))
    return found === 'received'
  }

  load(load: Instr): void {
    const found = this.back(load, load.args[0], new Set())
    if (found === 'received') load.args[0] = this.packet()
    else this.forward(load, found)
  }

  /** The packet as received, at the head of the function. */
  private packet(): Instr {
    const entry = this.func.blocks[0]
    const first = entry.instrs.find(i => i.op === 'packet')
    const received = first ?? { id: this.func.nextId++, op: 'packet', type: 'mem', args: [], attrs: {} }
    entry.instrs = [received, ...entry.instrs.filter(i => i !== received)]
    return received
  }

  /** What the load reads in that version of the packet: the bytes as received, or what a store wrote there. */
  private back(load: Instr, version: Instr, seen: Set<Instr>): 'received' | Instr {
    let v = version
    while (v.op === 'store') {
      const apart = this.apart(load, v)
      if (apart === 'equal') return v
      if (apart === 'unknown') throw refuse(load, v)
      v = v.args[0]
    }
    if (v.op !== 'phi') return 'received'
    if (seen.has(v)) return 'received'
    seen.add(v)
    for (const arg of v.args) {
      const found = this.back(load, arg, seen)
      if (found !== 'received') throw refuse(load, found)
    }
    return 'received'
  }

  /** Puts the stored value, cut to the store's width, in the load's place. */
  private forward(load: Instr, store: Instr): void {
    const block = this.places.get(load)!
    const most = (1n << (8n * widthOf(store))) - 1n
    const make = (op: string, args: Instr[], attrs: Instr['attrs'] = {}): Instr => {
      const i: Instr = { ...load, id: this.func.nextId++, op, args, attrs }
      block.instrs.splice(block.instrs.indexOf(load), 0, i)
      return i
    }
    let [, , value] = store.args
    const fits = this.known.of(value).hi <= most
    if (bitsOf(value.type) > bitsOf(load.type)) value = make('trunc', [value])
    else if (bitsOf(value.type) < bitsOf(load.type)) value = make('zext', [value])
    this.replaced.set(load, fits ? value : make('and', [value, make('const', [], { value: most })]))
  }

  private apart(load: Instr, store: Instr): 'apart' | 'equal' | 'unknown' {
    const a = this.sum(load.args[1], Number(load.attrs.offset))
    const b = this.sum(store.args[1], Number(store.attrs.offset))
    const terms = new Map(a.terms)
    for (const [term, times] of b.terms) terms.set(term, (terms.get(term) ?? 0n) - times)
    let low = a.constant - b.constant
    let high = low
    for (const [term, times] of terms) {
      if (times === 0n) continue
      const range = this.at(term, this.places.get(load)!, termDepth)
      low += times * (times > 0n ? range.lo : range.hi)
      high += times * (times > 0n ? range.hi : range.lo)
    }
    if (low >= widthOf(store) || high <= -widthOf(load)) return 'apart'
    return low === 0n && high === 0n && widthOf(load) === widthOf(store) ? 'equal' : 'unknown'
  }

  /** What a value can be in a block, its operands being what they can be there. */
  private at(i: Instr, block: Block, depth: number): Interval {
    const range = this.known.at(i, block)
    if (depth === 0 || !opInfo(i.op).fold) return range
    const derived = transfer(
      i,
      i.args.map(a => this.at(a, block, depth - 1)),
    )
    return intersect(range, derived) ?? range
  }

  /** An address as a sum. Only additions that cannot wrap are taken apart: packets are far shorter than 2^32. */
  private sum(address: Instr, offset: number): { terms: Map<Instr, bigint>; constant: bigint } {
    const terms = new Map<Instr, bigint>()
    let constant = BigInt(offset)
    const add = (i: Instr): void => {
      if (i.op === 'const') constant += BigInt(i.attrs.value)
      else if (i.op === 'add' && this.known.of(i.args[0]).hi + this.known.of(i.args[1]).hi < 1n << 32n)
        i.args.forEach(add)
      else terms.set(i, (terms.get(i) ?? 0n) + 1n)
    }
    add(address)
    return { terms, constant }
  }
}

function refuse(load: Instr, store: Instr): Refused {
  const what = load.name ?? 'packet bytes'
  return new Refused({
    kind: 'packet-written',
    reason: `${what} decide how state changes, but they are read after the program may have overwritten them`,
    ...(load.span && { span: load.span }),
    notes: [{ message: 'written here', ...(store.span && { span: store.span }) }],
  })
}
