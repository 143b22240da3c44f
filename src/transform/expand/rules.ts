// Expanded code for look-ups in rule tables: exact, longest prefix, by device index (docs/state.md, "Rule tables").

import type { Instr } from '../../ir/types.js'
import { leavesOf } from '../../state/declaration.js'
import { lpmChild, lpmHeader, lpmNodeBytes } from '../../state/format.js'
import type { DevicesLayout, LpmLayout, ObjectLayout } from '../../state/layout.js'
import type { Emitter } from './emitter.js'
import { find } from './find.js'
import { keyWords } from './hash.js'

/** rules.lookup: the offset of the entry found, or 0. */
export function lookup(e: Emitter, layout: ObjectLayout, args: Instr[]): Instr | undefined {
  if (layout.kind === 'rules-hash') return find(e, layout, keyWords(e, layout.key, args), undefined)
  if (layout.kind === 'rules-lpm') return longestPrefix(e, layout, args)
  if (layout.kind === 'rules-devices') return device(e, layout, args[0])
  return undefined
}

/** Walks one trie node per key byte, most significant first, until a cell is no child. */
function longestPrefix(e: Emitter, table: LpmLayout, leaves: Instr[]): Instr {
  const { builder } = e
  const zero = e.i32(0)
  const done = builder.block()
  const result = e.variable('i32')
  const nodes = e.load(table.name, 4, zero, lpmHeader.nodesOffset)
  let node = e.i32(0)
  let left = table.keyBytes
  let next = 0
  for (const field of table.key)
    for (const leaf of leavesOf(field)) {
      const value = leaves[next++]
      for (let byte = leaf.width - 1; byte >= 0; byte--) {
        const index = e.and(e.narrow(e.shru(value, 8 * byte)), 0xff)
        // The node, known last, is added last.
        const at = e.add(e.add(nodes, e.shl(index, 2)), e.mul(node, lpmNodeBytes))
        const cell = e.load(table.name, 4, at)
        e.set(result, cell)
        if (--left === 0) break
        const deeper = builder.block()
        builder.branch(e.ne(e.and(cell, lpmChild), 0), deeper, done)
        builder.seal(deeper)
        builder.at(deeper)
        node = e.and(cell, lpmChild - 1)
      }
    }
  builder.jump(done)
  builder.seal(done)
  builder.at(done)
  const entry = e.get(result)
  const found = e.variable('i32', e.i32(0))
  e.when(e.ne(entry, 0), () => e.set(found, e.add(e.mul(entry, table.stride), table.entriesOffset)))
  return e.get(found)
}

function device(e: Emitter, table: DevicesLayout, index: Instr): Instr {
  const inside = e.ltu(index, table.capacity)
  const at = e.add(e.mul(e.select(inside, index, 0), table.stride), table.entriesOffset)
  const present = e.ne(e.load(table.name, 4, at), 0)
  return e.select(e.and(inside, present), at, 0)
}

/** rules.redirect: verdict 4 with the device in bits 8 and up, or `missing`. */
export function redirect(e: Emitter, table: DevicesLayout, index: Instr, missing: Instr): Instr {
  const at = device(e, table, index)
  const [target] = table.value
  const number = e.load(table.name, 4, at, target.offset)
  return e.select(e.ne(at, 0), e.or(e.shl(number, 8), 4), missing)
}
