// Hybrid: packets of heavy keys are sprayed and replayed by all workers, the others are sharded.
//
// While no key is heavy, sharding's own loops run and nothing of this but `vote`, over a sample of the packets. Otherwise
// the sequencer writes the lists of sharding and one more, of heavy packets, which all workers read: a worker merges it
// with its own. Read sharded.ts and replicated.ts first.

import type { Func as IrFunc } from '../../../ir/types.js'
import { heavySlots, steeringLayout, voteSlots } from '../../../strategy/toeplitz.js'
import { block, br, i32, i64, if_, label, local } from '../asm.js'
import type { Code, Local } from '../asm.js'
import { context, descriptorBytes } from '../memory.js'
import { Loop } from './loop.js'
import type { LoopParts, Slice } from './loop.js'
import { append, bucketEntry } from './sharded.js'

/**
 * An entry of the list of heavy packets: the packet's index below `ownerShift`, the worker whose packet it is above, and in
 * the sign bit whether its item has an effect. `endOfList` stands behind the last entry of every list.
 */
export const heavyEntry = { indexMask: 0x07ff_ffff, ownerShift: 27, ownerMask: 0xf } as const
export const endOfList = 0xffff_ffff

/** vote(ctx, desc, count, seq, every): `count` packets, `every` descriptors apart, vote for the key they belong to. */
export function vote(parts: LoopParts, steer: IrFunc): void {
  const loop = new Loop(parts, 'vote', ['every'])
  const { desc, steering, every } = loop.l
  const hash = loop.declare('hash', 'i32')
  const at = loop.declare('at', 'i32')
  loop.each(
    [
      loop.openPacket(),
      loop.inline(steer, result => [result, local.set(hash)]),
      [local.get(steering), local.get(hash), i32.const(voteSlots - 1), i32.and],
      [i32.const(3), i32.shl, i32.add, local.tee(at)],
      [i32.load(steeringLayout.votes), local.get(hash), i32.eq],
      if_(
        [count(at, 1)],
        [
          [local.get(at), i32.load(steeringLayout.votes + 4)],
          if_(
            [count(at, -1)],
            [
              [local.get(at), local.get(hash), i32.store(steeringLayout.votes)],
              [local.get(at), i32.const(1), i32.store(steeringLayout.votes + 4)],
            ],
          ),
        ],
      ),
    ],
    [[local.get(desc), local.get(every), i32.const(descriptorBytes), i32.mul, i32.add, local.set(desc)]],
  )
}

/** Adds to the votes of the slot at `at`. */
const count = (at: Local, amount: number): Code => [
  [local.get(at), local.get(at), i32.load(steeringLayout.votes + 4), i32.const(amount), i32.add],
  i32.store(steeringLayout.votes + 4),
]

/**
 * classify(ctx, desc, count, seq, lists, room, heavy, items, effects): lists each packet for its bucket's worker, or, if its key
 * is heavy, in the list at `heavy`, with the worker whose turn it is. Lists must be empty before. Items and effect bytes of heavy
 * packets stand where replication has them.
 */
export function classify(parts: LoopParts, steer: IrFunc, { extract, itemStride }: Slice): void {
  const loop = new Loop(parts, 'classify', ['lists', 'room', 'heavy', 'items', 'effects'])
  const { i, items, effects, heavy } = loop.l
  const [hash, bucket, effect, place] = ['hash', 'bucket', 'effect', 'place'].map(n => loop.declare(n, 'i32'))
  const turn = startOfTurns(loop)
  const { workers } = loop.l
  loop.func.emit([local.get(heavy), local.set(place)])
  loop.each(
    [
      loop.openPacket(),
      loop.inline(steer, result => [result, local.set(hash)]),
      isHeavy(loop, hash),
      if_(
        [
          loop.inline(extract, result => [result, local.set(effect)], items),
          [local.get(effects), local.get(i), i32.add, local.get(effect), i32.store8()],
          [local.get(place), i32.const(4), i32.add, local.tee(place)],
          [local.get(effect), i32.const(31), i32.shl],
          [local.get(turn), i32.const(heavyEntry.ownerShift), i32.shl, i32.or, local.get(i), i32.or],
          i32.store(),
          [local.get(turn), i32.const(1), i32.add, local.tee(turn), local.get(workers), i32.eq],
          if_([i32.const(0), local.set(turn)]),
        ],
        [bucketEntry(loop, hash, bucket), append(loop, bucket)],
      ),
    ],
    [loop.nextPacket(), [local.get(items), i32.const(itemStride), i32.add, local.set(items)]],
  )
  loop.func.emit([
    [local.get(heavy), local.get(place), local.get(heavy), i32.sub, i32.const(2), i32.shr_u],
    i32.store(),
  ])
}

