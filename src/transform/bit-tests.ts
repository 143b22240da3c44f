// Tests of bits of one word that lead to the same place are one test: `x & 16` here and `x & 32` there, or neither, is
// `x & 48`. A program asks for a packet's flags one by one; split.ts makes a branch of each, so this comes after it.
// Promises: the same ways for every value.

import { bitsTested } from '../analysis/bit-tests.js'
import type { BitsTested } from '../analysis/bit-tests.js'
import { predIndex } from '../analysis/cfg.js'
import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import { newConst, newInstr, phisOf, removePred } from './edit.js'

export function mergeBitTests(func: Func): boolean {
  const gone = new Set<Block>()
  const stays = !func.blocks.some(b => b.instrs.some(i => i.op === 'item.store'))
  for (const block of func.blocks) {
    if (gone.has(block)) continue
    for (let next = mergeable(block, stays); next; next = mergeable(block, stays)) {
      merge(func, block, next)
      gone.add(next.other)
    }
  }
  if (gone.size > 0) func.blocks = func.blocks.filter(b => !gone.has(b))
  return gone.size > 0
}

interface Pair {
  readonly first: BitsTested
  readonly second: BitsTested
  /** The block that asks for more bits where none of the first is set. */
  readonly other: Block
}

/** The test that can be joined with a block's, from where that fails. `stays`: whether nothing writes to the item. */
function mergeable(block: Block, stays: boolean): Pair | undefined {
  const first = testOf(block)
  if (!first) return undefined
  const other = targetIf(block, first, false)
  if (other === block || other.preds.length !== 1 || phisOf(other).length > 0) return undefined
  const second = testOf(other)
  if (!second || !isSame(first.value, second.value, stays)) return undefined
  const shared = targetIf(block, first, true)
  if (shared !== targetIf(other, second, true) || shared === targetIf(other, second, false)) return undefined
  if (shared === other || !other.instrs.every(isFree)) return undefined
  const [at, from] = [shared.preds.indexOf(block), shared.preds.indexOf(other)]
  return phisOf(shared).every(phi => phi.args[at] === phi.args[from]) ? { first, second, other } : undefined
}

function testOf({ term }: Block): BitsTested | undefined {
  if (term.op !== 'branch' || term.targets[0] === term.targets[1]) return undefined
  return bitsTested(term.cond)
}

/** Where a block goes if one of the bits is set, or if none is. */
const targetIf = ({ term }: Block, test: BitsTested, isSet: boolean): Block =>
  term.targets[test.set === isSet ? 0 : 1] as Block

/** The same value, or the same field of the item. */
const isSame = (a: Instr, b: Instr, stays: boolean): boolean =>
  a === b ||
  (stays &&
    a.op === 'item.load' &&
    b.op === 'item.load' &&
    a.type === b.type &&
    a.attrs.offset === b.attrs.offset &&
    a.attrs.width === b.attrs.width)

/** Whether an instruction may run where it is not needed. */
const isFree = ({ op, type }: Instr): boolean =>
  op === 'const' || op === 'item.load' || (opInfo(op).effect === 'none' && type !== 'mem')

function merge(func: Func, block: Block, { first, second, other }: Pair): void {
  const t = block.term
  const last = other.term
  if (t.op !== 'branch' || last.op !== 'branch') throw new Error('no branch')
  const shared = targetIf(block, first, true)
  const rest = targetIf(other, second, false)
  const { type } = first.value
  const mask = newConst(func, type, first.mask | second.mask)
  const zero = newConst(func, type, 0n)
  const bits = newInstr(func, 'and', [first.value, mask])
  const cond = newInstr(func, 'ne', [bits, zero], { like: t.cond })
  block.instrs.push(...other.instrs, mask, zero, bits, cond)
  rest.preds[predIndex(other, last.targets[0] === rest ? 0 : 1)] = block
  removePred(shared, shared.preds.indexOf(other))
  block.term = { ...t, cond, targets: [shared, rest] }
}
