// Expanded code for table.find: the look-up, inlined where the program makes it (docs/state.md, "find").

import type { Instr } from '../../ir/types.js'
import { clockSlack, slotsPerBucket } from '../../state/format.js'
import type { HashLayout } from '../../state/layout.js'
import { bucketStart, place, wordWidth } from './hash.js'
import type { Emitter } from './emitter.js'

/** Whether the entry at `at` + `offset` has expired. */
export function expired(e: Emitter, table: HashLayout, at: Instr, offset: number, now: Instr): Instr {
  const { after } = table.expire!
  const touched = e.load(table.name, 4, at, offset + table.touchedTimeOffset)
  const age = e.sub(now, touched)
  // after <= age < 2^32 - slack, as one unsigned comparison.
  return e.ltu(e.sub(age, after), 2 ** 32 - clockSlack - after)
}

/** The slot of the unexpired entry with this key, or 0. */
export function find(e: Emitter, table: HashLayout, words: readonly Instr[], now: Instr | undefined): Instr {
  const { builder } = e
  const { name, stride, bucketsOffset } = table
  const { tag, first, second } = place(e, table, words)
  const slot = e.variable('i32')
  const done = builder.block()
  const search = (bucket: Instr): void => {
    const at = bucketStart(e, table, bucket)
    for (let s = 0; s < slotsPerBucket; s++) {
      const offset = bucketsOffset + s * stride
      const next = builder.block()
      const test = (cond: Instr): void => {
        const yes = builder.block()
        builder.branch(cond, yes, next)
        builder.seal(yes)
        builder.at(yes)
      }
      test(e.eq(e.load(name, 4, at, offset), tag))
      words.forEach((word, i) => {
        const width = wordWidth(table, i)
        const stored = e.load(name, width, at, offset + table.keyOffset + 8 * i)
        test(e.eq(stored, width === 8 ? word : e.narrow(word)))
      })
      if (table.expire) test(e.op('not', expired(e, table, at, offset, now!)))
      e.set(slot, e.add(at, offset))
      builder.jump(done)
      builder.seal(next)
      builder.at(next)
    }
  }
  search(first)
  search(second())
  e.set(slot, e.i32(0))
  builder.jump(done)
  builder.seal(done)
  builder.at(done)
  return e.get(slot)
}
