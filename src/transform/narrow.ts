// Load narrowing, the opposite of widening: where one byte of a wide load is cut out by a shift and a mask, as the walk
// through a longest-prefix trie does, that byte is loaded by itself, which takes one step and no shift. The narrow load
// stands beside the wide one, reads the same version and sinks to its use later (sink.ts).

import { blockOf } from '../analysis/cfg.js'
import { bitsOf, opInfo } from '../ir/ops.js'
import type { Func, Instr } from '../ir/types.js'
import { constOf, newInstr, replaceUses } from './edit.js'

export function narrow(func: Func): boolean {
  const replaced = new Map<Instr, Instr>()
  const beside = new Map<Instr, Instr[]>()
  for (const block of func.blocks)
    for (const i of block.instrs) {
      const byte = byteOf(i)
      if (!byte) continue
      const { load, at } = byte
      const attrs = { ...load.attrs, width: 1, offset: Number(load.attrs.offset) + at }
      const made = newInstr(func, load.op, [...load.args], { type: 'i32', attrs, like: load })
      beside.set(load, [...(beside.get(load) ?? []), made])
      replaced.set(i, made)
    }
  if (replaced.size === 0) return false
  const places = blockOf(func)
  for (const [load, made] of beside) {
    const { instrs } = places.get(load)!
    instrs.splice(instrs.indexOf(load) + 1, 0, ...made)
  }
  replaceUses(func, replaced)
  return true
}

/** The byte of a load, not its first, that an i32 is. */
function byteOf(i: Instr): { load: Instr; at: number } | undefined {
  if (i.type !== 'i32') return undefined
  const masked = i.op === 'and' && constOf(i.args[1]) === 0xffn
  const outer = masked ? i.args[0] : i
  const shift = outer.op === 'trunc' ? outer.args[0] : outer
  const by = shift.op === 'shru' ? constOf(shift.args[1]) : undefined
  const [load] = shift.args
  if (by === undefined || by % 8n !== 0n || !isPlainLoad(load)) return undefined
  const at = Number(by) / 8
  const width = Number(load.attrs.width)
  // Without a mask it must be the last byte.
  return masked ? (at < width ? { load, at } : undefined) : at === width - 1 ? { load, at } : undefined
}

const isPlainLoad = (i: Instr): boolean =>
  bitsOf(i.type) > 8 && opInfo(i.op).effect === 'packet.read' && i.attrs.checked === false
