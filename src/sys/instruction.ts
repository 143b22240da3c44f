// The eight bytes of a BPF instruction, for the few tiny programs of this folder: probes of what the kernel knows.
//
// Programs are made by the eBPF backend; this is no assembler, and knows no labels.

import type { Bytes } from './kernel.js'

/** opcode, destination and source register, offset (16 bits, signed), immediate (32 bits). */
export type Instruction = readonly [
  opcode: number,
  dst: number,
  src: number,
  offset: number,
  immediate: number,
]

/** The bytes of a program. */
export function instructionBytes(program: readonly Instruction[]): Bytes {
  const bytes = new Uint8Array(new ArrayBuffer(8 * program.length))
  const view = new DataView(bytes.buffer)
  program.forEach(([opcode, dst, src, offset, immediate], k) => {
    view.setUint8(8 * k, opcode)
    view.setUint8(8 * k + 1, (src << 4) | dst)
    view.setInt16(8 * k + 2, offset, true)
    view.setInt32(8 * k + 4, immediate | 0, true)
  })
  return bytes
}

/** `dst = immediate`. */
export const moveImmediate = (dst: number, immediate: number): Instruction => [0xb7, dst, 0, 0, immediate]
/** `dst = src`. */
export const move = (dst: number, src: number): Instruction => [0xbf, dst, src, 0, 0]
/** Calls helper number `helper`. */
export const call = (helper: number): Instruction => [0x85, 0, 0, 0, helper]
export const exit: Instruction = [0x95, 0, 0, 0, 0]

/** Loads a map's pointer; two instructions. */
export const loadMap = (dst: number, fd: number): Instruction[] => [
  [0x18, dst, 1, 0, fd],
  [0, 0, 0, 0, 0],
]

/** Loads the address of a byte in the only value of an array map; two instructions. */
export const loadMapValue = (dst: number, fd: number, offset = 0): Instruction[] => [
  [0x18, dst, 2, 0, fd],
  [0, 0, 0, 0, offset],
]
