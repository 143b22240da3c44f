// Frames that the kernel has sent go home: from the COMPLETION rings of all pools to the FILL rings they came from.

import { br_if, i32, i64, if_, label, local, loop } from '../asm.js'
import type { Module } from '../module.js'
import { pool, pools, ringAddressBytes } from './memory.js'
import { add64, giveBack, release, showFill, take } from './step.js'

/** reap(list): drains every COMPLETION ring of a list of pools. Answers how many frames came home. */
export function reap(module: Module): void {
  const func = module.func('reap', { list: 'i32' }, ['i32'])
  module.export('reap', func)
  const { list } = func.params
  const [at, from, left, k, position, relative, home, total, lock, shift] = [
    'at', 'from', 'left', 'k', 'position', 'relative', 'home', 'total', 'lock', 'shift',
  ].map(name => func.local(name, 'i32')) // prettier-ignore
  const [each, entry, shown] = ['pool', 'entry', 'shown'].map(label)
  func.emit(
    [local.get(list), i32.load(pools.lock), local.set(lock)],
    [local.get(list), i32.load(pools.shift), local.set(shift)],
    take(func, lock),
    [local.get(list), local.set(at)],
    [local.get(list), i32.load(pools.count), local.tee(k)],
    if_([
      loop(each, [
        [local.get(at), i32.load(pools.first), local.set(from)],
        [local.get(from), i32.load(pool.open)],
        if_([
          [local.get(from), i32.load(pool.completionConsumer), i32.load(), local.set(position)],
          [local.get(from), i32.load(pool.completionProducer), i32.atomic.load()],
          [local.get(position), i32.sub, local.tee(left)],
          if_([
            [local.get(total), local.get(left), i32.add, local.set(total)],
            add64(from, pool.completed, [local.get(left), i64.extend_i32_u]),
            loop(entry, [
              [local.get(from), i32.load(pool.completionFirst)],
              [local.get(position), local.get(from), i32.load(pool.completionMask), i32.and],
              [i32.const(Math.log2(ringAddressBytes)), i32.shl, i32.add, i32.load(), local.tee(relative)],
              // The list has as many pools as the packet memory has homes.
              [local.get(shift), i32.shr_u, i32.const(2), i32.shl, local.get(list), i32.add],
              [i32.load(pools.first), local.set(home)],
              giveBack(home, local.get(relative)),
              [local.get(position), i32.const(1), i32.add, local.set(position)],
              [local.get(left), i32.const(1), i32.sub, local.tee(left), br_if(entry)],
            ]),
            [local.get(from), i32.load(pool.completionConsumer), local.get(position), i32.atomic.store()],
          ]),
        ]),
        [local.get(at), i32.const(4), i32.add, local.set(at)],
        [local.get(k), i32.const(1), i32.sub, local.tee(k), br_if(each)],
      ]),
    ]),
    local.get(total),
    if_([
      [local.get(list), local.set(at)],
      [local.get(list), i32.load(pools.count), local.set(k)],
      loop(shown, [
        [local.get(at), i32.load(pools.first), local.set(from), showFill(from)],
        [local.get(at), i32.const(4), i32.add, local.set(at)],
        [local.get(k), i32.const(1), i32.sub, local.tee(k), br_if(shown)],
      ]),
    ]),
    release(lock),
    local.get(total),
  )
}
