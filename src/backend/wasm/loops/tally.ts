// Counting verdicts, so that the collector does not look at packets one by one.

import { br_if, i32, i64, if_, label, local, loop } from '../asm.js'
import type { Code } from '../asm.js'
import { descriptor, descriptorBytes } from '../memory.js'
import type { Module } from '../module.js'

/**
 * tally(desc, count, into): adds up verdicts. Eight u64 pairs {packets, captured bytes} by the low three bits of the
 * verdict; XDP's numbers are 0 to 4.
 */
export function tally(module: Module): void {
  const func = module.func('tally', { desc: 'i32', count: 'i32', into: 'i32' }, [])
  module.export('tally', func)
  const { desc, count, into } = func.params
  const at = func.local('at', 'i32')
  const again = label('next')
  const add = (offset: number, amount: Code): Code => [
    [local.get(at), local.get(at), i64.load(offset), amount, i64.add, i64.store(offset)],
  ]
  func.emit(
    local.get(count),
    if_([
      loop(again, [
        [local.get(desc), i32.load(descriptor.verdict), i32.const(7), i32.and, i32.const(4), i32.shl],
        [local.get(into), i32.add, local.set(at)],
        add(0, i64.const(1)),
        add(8, [local.get(desc), i32.load(descriptor.length), i64.extend_i32_u]),
        [local.get(desc), i32.const(descriptorBytes), i32.add, local.set(desc)],
        [local.get(count), i32.const(1), i32.sub, local.tee(count), br_if(again)],
      ]),
    ]),
  )
}
