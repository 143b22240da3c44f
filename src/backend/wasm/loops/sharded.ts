// Sharding: the sequencer's loop that steers, and the worker's over the packets steered to it.

import type { Func as IrFunc } from '../../../ir/types.js'
import { i32, i64, local } from '../asm.js'
import type { Code, Local } from '../asm.js'
import { indirectionEntries, steeringLayout } from '../../../strategy/toeplitz.js'
import { descriptorBytes } from '../memory.js'
import { Loop } from './loop.js'
import type { LoopParts } from './loop.js'

/**
 * steer(ctx, desc, count, seq, lists, room): appends each packet's index to the list of u32 of the worker that its bucket
 * belongs to, and counts the packets of each bucket.
 */
export function steer(parts: LoopParts, steer: IrFunc): void {
  const loop = new Loop(parts, 'steer', ['lists', 'room'])
  const bucket = loop.declare('bucket', 'i32')
  loop.each(
    [
      loop.openPacket(),
      loop.inline(steer, result => [result, local.set(bucket)]),
      bucketEntry(loop, bucket, bucket),
      append(loop, bucket),
    ],
    loop.nextPacket(),
  )
}

/**
 * Appends the packet's index to the list of its bucket's worker; `bucket` is what bucketEntry found. A list is u32 length,
 * then the indices; lists stand `room` bytes apart.
 */
export function append(loop: Loop, bucket: Local): Code {
  const { lists, room, i } = loop.l
  const list = loop.declare('list', 'i32')
  const length = loop.declare('listLength', 'i32')
  return [
    [local.get(lists), local.get(bucket), i32.load(steeringLayout.indirection)],
    [local.get(room), i32.mul, i32.add, local.tee(list)],
    [i32.load(), local.set(length)],
    [local.get(list), local.get(length), i32.const(2), i32.shl, i32.add, local.get(i), i32.store(4)],
    [local.get(list), local.get(length), i32.const(1), i32.add, i32.store()],
  ]
}

/** Finds the address of the entry of a hash's bucket in the steering block's columns, and counts a packet for it. */
export function bucketEntry({ l }: Loop, hash: Local, into: Local): Code {
  return [
    [local.get(l.steering), local.get(hash), i32.const(indirectionEntries - 1), i32.and],
    [i32.const(2), i32.shl, i32.add, local.tee(into)],
    [local.get(into), i32.load(steeringLayout.loads), i32.const(1), i32.add],
    i32.store(steeringLayout.loads),
  ]
}

/** listed(ctx, desc, count, seq, list): the packets whose indices stand at `list`, in that order. */
export function listed(parts: LoopParts): void {
  const loop = new Loop(parts, 'listed', ['list', 'stamps'])
  const { list, desc, seq } = loop.l
  const base = loop.declare('base', 'i32')
  const first = loop.declare('first', 'i64')
  const index = loop.declare('index', 'i32')
  loop.func.emit([local.get(desc), local.set(base)], [local.get(seq), local.set(first)])
  loop.each(
    [
      [local.get(list), i32.load(), local.set(index)],
      [local.get(base), local.get(index), i32.const(descriptorBytes), i32.mul, i32.add, local.set(desc)],
      [local.get(first), local.get(index), i64.extend_i32_u, i64.add, local.set(seq)],
      loop.process(),
      loop.stamp(index),
    ],
    [local.get(list), i32.const(4), i32.add, local.set(list)],
  )
}
