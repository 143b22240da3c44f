// Small pieces of code that the loops over rings are made of.

import { br, i32, i64, if_, label, local, loop, memory, drop } from '../asm.js'
import type { Code, Local } from '../asm.js'
import type { Func } from '../module.js'
import { pool, ringAddressBytes } from './memory.js'

/** Adds to a u64 in the block that `block` points to. */
export const add64 = (block: Local, offset: number, amount: Code): Code => [
  [local.get(block), local.get(block), i64.load(offset), amount, i64.add, i64.store(offset)],
]

/** Adds 1. */
export const count = (block: Local, offset: number): Code => add64(block, offset, i64.const(1))

/** Writes the address of a frame, relative to the packet memory, into a pool's FILL ring; nobody sees it yet. */
export const giveBack = (block: Local, relative: Code): Code => [
  [local.get(block), i32.load(pool.fillFirst)],
  [local.get(block), i32.load(pool.fillWritten), local.get(block), i32.load(pool.fillMask), i32.and],
  [i32.const(Math.log2(ringAddressBytes)), i32.shl, i32.add],
  [relative, i64.extend_i32_u, i64.store()],
  [local.get(block), local.get(block), i32.load(pool.fillWritten), i32.const(1), i32.add],
  i32.store(pool.fillWritten),
]

/** Shows the kernel what `giveBack` wrote. */
export const showFill = (block: Local): Code => [
  local.get(block),
  i32.load(pool.open),
  if_([
    [local.get(block), i32.load(pool.fillProducer), local.get(block), i32.load(pool.fillWritten)],
    i32.atomic.store(),
  ]),
]

/** Nanoseconds of a sleep while another worker writes its addresses; it tells nobody when it is done. */
const nap = 20_000n
const spinsBeforeNap = 500

/** Takes the lock word that `lock` points to, unless it is 0. */
export function take(func: Func, lock: Local): Code {
  const again = label('locked')
  const spin = func.local('spin', 'i32')
  return [
    local.get(lock),
    if_([
      [i32.const(spinsBeforeNap), local.set(spin)],
      loop(again, [
        [local.get(lock), i32.const(0), i32.const(1), i32.atomic.rmw.cmpxchg()],
        if_([
          [local.get(spin), i32.const(1), i32.sub, local.tee(spin), i32.eqz],
          if_([
            [local.get(lock), i32.const(1), i64.const(nap), memory.atomic.wait32(), drop],
            [i32.const(spinsBeforeNap), local.set(spin)],
          ]),
          br(again),
        ]),
      ]),
    ]),
  ]
}

/** Gives it up. */
export const release = (lock: Local): Code => [
  local.get(lock),
  if_([local.get(lock), i32.const(0), i32.atomic.store()]),
]
