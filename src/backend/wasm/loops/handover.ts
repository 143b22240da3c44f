// State that changes hands in the stream of packets: the sequencer keeps the items of packets concerned, a worker writes down
// and takes in. Read strategy/handover.ts (the blocks) and transform/expand/handover.ts (what is done to tables) first.

import type { Func as IrFunc } from '../../../ir/types.js'
import { answerLayout, handoverLayout as block, keptItem, keptItemBytes } from '../../../strategy/handover.js'
import { heavySlots, indirectionEntries, steeringLayout } from '../../../strategy/toeplitz.js'
import { drop, i32, i64, if_, local } from '../asm.js'
import type { Code } from '../asm.js'
import { context } from '../memory.js'
import { Loop } from './loop.js'
import type { LoopParts, Slice } from './loop.js'

/** A loop whose functions know the blocks; `common` and `own` are locals with their addresses. */
function withBlocks(parts: LoopParts, name: string) {
  const loop = new Loop(parts, name)
  const common = loop.declare('common', 'i32')
  const own = loop.declare('own', 'i32')
  const all = loop.declare('all', 'i32')
  const { ctx } = loop.l
  loop.func.emit([
    [local.get(ctx), i32.load(context.handover), local.tee(common), i32.load(block.answers), local.set(all)],
    [local.get(ctx), i32.load(context.answer), local.set(own)],
  ])
  loop.knowBlock('handover', common)
  loop.knowBlock('answer', own)
  loop.knowBlock('answers', all)
  return { loop, common, own }
}

/** keep(ctx, desc, count, seq): keeps the items of those packets whose state is about to change hands, for who will have it. */
export function keep(parts: LoopParts, steer: IrFunc, { extract, itemStride }: Slice): void {
  const { loop, common } = withBlocks(parts, 'keep')
  const { steering, seq } = loop.l
  const [hash, slot, bucket, mask, at, effect] = ['hash', 'slot', 'bucket', 'mask', 'at', 'effect'].map(n =>
    loop.declare(n, 'i32'),
  )
  const item = loop.declare('item', 'i32')
  /** The hash has its slot in a column, and is not the one that an empty slot holds. */
  const among = (base: Code, offset: number): Code => [
    [base, local.get(slot), i32.add, i32.load(offset), local.get(hash), i32.eq],
    [local.get(hash), i32.const(0), i32.ne, i32.and],
  ]
  const low = (entries: number): Code => [
    [local.get(hash), i32.const(entries - 1), i32.and, i32.const(2), i32.shl],
  ]
  loop.each(
    [
      loop.openPacket(),
      loop.inline(steer, result => [result, local.set(hash)]),
      [low(heavySlots), local.set(slot), low(indirectionEntries), local.set(bucket)],
      [local.get(common), local.get(bucket), i32.add, i32.load(block.moving), local.set(mask)],
      among(local.get(common), block.pending),
      if_([
        [local.get(common), i32.load(block.allWorkers), i32.const(1)],
        [local.get(steering), local.get(bucket), i32.add, i32.load(steeringLayout.indirection)],
        [i32.shl, i32.xor, local.set(mask)],
      ]),
      among(local.get(steering), steeringLayout.heavy),
      if_([i32.const(0), local.set(mask)]),
      local.get(mask),
      if_([
        [local.get(common), i32.load(block.kept), local.get(common), i32.load(block.keptRoom), i32.ge_u],
        if_(
          [local.get(common), i32.const(1), i32.store(block.keptOver)],
          [
            [local.get(common), local.get(common), i32.load(block.kept)],
            [i32.const(keptItemBytes(itemStride)), i32.mul, i32.add, i32.const(block.records), i32.add],
            local.set(at),
            [local.get(at), i32.const(keptItem.item), i32.add, local.set(item)],
            loop.inline(extract, result => [result, local.set(effect)], item),
            local.get(effect),
            if_([
              [local.get(at), local.get(seq), i64.store(keptItem.sequence)],
              [local.get(at), local.get(mask), i32.store(keptItem.mask)],
              [local.get(common), local.get(common), i32.load(block.kept), i32.const(1), i32.add],
              i32.store(block.kept),
            ]),
          ],
        ),
      ]),
    ],
    loop.nextPacket(),
  )
}

/** handOut(ctx, 0, 0, 0): looks through the worker's state and does what its answer block says. */
export function handOut(parts: LoopParts, ir: IrFunc): void {
  const { loop } = withBlocks(parts, 'handOut')
  loop.func.emit(loop.inline(ir, result => [result, drop]))
}

/** takeIn(ctx, 0, kept, 0): takes in what the answers have for the worker, then replays its part of the items kept. */
export function takeIn(parts: LoopParts, ir: IrFunc, { advance, itemStride }: Slice): void {
  const { loop, common, own } = withBlocks(parts, 'takeIn')
  const { ctx, seq } = loop.l
  const at = loop.declare('at', 'i32')
  const item = loop.declare('item', 'i32')
  const replayed = loop.declare('replayed', 'i64')
  loop.func.emit(
    loop.inline(ir, result => [result, drop]),
    [local.get(common), i32.const(block.records), i32.add, local.set(at)],
  )
  loop.each(
    [
      [local.get(at), i32.load(keptItem.mask), local.get(own), i32.load(answerLayout.bit), i32.and],
      if_([
        [local.get(at), i64.load(keptItem.sequence), local.set(seq)],
        [local.get(at), i32.const(keptItem.item), i32.add, local.set(item)],
        loop.inline(advance, () => [], item),
        [local.get(replayed), i64.const(1), i64.add, local.set(replayed)],
      ]),
    ],
    [local.get(at), i32.const(keptItemBytes(itemStride)), i32.add, local.set(at)],
  )
  loop.func.emit(
    [local.get(ctx), local.get(ctx), i64.load(context.replayed), local.get(replayed), i64.add],
    i64.store(context.replayed),
  )
}