/** Whether a hash is that of a heavy key, as an i32 of 0 or 1. */
export const isHeavy = ({ l: { steering } }: Loop, hash: Local): Code => [
  [local.get(steering), local.get(hash), i32.const(heavySlots - 1), i32.and],
  [i32.const(2), i32.shl, i32.add],
  [i32.load(steeringLayout.heavy), local.get(hash), i32.eq],
  // An empty slot holds 0.
  [local.get(hash), i32.const(0), i32.ne, i32.and],
]

/** The worker whose turn the batch's first heavy packet is, as a local set up front: its sequence number modulo workers. */
function startOfTurns(loop: Loop): Local {
  const { ctx, seq } = loop.l
  const workers = loop.declare('workers', 'i32')
  const turn = loop.declare('turn', 'i32')
  loop.func.emit(
    [local.get(ctx), i32.load(context.workers), local.set(workers)],
    [local.get(seq), local.get(workers), i64.extend_i32_u, i64.rem_u, i32.wrap_i64, local.set(turn)],
  )
  return turn
}

/**
 * mixed(ctx, desc, count, seq, list, heavy, stamps, items): the packets of a worker's list and those of the list of heavy
 * packets in their common order, `count` of both together. What is another worker's advances the state by its item.
 */
export function mixed(parts: LoopParts, { advance, itemStride }: Slice): void {
  const loop = new Loop(parts, 'mixed', ['list', 'heavy', 'stamps', 'items'])
  const { ctx, list, heavy, desc, seq, items } = loop.l
  const names = ['base', 'index', 'item', 'light', 'entry', 'own']
  const [base, index, item, light, entry, own] = names.map(n => loop.declare(n, 'i32'))
  const first = loop.declare('first', 'i64')
  const replayed = loop.declare('replayed', 'i64')
  const next = (at: Local, into: Local): Code => [
    [local.get(at), i32.load(), local.set(into)],
    [local.get(at), i32.const(4), i32.add, local.set(at)],
  ]
  const sequence: Code = [local.get(first), local.get(index), i64.extend_i32_u, i64.add, local.set(seq)]
  loop.func.emit(
    [local.get(desc), local.set(base)],
    [local.get(seq), local.set(first)],
    [local.get(ctx), i32.load(context.worker), local.set(own)],
    [next(list, light), next(heavy, entry)],
  )
  const done = label('done')
  const process = label('process')
  loop.each(
    [
      block(done, [
        block(process, [
          [local.get(entry), i32.const(heavyEntry.indexMask), i32.and, local.tee(index)],
          [local.get(light), i32.gt_u],
          if_([[local.get(light), local.set(index)], next(list, light), br(process)]),
          [local.get(entry), i32.const(heavyEntry.ownerShift), i32.shr_u],
          [i32.const(heavyEntry.ownerMask), i32.and, local.get(own), i32.eq],
          if_([next(heavy, entry), br(process)]),
          [local.get(entry), i32.const(0), i32.ge_s],
          if_([next(heavy, entry), br(done)]),
          [next(heavy, entry), sequence],
          [local.get(items), local.get(index), i32.const(itemStride), i32.mul, i32.add, local.set(item)],
          loop.inline(advance, () => [], item),
          [local.get(replayed), i64.const(1), i64.add, local.set(replayed)],
          br(done),
        ]),
        [local.get(base), local.get(index), i32.const(descriptorBytes), i32.mul, i32.add, local.set(desc)],
        [sequence, loop.process(), loop.stamp(index)],
      ]),
    ],
    [],
  )
  loop.func.emit(
    [local.get(ctx), local.get(ctx), i64.load(context.replayed), local.get(replayed), i64.add],
    i64.store(context.replayed),
  )
}
