// Load widening: a value put together from adjacent bytes of the packet by shifts and ors is read with one load, and a
// swap where the bytes were put together most significant first. Only unchecked loads take part: of a checked one, not
// all bytes need be there. The wide load stands where the last of the narrow ones stood.

import { accessOf } from '../analysis/packet-versions.js'
import { blockOf } from '../analysis/cfg.js'
import { dominators } from '../analysis/dominators.js'
import { bitsOf, opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { constOf, newInstr, replaceUses } from './edit.js'

/** Where a byte of a value comes from: byte k of what a load reads, or it is 0. */
type Source = { readonly load: Instr; readonly k: number } | 'zero'
/** Of each byte, least significant first; undefined where it is something else. */
type Bytes = readonly (Source | undefined)[]

export function widen(func: Func): boolean {
  return new Widening(func).run()
}

class Widening {
  private readonly func: Func
  /** Taken when the first value is found: few functions have one. */
  private found: Map<Instr, Block> | undefined
  private readonly known = new Map<Instr, Bytes>()
  private readonly replaced = new Map<Instr, Instr>()

  constructor(func: Func) {
    this.func = func
  }

  private get blocks(): Map<Instr, Block> {
    return (this.found ??= blockOf(this.func))
  }

  run(): boolean {
    const done = new Set<Instr>()
    for (const block of this.func.blocks.toReversed())
      for (const i of block.instrs.toReversed()) {
        if (done.has(i) || !combines(i)) continue
        const run = findRun(this.bytesOf(i))
        if (!run) continue
        this.replaced.set(i, this.wideLoad(i, run))
        markParts(i, done)
      }
    replaceUses(this.func, this.replaced)
    return this.replaced.size > 0
  }

  private bytesOf(i: Instr): Bytes {
    let bytes = this.known.get(i)
    if (!bytes) this.known.set(i, (bytes = this.compute(i)))
    return bytes
  }

  private compute(i: Instr): Bytes {
    const n = bitsOf(i.type) / 8
    const all = (f: (k: number) => Source | undefined): Bytes => Array.from({ length: n }, (_, k) => f(k))
    const [x, y] = i.args
    const c = i.op === 'const' ? constOf(i) : y && constOf(y)
    const byteOf = (v: bigint, k: number): bigint => (v >> BigInt(8 * k)) & 0xffn
    if (opInfo(i.op).effect === 'packet.read') {
      if (i.attrs.checked !== false) return all(() => undefined)
      return all(k => (k < Number(i.attrs.width) ? { load: i, k } : 'zero'))
    }
    if (i.op === 'const') return all(k => (byteOf(c!, k) === 0n ? 'zero' : undefined))
    if (i.op === 'zext' || i.op === 'trunc') {
      const from = x.type === 'i1' ? [undefined] : this.bytesOf(x)
      return all(k => (k < from.length ? from[k] : 'zero'))
    }
    const swap = { bswap16: 2, bswap32: 4, bswap64: 8 }[i.op]
    if (swap) return all(k => (k < swap ? this.bytesOf(x)[swap - 1 - k] : 'zero'))
    if (
      (i.op === 'shl' || i.op === 'shru') &&
      c !== undefined &&
      c % 8n === 0n &&
      c < BigInt(bitsOf(i.type))
    ) {
      const by = Number(c / 8n) * (i.op === 'shl' ? -1 : 1)
      return all(k => (k + by >= 0 && k + by < n ? this.bytesOf(x)[k + by] : 'zero'))
    }
    if (i.op === 'and' && c !== undefined)
      return all(k => ({ 0: 'zero' as const, 255: this.bytesOf(x)[k] })[Number(byteOf(c, k))])
    if (combines(i)) return joined(this.bytesOf(x), this.bytesOf(y), i.op === 'add')
    return all(() => undefined)
  }

  /** The value read at once, of the type of `i`. */
  private wideLoad(i: Instr, run: Run): Instr {
    const last = this.lastOf(run.loads)
    const block = this.blocks.get(last)!
    const made: Instr[] = []
    const make = (op: string, args: Instr[], type?: Instr['type'], attrs = {}): Instr => {
      const m = newInstr(this.func, op, args, { attrs, ...(type && { type }) })
      if (i.span) m.span = i.span
      made.push(m)
      this.blocks.set(m, block)
      return m
    }
    const attrs = { width: run.width, offset: run.offset, checked: false }
    let value = make('load', [last.args[0], run.first.args[1]], run.width === 8 ? 'i64' : 'i32', attrs)
    if (run.reversed) value = make(`bswap${run.width * 8}`, [value])
    if (value.type !== i.type) value = make('zext', [value], i.type)
    if (i.name !== undefined) value.name = i.name
    block.instrs.splice(block.instrs.indexOf(last) + 1, 0, ...made)
    return value
  }

  /** The load that all others dominate. */
  private lastOf(loads: readonly Instr[]): Instr {
    const tree = dominators(this.func)
    const before = (a: Instr, b: Instr): boolean => {
      const [x, y] = [this.blocks.get(a)!, this.blocks.get(b)!]
      return x === y ? x.instrs.indexOf(a) < x.instrs.indexOf(b) : tree.dominates(x, y)
    }
    return loads.reduce((last, l) => (before(last, l) ? l : last))
  }
}

/** Operations that put bytes together where one side is 0. */
const combines = (i: Instr): boolean => (i.op === 'or' || i.op === 'xor' || i.op === 'add') && i.type !== 'i1'

function joined(a: Bytes, b: Bytes, carries: boolean): Bytes {
  const bytes = a.map((x, k) => (x === 'zero' ? b[k] : b[k] === 'zero' ? x : undefined))
  // A sum may carry out of a byte that both sides have; then the bytes above are unknown as well.
  const clash = carries ? a.findIndex((x, k) => x !== 'zero' && b[k] !== 'zero') : -1
  return clash < 0 ? bytes : bytes.map((x, k) => (k < clash ? x : undefined))
}

interface Run {
  readonly width: 2 | 4 | 8
  readonly reversed: boolean
  /** The load at the lowest address, and the offset there. */
  readonly first: Instr
  readonly offset: number
  readonly loads: readonly Instr[]
}

/** The bytes as one load of adjacent bytes, if two loads or more make them. */
function findRun(bytes: Bytes): Run | undefined {
  const width = bytes.findLastIndex(b => b !== 'zero') + 1
  if (width !== 2 && width !== 4 && width !== 8) return undefined
  const sources = bytes.slice(0, width).filter(b => b !== undefined && b !== 'zero')
  const loads = [...new Set(sources.map(s => s.load))]
  if (sources.length < width || loads.length < 2) return undefined
  const where = accessOf(loads[0])
  if (loads.some(l => l.args[0] !== loads[0].args[0] || accessOf(l).base !== where.base)) return undefined
  const addresses = sources.map(s => Number(accessOf(s.load).offset) + s.k)
  const step = addresses[1] - addresses[0]
  if ((step !== 1 && step !== -1) || addresses.some((a, k) => a !== addresses[0] + k * step)) return undefined
  const lowest = step === 1 ? sources[0] : sources[width - 1]
  if (lowest.k !== 0) return undefined
  const first = lowest.load
  return { width, reversed: step < 0, first, offset: Number(first.attrs.offset), loads }
}

/** The operations that only served to build the value need no look of their own. */
function markParts(i: Instr, done: Set<Instr>): void {
  for (const a of i.args)
    if (!done.has(a) && opInfo(a.op).fold) {
      done.add(a)
      markParts(a, done)
    }
}
