// An assembler whose code reads like assembly: `mov64.imm(r1, 22)`, `ldx.w(r2, r1, 4)`, `jgt.reg(r1, r2, out)`.
//
// Every function gives one instruction as plain data; a program is an array of instructions and labels. Jumps name
// labels and map references name maps: encode.ts knows the distances, link.ts the descriptors. Nothing is checked
// here but that immediates and offsets fit.

import {
  arithmetic,
  atomics,
  classes,
  fetch,
  helpers,
  jumps,
  modes,
  pseudo,
  sizes,
  sources,
} from './opcodes.js'
import type { Arithmetic, Helper, Jump, Size } from './opcodes.js'

/** A register: 0 to 9, and 10, the frame pointer, which is read-only. */
export type Register = number
export const [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, fp] = Array.from({ length: 11 }, (_, k): Register => k)

/** A place in the code; also an item of it. */
export interface Label {
  readonly label: string
}

/** Where in the program's source an instruction comes from: an offset in its text. */
export interface Origin {
  readonly at: number
}

export interface Instruction {
  readonly code: number
  readonly dst: Register
  readonly src: Register
  readonly off: number
  /** 32 bits, signed. */
  readonly imm: number
  /** Of a jump, or of a call of a function of the program: stands for the offset. */
  readonly target?: Label
  /** Of a 64-bit immediate: its upper half. Such an instruction takes two slots. */
  readonly high?: number
  /** Of a 64-bit immediate that stands for a map, or for an address `high` bytes into its value. */
  readonly map?: string
  origin?: Origin
}

export type Item = Instruction | Label
export type Code = readonly Item[]

export const isLabel = (item: Item): item is Label => 'label' in item

/** Slots of 8 bytes. */
export const slotsOf = (item: Item): number => (isLabel(item) ? 0 : item.high === undefined ? 1 : 2)

export const label = (name: string): Label => ({ label: name })

function instruction(
  code: number,
  dst: Register,
  src: Register,
  off: number,
  imm: number,
  more: Partial<Instruction> = {},
): Instruction {
  if (off < -0x8000 || off > 0x7fff) throw new RangeError(`offset ${off} does not fit 16 bits`)
  if (imm < -0x80000000 || imm > 0xffffffff) throw new RangeError(`immediate ${imm} does not fit 32 bits`)
  return { code, dst, src, off, imm: imm | 0, ...more }
}

interface Operation {
  readonly imm: (dst: Register, value: number) => Instruction
  readonly reg: (dst: Register, src: Register) => Instruction
}

const operation = (kind: 'alu' | 'alu64', name: Arithmetic, off = 0): Operation => ({
  imm: (dst, value) => instruction(classes[kind] | arithmetic[name] | sources.imm, dst, 0, off, value),
  reg: (dst, src) => instruction(classes[kind] | arithmetic[name] | sources.reg, dst, src, off, 0),
})

type Operations = Readonly<Record<Exclude<Arithmetic, 'neg' | 'end'> | 'sdiv' | 'smod', Operation>>
const operationsOf = (kind: 'alu' | 'alu64'): Operations => ({
  add: operation(kind, 'add'),
  sub: operation(kind, 'sub'),
  mul: operation(kind, 'mul'),
  div: operation(kind, 'div'),
  or: operation(kind, 'or'),
  and: operation(kind, 'and'),
  lsh: operation(kind, 'lsh'),
  rsh: operation(kind, 'rsh'),
  mod: operation(kind, 'mod'),
  xor: operation(kind, 'xor'),
  mov: operation(kind, 'mov'),
  arsh: operation(kind, 'arsh'),
  sdiv: operation(kind, 'div', 1),
  smod: operation(kind, 'mod', 1),
})

/** 32-bit arithmetic: clears the upper half of the destination. CPU level v3; sdiv and smod, v4. */
export const alu32: Operations = operationsOf('alu')
export const alu64: Operations = operationsOf('alu64')
export const mov32 = alu32.mov
export const mov64 = alu64.mov
export const neg32 = (dst: Register): Instruction => instruction(classes.alu | arithmetic.neg, dst, 0, 0, 0)
export const neg64 = (dst: Register): Instruction => instruction(classes.alu64 | arithmetic.neg, dst, 0, 0, 0)
/** Sign-extends the low 32 bits. CPU level v4. */
export const movsx32 = (dst: Register, src: Register): Instruction =>
  instruction(classes.alu64 | arithmetic.mov | sources.reg, dst, src, 32, 0)

const swap =
  (bits: number) =>
  (dst: Register): Instruction =>
    instruction(classes.alu | arithmetic.end | sources.reg, dst, 0, 0, bits)
/** Between the host's order, little-endian, and the network's; clears the bits above. */
export const be16 = swap(16)
export const be32 = swap(32)
export const be64 = swap(64)

