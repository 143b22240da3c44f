// Hybrid: packets of heavy keys are sprayed and replayed by all workers, the others are sharded.
//
// The sequencer's loop writes one list for each worker. An entry is a packet's index; with `advanceOnly` the packet is another
// worker's, and its item is all that is wanted of it. Read sharded.ts and replicated.ts first.

import type { Func as IrFunc } from '../../../ir/types.js'
import { heavySlots, steeringLayout, voteSlots } from '../../../strategy/toeplitz.js'
import { block, br, br_if, i32, i64, if_, label, local, loop as repeat } from '../asm.js'
import type { Code, Local } from '../asm.js'
import { context, descriptorBytes } from '../memory.js'
import { Loop } from './loop.js'
import type { LoopParts, Slice } from './loop.js'
import { bucketEntry } from './sharded.js'

/** The bit of a list's entry that says: this packet is another worker's, advance with its item. */
export const advanceOnly = 0x8000_0000

/**
 * classify(ctx, desc, count, seq, lists, room, items, effects): lists each packet for its bucket's worker, or, if its key is
 * heavy, for all; votes for heavy keys.
 */
export function classify(parts: LoopParts, steer: IrFunc, { extract, itemStride }: Slice): void {
  const loop = new Loop(parts, 'classify', ['lists', 'room', 'items', 'effects'])
  const { l } = loop
  const { ctx, seq, i, steering, items, effects } = l
  const names = ['hash', 'at', 'bucket', 'worker', 'turn', 'workers', 'effect', 'list', 'listLength']
  for (const name of names) loop.declare(name, 'i32')
  const { hash, at, bucket, worker, turn, workers, effect } = l
  loop.func.emit([local.get(ctx), i32.load(context.workers), local.set(workers)])
  const [next, done] = ['next worker', 'all workers'].map(label)
  const vote: Code = [
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
  ]
  const isHeavy: Code = [
    [
      local.get(steering),
      local.get(hash),
      i32.const(heavySlots - 1),
      i32.and,
      i32.const(2),
      i32.shl,
      i32.add,
    ],
    [i32.load(steeringLayout.heavy), local.get(hash), i32.eq],
    // An empty slot holds 0.
    [local.get(hash), i32.const(0), i32.ne, i32.and],
  ]
  loop.each(
    [
      loop.openPacket(),
      loop.inline(steer, result => [result, local.set(hash)]),
      vote,
      isHeavy,
      if_(
        [
          loop.inline(extract, result => [result, local.set(effect)], items),
          [local.get(effects), local.get(effect), i32.store8()],
          [local.get(seq), local.get(workers), i64.extend_i32_u, i64.rem_u, i32.wrap_i64, local.set(turn)],
          [i32.const(0), local.set(worker)],
          block(done, [
            repeat(next, [
              [local.get(worker), local.get(workers), i32.ge_u, br_if(done)],
              [local.get(worker), local.get(turn), i32.eq],
              if_(
                [append(loop, worker, [local.get(i)])],
                [
                  [local.get(effect)],
                  if_([append(loop, worker, [local.get(i), i32.const(advanceOnly | 0), i32.or])]),
                ],
              ),
              [local.get(worker), i32.const(1), i32.add, local.set(worker), br(next)],
            ]),
          ]),
        ],
        [
          bucketEntry(loop, hash, bucket),
          [local.get(bucket), i32.load(steeringLayout.indirection), local.set(worker)],
          append(loop, worker, [local.get(i)]),
        ],
      ),
    ],
    [
      loop.nextPacket(),
      [local.get(items), i32.const(itemStride), i32.add, local.set(items)],
      [local.get(effects), i32.const(1), i32.add, local.set(effects)],
    ],
  )
}

/** Adds to the votes of the slot at `at`. */
const count = (at: Local, amount: number): Code => [
  [local.get(at), local.get(at), i32.load(steeringLayout.votes + 4), i32.const(amount), i32.add],
  i32.store(steeringLayout.votes + 4),
]

/** Appends an entry to a worker's list. */
function append({ l }: Loop, worker: Local, value: Code): Code {
  const { list, listLength } = l
  return [
    [local.get(l.lists), local.get(worker), local.get(l.room), i32.mul, i32.add, local.tee(list)],
    [i32.load(), local.set(listLength)],
    [local.get(list), local.get(listLength), i32.const(2), i32.shl, i32.add, value, i32.store(4)],
    [local.get(list), local.get(listLength), i32.const(1), i32.add, i32.store()],
  ]
}

/** mixed(ctx, desc, count, seq, list, stamps, items, effects): the entries of a worker's list, in their order. */
export function mixed(parts: LoopParts, { advance, itemStride }: Slice): void {
  const loop = new Loop(parts, 'mixed', ['list', 'stamps', 'items', 'effects'])
  const { ctx, list, desc, seq, items } = loop.l
  const base = loop.declare('base', 'i32')
  const first = loop.declare('first', 'i64')
  const index = loop.declare('index', 'i32')
  const item = loop.declare('item', 'i32')
  const replayed = loop.declare('replayed', 'i64')
  loop.func.emit([local.get(desc), local.set(base)], [local.get(seq), local.set(first)])
  const sequence: Code = [local.get(first), local.get(index), i64.extend_i32_u, i64.add, local.set(seq)]
  loop.each(
    [
      [local.get(list), i32.load(), local.tee(index), i32.const(0), i32.lt_s],
      if_(
        [
          [local.get(index), i32.const(0x7fff_ffff), i32.and, local.set(index), sequence],
          [local.get(items), local.get(index), i32.const(itemStride), i32.mul, i32.add, local.set(item)],
          loop.inline(advance, () => [], item),
          [local.get(replayed), i64.const(1), i64.add, local.set(replayed)],
        ],
        [
          [local.get(base), local.get(index), i32.const(descriptorBytes), i32.mul, i32.add, local.set(desc)],
          [sequence, loop.process(), loop.stamp(index)],
        ],
      ),
    ],
    [local.get(list), i32.const(4), i32.add, local.set(list)],
  )
  loop.func.emit(
    [local.get(ctx), local.get(ctx), i64.load(context.replayed), local.get(replayed), i64.add],
    i64.store(context.replayed),
  )
}
