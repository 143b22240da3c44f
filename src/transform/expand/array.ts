// Expanded code for arrays and pools (docs/state.md, "Array" and "Pool"; src/state/array.ts and pool.ts are the oracle).

import type { Instr } from '../../ir/types.js'
import { noNumber, poolHeader } from '../../state/format.js'
import type { ArrayLayout, PoolLayout } from '../../state/layout.js'
import type { Emitter } from './emitter.js'

/** Offset of element `index`, and whether it exists; a constant index inside the array needs no check. */
export function element(e: Emitter, array: ArrayLayout, index: Instr): { at: Instr; inside?: Instr } {
  if (index.op === 'const' && Number(index.attrs.value) < array.length)
    return { at: e.i32(Number(index.attrs.value) * array.stride) }
  const inside = e.ltu(index, array.length)
  return { at: e.mul(e.select(inside, index, 0), array.stride), inside }
}

/** pool.take: the number that has been free the longest, or 0xFFFFFFFF; a dry pool sweeps its tables first. */
export function take(e: Emitter, pool: PoolLayout, clocks: readonly Instr[]): Instr {
  const zero = e.i32(0)
  if (clocks.length > 0)
    e.when(e.eq(e.load(pool.name, 4, zero, poolHeader.available), 0), () =>
      clocks.forEach((now, k) => e.call(`${pool.releasedBy[k]}.sweep`, [now], 'void')),
    )
  const number = e.variable('i32', e.i32(noNumber))
  const available = e.load(pool.name, 4, zero, poolHeader.available)
  e.when(
    e.eq(available, 0),
    () => e.bump(pool.name, poolHeader.exhausted),
    () => {
      const head = e.load(pool.name, 4, zero, poolHeader.head)
      const next = e.add(head, 1)
      e.store(pool.name, 4, zero, poolHeader.head, e.select(e.eq(next, pool.count), e.i32(0), next))
      e.store(pool.name, 4, zero, poolHeader.available, e.sub(available, 1))
      e.set(number, e.load(pool.name, 4, e.shl(head, 2), pool.ringOffset))
    },
  )
  return e.get(number)
}

/** pool.give: queues a number; one that is not the pool's, or too many, is counted and ignored. */
export function give(e: Emitter, pool: PoolLayout, number: Instr): void {
  const zero = e.i32(0)
  const available = e.load(pool.name, 4, zero, poolHeader.available)
  const known = e.leu(e.sub(number, pool.first), pool.last - pool.first)
  e.when(
    e.and(known, e.ltu(available, pool.count)),
    () => {
      const head = e.load(pool.name, 4, zero, poolHeader.head)
      const sum = e.add(head, available)
      // head and available are below 2^31 in any pool that fits memory, so the sum does not wrap.
      const at = e.select(e.leu(e.i32(pool.count), sum), e.sub(sum, pool.count), sum)
      e.store(pool.name, 4, e.shl(at, 2), pool.ringOffset, number)
      e.store(pool.name, 4, zero, poolHeader.available, e.add(available, 1))
    },
    () => e.bump(pool.name, poolHeader.rejected),
  )
}
