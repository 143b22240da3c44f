// Bytes to instructions: the inverse of encode.ts, for listings and tests.
//
// Promises: never throws. What is no whole instruction comes back as undefined. Jumps and calls get labels L0, L1, …
// in the order of their targets; a map reference is named after its descriptor.

import type { Code, Instruction, Item, Label } from './asm.js'
import { classes, instructionBytes, jumps, modes, pseudo, sizes } from './opcodes.js'

const ldImm64 = classes.ld | modes.imm | sizes.dw

/** The instructions, or undefined if the bytes are cut short or a jump leaves them. */
export function decode(bytes: Uint8Array): Code | undefined {
  if (bytes.length % instructionBytes !== 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const found: { slot: number; instruction: Instruction; to?: number }[] = []
  const slots = bytes.length / instructionBytes
  for (let slot = 0; slot < slots; slot++) {
    const at = slot * instructionBytes
    const code = view.getUint8(at)
    const registers = view.getUint8(at + 1)
    const [off, imm] = [view.getInt16(at + 2, true), view.getInt32(at + 4, true)]
    const plain = { code, dst: registers & 15, src: registers >> 4, off, imm }
    if (code === ldImm64) {
      if (slot + 1 >= slots) return undefined
      const high = view.getInt32(at + 12, true)
      const isMap = plain.src === pseudo.map || plain.src === pseudo.mapValue
      const isFunc = plain.src === pseudo.func
      const instruction = { ...plain, high, ...(isMap && { imm: 0, map: String(imm) }) }
      found.push({ slot, instruction, ...(isFunc && { to: slot + 1 + imm }) })
      slot++
    } else {
      const to = targetOf(plain, slot)
      found.push({ slot, instruction: plain, ...(to !== undefined && { to }) })
    }
  }
  return withLabels(found)
}

function targetOf({ code, src, off, imm }: Instruction, slot: number): number | undefined {
  const kind = code & 7
  if (kind !== classes.jmp && kind !== classes.jmp32) return undefined
  const operation = code & 0xf0
  if (operation === jumps.exit && kind === classes.jmp) return undefined
  if (operation === jumps.call && kind === classes.jmp)
    return src === pseudo.call ? slot + 1 + imm : undefined
  return slot + 1 + off
}

function withLabels(
  found: readonly { slot: number; instruction: Instruction; to?: number }[],
): Code | undefined {
  const targets = [...new Set(found.flatMap(f => (f.to === undefined ? [] : [f.to])))]
  const labels = new Map<number, Label>()
  for (const to of targets.toSorted((a, b) => a - b)) labels.set(to, { label: `L${labels.size}` })
  const starts = new Set(found.map(f => f.slot))
  if (targets.some(to => !starts.has(to))) return undefined
  const items: Item[] = []
  for (const { slot, instruction, to } of found) {
    const here = labels.get(slot)
    if (here) items.push(here)
    if (to === undefined) items.push(instruction)
    else {
      const isJump = (instruction.code & 7) !== classes.ld && (instruction.code & 0xf0) !== jumps.call
      items.push({ ...instruction, ...(isJump ? { off: 0 } : { imm: 0 }), target: labels.get(to)! })
    }
  }
  return items
}
