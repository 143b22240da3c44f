// Hybrid over a transport that loses frames: the sequencer's half.
//
// Every packet becomes a frame for one worker: of a heavy key for the one whose turn it is, of any other for its bucket's. All
// frames have the items of the last n - 1 heavy packets in front of them, so a worker's state has seen every heavy packet
// before a light one of its own, as in the serial run. Heavy packets have numbers of their own, without gaps: by those a worker
// knows what it misses, as it does of all packets where all are replicated. The worker's half is `dealt` in recovery.ts.
// Read value.ts, hybrid.ts and docs/recovery.md first.

import type { Func as IrFunc } from '../../../ir/types.js'
import { steeringLayout } from '../../../strategy/toeplitz.js'
import { i32, i64, if_, local } from '../asm.js'
import type { Code } from '../asm.js'
import { context } from '../memory.js'
import { isHeavy } from './hybrid.js'
import { Loop } from './loop.js'
import type { LoopParts, Slice } from './loop.js'
import { bucketEntry } from './sharded.js'
import { beginFrames, dealtItemBytes, dealtMark, flag, remember, ring, sizes, writeFrame } from './value.js'

/** A packet's byte at `targets`: its worker, and whether its key is heavy. */
export const target = { workerMask: 0x0f, heavy: 0x80 } as const

/**
 * deal(ctx, desc, count, seq, items, targets, frames, origins, history): as `encapsulate`, and writes for each packet the byte
 * of its worker. The number of the next heavy packet stands in the ring.
 */
export function deal(parts: LoopParts, steer: IrFunc, { extract, itemStride }: Slice): void {
  const loop = new Loop(parts, 'deal', ['items', 'targets', 'frames', 'origins', 'history'])
  const { ctx, seq, items, targets, origins, history } = loop.l
  const [hash, worker, effect, heavy] = ['hash', 'worker', 'effect', 'isHeavy'].map(n =>
    loop.declare(n, 'i32'),
  )
  const next = loop.declare('next', 'i64')
  const stride = dealtItemBytes(itemStride)
  const size = sizes(loop, { itemStride: stride }, 'dealt')
  const writing = beginFrames(loop)
  loop.func.emit([local.get(history), i64.load(ring.next), local.set(next)])
  const mark = dealtMark(loop.source)
  const turn: Code = [
    [local.get(next), local.get(ctx), i32.load(context.workers), i64.extend_i32_u, i64.rem_u],
    [i32.wrap_i64, i32.const(target.heavy), i32.or, local.set(worker)],
  ]
  loop.each(
    [
      loop.openPacket(),
      loop.inline(steer, result => [result, local.set(hash)]),
      [isHeavy(loop, hash), local.tee(heavy)],
      if_(
        [
          turn,
          loop.inline(extract, result => [result, i32.const(0), i32.ne, local.set(effect)], items),
          [local.get(items), local.get(seq), i64.store(itemStride)],
        ],
        [
          bucketEntry(loop, hash, worker),
          [local.get(worker), i32.load(steeringLayout.indirection), local.set(worker)],
        ],
      ),
      [local.get(targets), local.get(worker), i32.store8()],
      writeFrame(loop, size, {
        kind: 'dealt',
        number: next,
        mark: [[local.get(heavy), i32.eqz, i32.const(flag.light), i32.mul, i32.const(mark), i32.or]],
      }),
      local.get(heavy),
      if_([
        remember(loop, size, stride, local.get(effect)),
        [local.get(next), i64.const(1), i64.add, local.set(next)],
      ]),
    ],
    [
      loop.nextPacket(),
      [local.get(items), i32.const(stride), i32.add, local.set(items)],
      [local.get(targets), i32.const(1), i32.add, local.set(targets)],
      [local.get(origins), i32.const(4), i32.add, local.set(origins)],
    ],
  )
  loop.func.emit(writing.after, [local.get(history), local.get(next), i64.store(ring.next)])
}
