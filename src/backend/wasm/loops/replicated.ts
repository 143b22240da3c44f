// State-Compute Replication with the history by reference: items and effect bytes of a slab that all workers read.

import { i32, i64, if_, local } from '../asm.js'
import { context } from '../memory.js'
import { Loop } from './loop.js'
import type { LoopParts, Slice } from './loop.js'

/** extract(ctx, desc, count, seq, items, effects): the sequencer's half; an item and an effect byte per packet. */
export function extract(parts: LoopParts, { extract, itemStride: stride }: Slice): void {
  const loop = new Loop(parts, 'extract', ['items', 'effects'])
  const { items, effects } = loop.l
  const effect = loop.declare('effect', 'i32')
  loop.each(
    [
      loop.openPacket(),
      loop.inline(extract, result => [result, local.set(effect)], items),
      [local.get(effects), local.get(effect), i32.store8()],
    ],
    [
      loop.nextPacket(),
      [local.get(items), i32.const(stride), i32.add, local.set(items)],
      [local.get(effects), i32.const(1), i32.add, local.set(effects)],
    ],
  )
}

/**
 * replicated(ctx, desc, count, seq, items, effects): the worker's half. Processes the packets that are its own
 * (sequence number modulo workers = worker), fast-forwards through all others whose item has an effect.
 */
export function replicated(parts: LoopParts, { advance, itemStride: stride }: Slice): void {
  const loop = new Loop(parts, 'replicated', ['items', 'effects', 'stamps'])
  const { ctx, items, effects } = loop.l
  const turn = loop.countdown()
  const replayed = loop.declare('replayed', 'i32')
  loop.each(
    [
      local.get(turn),
      if_(
        [
          [local.get(turn), i32.const(1), i32.sub, local.set(turn)],
          local.get(effects),
          i32.load8_u(),
          if_([
            loop.inline(advance, () => [], items),
            [local.get(replayed), i32.const(1), i32.add, local.set(replayed)],
          ]),
        ],
        [loop.restart(turn), loop.process(), loop.stamp(loop.l.i)],
      ),
    ],
    [
      loop.nextPacket(),
      [local.get(items), i32.const(stride), i32.add, local.set(items)],
      [local.get(effects), i32.const(1), i32.add, local.set(effects)],
    ],
  )
  loop.func.emit(
    [local.get(ctx), local.get(ctx), i64.load(context.replayed)],
    [local.get(replayed), i64.extend_i32_u, i64.add, i64.store(context.replayed)],
  )
}
