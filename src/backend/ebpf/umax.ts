// Upper bounds of values, as the kernel's verifier knows them (`verified`) and as they are (`real`).
//
// An access at a variable offset is accepted if the verifier can bound the offset. Where it can do so itself, no check
// is emitted; so `verified` follows the verifier's own rules and stays below its strength: no facts from branches,
// nothing about divisions, byte swaps or calls. Both are sound for every execution.

import type { DominatorTree } from '../../analysis/dominators.js'
import { bitsOf } from '../../ir/ops.js'
import { reversePostorder } from '../../ir/order.js'
import type { Block, Func, Instr } from '../../ir/types.js'
import type { Target } from './target.js'

export interface Bounds {
  readonly verified: ReadonlyMap<Instr, bigint>
  readonly real: ReadonlyMap<Instr, bigint>
}

/** Paths that may meet before the verifier is made to forget them, and instructions it would walk again otherwise. */
const manyPaths = 8
const muchWork = 1000

/**
 * Whether the verifier is kept from knowing what a phi's result is: it would follow every round of a loop, and every
 * path from a place where many met, on its own. Measured: docs/decisions/0141, 0180 and 0278.
 */
export type Forgotten = (phi: Instr) => boolean

/**
 * What is forgotten in a function: at the heads of loops, and where many paths meet with much code below; where the
 * verifier follows every round of a loop, with any; and wherever paths meet at all in a build that `forgets`, for
 * programs that are too much for the verifier otherwise.
 */
export function forgottenIn(
  func: Func,
  tree: DominatorTree,
  { loops, forgets }: Pick<Target, 'loops' | 'forgets'>,
): Forgotten {
  const always = loops === 'bounded'
  const forgotten = new Set<Instr>()
  for (const block of func.blocks) {
    const phis = block.instrs.filter(i => i.op === 'phi')
    if (phis.length === 0) continue
    const isHeader = block.preds.some(p => tree.dominates(block, p))
    const paths = block.preds.length
    const isMuch = paths >= manyPaths && (always || paths * workFrom(block) >= muchWork)
    if (isHeader || isMuch || forgets === true) for (const p of phis) forgotten.add(p)
  }
  return phi => forgotten.has(phi)
}

/** Instructions that can follow, those of the block included. */
function workFrom(block: Block): number {
  const reached = new Set([block])
  for (const b of reached) for (const t of b.term.targets) reached.add(t)
  return [...reached].reduce((sum, b) => sum + b.instrs.length, 0)
}

const u32 = 0xffffffffn
const u64 = 0xffffffffffffffffn
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const fill = (v: bigint): bigint => (1n << BigInt(v.toString(2).length)) - (v === 0n ? 2n : 1n)

/**
 * Bounds of every value of a function. A verifier before Linux 6.9 knows of the low half of a 64-bit value only which
 * bits can be set (`onlyBits`), whatever it knows of the whole.
 */
export function boundsOf(func: Func, isForgotten: Forgotten, onlyBits = false): Bounds {
  const verified = new Map<Instr, bigint>()
  const real = new Map<Instr, bigint>()
  for (const p of func.params) {
    verified.set(p, u64)
    real.set(p, (1n << BigInt(bitsOf(p.type))) - 1n)
  }
  for (const block of reversePostorder(func)) {
    for (const i of block.instrs) {
      if (i.type === 'mem' || i.type === 'void') continue
      const whole = (1n << BigInt(bitsOf(i.type))) - 1n
      const limit = (known: ReadonlyMap<Instr, bigint>, isReal: boolean): bigint => {
        if (i.op === 'phi' && isForgotten(i)) return isReal ? whole : i.type === 'i64' ? u64 : u32
        const found = bound(i, a => known.get(a) ?? u64, isReal)
        return onlyBits && !isReal && i.op === 'trunc' ? fill(found) : found
      }
      verified.set(i, limit(verified, false))
      real.set(i, least(limit(real, true), whole))
    }
  }
  return { verified, real }
}

function bound(i: Instr, of: (i: Instr) => bigint, isReal: boolean): bigint {
  const whole = i.type === 'i64' ? u64 : u32
  const fit = (v: bigint): bigint => (v > whole ? whole : v)
  const [a, b] = i.args
  const count = b?.op === 'const' ? BigInt(b.attrs.value) & BigInt(bitsOf(i.type) - 1) : undefined
  switch (i.op) {
    case 'const':
      return BigInt(i.attrs.value)
    case 'load':
    case 'state.load':
      return (1n << BigInt(8 * Number(i.attrs.width))) - 1n
    case 'setting':
      return whole
    case 'and':
      return least(of(a), of(b))
    case 'or':
    case 'xor':
      return fit(fill(most(of(a), of(b))))
    case 'add':
      return fit(of(a) + of(b))
    case 'mul':
      return most(of(a), of(b)) > (i.type === 'i64' ? u32 : 0xffffn) ? whole : fit(of(a) * of(b))
    case 'shl':
      return count === undefined ? whole : fit(of(a) << count)
    case 'shru':
      return count === undefined ? whole : least(of(a), whole) >> count
    case 'select':
      return most(of(i.args[1]), of(i.args[2]))
    case 'phi':
      return i.args.map(of).reduce(most, 0n)
    case 'trunc':
      return least(of(a), u32)
    case 'zext':
      return of(a)
    case 'divu':
    case 'remu':
      return isReal ? of(a) : whole
    case 'bswap16':
      return isReal ? 0xffffn : u64
    case 'input':
      return isReal && i.attrs.name === 'length' ? 0xffffn : i.attrs.name === 'length' ? u64 : whole
    case 'bswap32':
    case 'bswap64':
    case 'call':
      return isReal ? whole : u64
    default:
      return i.type === 'i1' ? 1n : whole
  }
}

/** The largest value that a function returns, as far as the verifier knows. */
export function largestResult(blocks: readonly Block[], { verified }: Bounds): bigint {
  const results = blocks.flatMap(({ term }) => (term.op === 'return' ? term.args : []))
  const bounds = results.map(r => (r.op === 'const' ? BigInt(r.attrs.value) : (verified.get(r) ?? u64)))
  return bounds.reduce(most, 0n)
}
