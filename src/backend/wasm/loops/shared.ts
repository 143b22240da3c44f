// Shared state under a lock for the whole program.

import { block, br, br_if, drop, i32, i64, if_, label, local, loop as repeat, memory } from '../asm.js'
import type { Code } from '../asm.js'
import { Loop } from './loop.js'
import type { LoopParts } from './loop.js'

/** Tries before a worker sleeps on the program lock. */
const spinsBeforeSleep = 200
/** Offset of the commit counter from the lock word: another cache line. */
const commitOffset = 64

/**
 * shared(ctx, desc, count, seq, commits, lock): the worker's own packets, each inside the program lock. A packet's
 * commit number is taken and kept while the lock is held, so that verify can replay the order things happened in.
 */
export function shared(parts: LoopParts): void {
  const loop = new Loop(parts, 'shared', ['commits', 'lock', 'stamps'])
  const { lock, commits } = loop.l
  const turn = loop.countdown()
  const taken = label('taken')
  const again = label('again')
  const spin = loop.declare('spin', 'i32')
  // Lock word: 0 free, 1 held, 2 held and somebody sleeps (Drepper, "Futexes Are Tricky", mutex 2).
  const acquire: Code = block(taken, [
    [i32.const(spinsBeforeSleep), local.set(spin)],
    repeat(again, [
      [local.get(lock), i32.const(0), i32.const(1), i32.atomic.rmw.cmpxchg()],
      [i32.eqz, br_if(taken)],
      [local.get(spin), i32.const(1), i32.sub, local.tee(spin), br_if(again)],
    ]),
    repeat(again, [
      [local.get(lock), i32.const(2), i32.atomic.rmw.xchg(), i32.eqz, br_if(taken)],
      [local.get(lock), i32.const(2), i64.const(-1), memory.atomic.wait32(), drop, br(again)],
    ]),
  ])
  const release: Code = [
    [local.get(lock), i32.const(0), i32.atomic.rmw.xchg(), i32.const(2), i32.eq],
    if_([local.get(lock), i32.const(1), memory.atomic.notify(), drop]),
  ]
  const commit: Code = [
    [
      local.get(lock),
      local.get(lock),
      i32.load(commitOffset),
      i32.const(1),
      i32.add,
      i32.store(commitOffset),
    ],
    [local.get(commits), local.get(lock), i32.load(commitOffset), i32.store()],
  ]
  loop.each(
    [
      local.get(turn),
      if_(
        [local.get(turn), i32.const(1), i32.sub, local.set(turn)],
        [loop.restart(turn), acquire, commit, loop.process(), release, loop.stamp(loop.l.i)],
      ),
    ],
    [loop.nextPacket(), [local.get(commits), i32.const(4), i32.add, local.set(commits)]],
  )
}