type BySize<F> = Readonly<Record<Size, F>>
const bySize = <F>(make: (size: number) => F): BySize<F> => ({
  b: make(sizes.b),
  h: make(sizes.h),
  w: make(sizes.w),
  dw: make(sizes.dw),
})

/** dst = *(src + off), zero-extended. */
export const ldx = bySize(
  size =>
    (dst: Register, src: Register, off: number): Instruction =>
      instruction(classes.ldx | modes.mem | size, dst, src, off, 0),
)
/** *(dst + off) = src. */
export const stx = bySize(
  size =>
    (dst: Register, off: number, src: Register): Instruction =>
      instruction(classes.stx | modes.mem | size, dst, src, off, 0),
)
/** *(dst + off) = value, sign-extended. */
export const st = bySize(
  size =>
    (dst: Register, off: number, value: number): Instruction =>
      instruction(classes.st | modes.mem | size, dst, 0, off, value),
)

const atomicBySize = (imm: number) => (size: 'w' | 'dw', dst: Register, off: number, src: Register) =>
  instruction(classes.stx | modes.atomic | sizes[size], dst, src, off, imm)
/** *(dst + off) op= src, atomically. */
export const atomic = {
  add: atomicBySize(atomics.add),
  or: atomicBySize(atomics.or),
  and: atomicBySize(atomics.and),
  xor: atomicBySize(atomics.xor),
  /** src = the old value. CPU level v3, as all below. */
  fetchAdd: atomicBySize(atomics.add | fetch),
  xchg: atomicBySize(atomics.xchg),
  /** If *(dst + off) = r0, it becomes src; r0 = the old value. */
  cmpxchg: atomicBySize(atomics.cmpxchg),
} as const

type Conditional = Exclude<Jump, 'ja' | 'call' | 'exit' | 'jcond'>
interface Condition {
  readonly imm: (dst: Register, value: number, to: Label) => Instruction
  readonly reg: (dst: Register, src: Register, to: Label) => Instruction
}
const conditionsOf = (kind: 'jmp' | 'jmp32'): Readonly<Record<Conditional, Condition>> => {
  const condition = (name: Conditional): Condition => ({
    imm: (dst, value, target) =>
      instruction(classes[kind] | jumps[name] | sources.imm, dst, 0, 0, value, { target }),
    reg: (dst, src, target) =>
      instruction(classes[kind] | jumps[name] | sources.reg, dst, src, 0, 0, { target }),
  })
  return {
    jeq: condition('jeq'),
    jne: condition('jne'),
    jgt: condition('jgt'),
    jge: condition('jge'),
    jlt: condition('jlt'),
    jle: condition('jle'),
    jset: condition('jset'),
    jsgt: condition('jsgt'),
    jsge: condition('jsge'),
    jslt: condition('jslt'),
    jsle: condition('jsle'),
  }
}

/** Conditional jumps that compare 64 bits, and those that compare 32 (CPU level v3). */
export const jmp64 = conditionsOf('jmp')
export const jmp32 = conditionsOf('jmp32')
export const { jeq, jne, jgt, jge, jlt, jle, jset, jsgt, jsge, jslt, jsle } = jmp64
export const ja = (target: Label): Instruction => instruction(classes.jmp | jumps.ja, 0, 0, 0, 0, { target })
/** Goes on; but to `target` once the budget of rounds that the kernel gives a run is spent. */
export const mayGoto = (target: Label): Instruction =>
  instruction(classes.jmp | jumps.jcond, 0, 0, 0, 0, { target })

/** Calls a kernel helper with r1 to r5: its result is in r0, and r1 to r5 are lost. */
export const call = (helper: Helper): Instruction =>
  instruction(classes.jmp | jumps.call, 0, 0, 0, helpers[helper])
/** Calls a function of the same program, likewise. */
export const callLocal = (target: Label): Instruction =>
  instruction(classes.jmp | jumps.call, 0, pseudo.call, 0, 0, { target })
export const exit = (): Instruction => instruction(classes.jmp | jumps.exit, 0, 0, 0, 0)

const wide = (dst: Register, src: number, low: number, high: number, more: Partial<Instruction> = {}) =>
  instruction(classes.ld | modes.imm | sizes.dw, dst, src, 0, low, { high: high | 0, ...more })
/** dst = a 64-bit constant. */
export const ldImm64 = (dst: Register, value: bigint): Instruction =>
  wide(dst, 0, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
/** dst = a map, as an argument of helpers. */
export const ldMap = (dst: Register, map: string): Instruction => wide(dst, pseudo.map, 0, 0, { map })
/** dst = the address of byte `offset` of the value of an array map with one element. */
export const ldMapValue = (dst: Register, map: string, offset = 0): Instruction =>
  wide(dst, pseudo.mapValue, 0, offset, { map })
/** dst = the address of a function of the program. */
export const ldFunc = (dst: Register, target: Label): Instruction => wide(dst, pseudo.func, 0, 0, { target })
