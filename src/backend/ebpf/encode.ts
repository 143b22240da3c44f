// Instructions to bytes: labels become distances, and a map reference is left to link.ts.
//
// Promises: deterministic; throws only for what the compiler must not produce (an unknown label, a distance that does
// not fit).

import { isLabel, slotsOf } from './asm.js'
import type { Code, Instruction, Label } from './asm.js'
import { classes, instructionBytes, jumps } from './opcodes.js'

/** A 64-bit immediate that stands for a map: its instruction's index in slots, and the map's name. */
export interface MapReference {
  readonly slot: number
  readonly map: string
}

export interface Encoded {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly maps: readonly MapReference[]
  /** The slot each label stands at, by name. */
  readonly labels: ReadonlyMap<string, number>
}

/** Encodes a whole program, functions one after the other. */
export function encode(code: Code): Encoded {
  const labels = new Map<string, number>()
  let size = 0
  for (const item of code) {
    if (isLabel(item)) {
      if (labels.has(item.label)) throw new Error(`label ${item.label} is there twice`)
      labels.set(item.label, size)
    }
    size += slotsOf(item)
  }
  const bytes = new Uint8Array(new ArrayBuffer(size * instructionBytes))
  const view = new DataView(bytes.buffer)
  const maps: MapReference[] = []
  let slot = 0
  for (const item of code) {
    if (isLabel(item)) continue
    const at = slot * instructionBytes
    const { off, imm } = distances(item, slot, labels)
    view.setUint8(at, item.code)
    view.setUint8(at + 1, item.dst | (item.src << 4))
    view.setInt16(at + 2, off, true)
    view.setInt32(at + 4, imm, true)
    if (item.high !== undefined) view.setInt32(at + 12, item.high, true)
    if (item.map !== undefined) maps.push({ slot, map: item.map })
    slot += slotsOf(item)
  }
  return { bytes, maps, labels }
}

/** Where a jump or a call goes: calls and addresses of functions keep the distance in the immediate. */
function distances(
  item: Instruction,
  slot: number,
  labels: ReadonlyMap<string, number>,
): { off: number; imm: number } {
  if (!item.target) return item
  const distance = slotOf(item.target, labels) - slot - 1
  const isJump = (item.code & 7) !== classes.ld && (item.code & 0xf0) !== jumps.call
  if (!isJump) return { off: item.off, imm: distance }
  if (distance < -0x8000 || distance > 0x7fff)
    throw new RangeError(`a jump over ${distance} instructions does not fit 16 bits`)
  return { off: distance, imm: item.imm }
}

function slotOf(target: Label, labels: ReadonlyMap<string, number>): number {
  const slot = labels.get(target.label)
  if (slot === undefined) throw new Error(`there is no label ${target.label}`)
  return slot
}

/** The bytes with the descriptors of maps in place, ready for the kernel. */
export function link(encoded: Encoded, descriptors: ReadonlyMap<string, number>): Uint8Array<ArrayBuffer> {
  const bytes = encoded.bytes.slice()
  const view = new DataView(bytes.buffer)
  for (const { slot, map } of encoded.maps) {
    const fd = descriptors.get(map)
    if (fd === undefined) throw new Error(`map ${map} has no descriptor`)
    view.setInt32(slot * instructionBytes + 4, fd, true)
  }
  return bytes
}
