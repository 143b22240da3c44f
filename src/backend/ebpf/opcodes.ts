// The numbers of the eBPF instruction set (RFC 9669): classes, sizes, modes, operations, helpers.
//
// An opcode is a sum of these. encode.ts and asm.ts make opcodes from them, decode.ts and listing.ts take them apart.

/** The class: low three bits. */
export const classes = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, jmp32: 6, alu64: 7 } as const

/** Width of a memory access: bits 3 and 4. */
export const sizes = { w: 0x00, h: 0x08, b: 0x10, dw: 0x18 } as const
export type Size = keyof typeof sizes

/** Kind of memory access: high three bits. */
export const modes = { imm: 0x00, mem: 0x60, memsx: 0x80, atomic: 0xc0 } as const

/** Whether the second operand is the immediate or a register: bit 3. */
export const sources = { imm: 0x00, reg: 0x08 } as const

/** Arithmetic: high four bits, in classes alu and alu64. */
export const arithmetic = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
  end: 0xd0,
} as const
export type Arithmetic = keyof typeof arithmetic

/** Jumps: high four bits, in classes jmp and jmp32. */
export const jumps = {
  ja: 0x00,
  jeq: 0x10,
  jgt: 0x20,
  jge: 0x30,
  jset: 0x40,
  jne: 0x50,
  jsgt: 0x60,
  jsge: 0x70,
  call: 0x80,
  exit: 0x90,
  jlt: 0xa0,
  jle: 0xb0,
  jslt: 0xc0,
  jsle: 0xd0,
  /** may_goto: leaves a loop once its budget is spent (Linux 6.9). */
  jcond: 0xe0,
} as const
export type Jump = keyof typeof jumps

/** The immediate of an atomic operation. */
export const atomics = { add: 0x00, or: 0x40, and: 0x50, xor: 0xa0, xchg: 0xe1, cmpxchg: 0xf1 } as const
export const fetch = 0x01

/** The source register of a 64-bit immediate says what it stands for; that of a call, what is called. */
export const pseudo = { map: 1, mapValue: 2, func: 4, call: 1 } as const

/** Kernel helpers that our programs call. */
export const helpers = {
  map_lookup_elem: 1,
  ktime_get_ns: 5,
  smp_processor_id: 8,
  tail_call: 12,
  redirect: 23,
  xdp_adjust_head: 44,
  redirect_map: 51,
  xdp_adjust_tail: 65,
  fib_lookup: 69,
  spin_lock: 93,
  spin_unlock: 94,
  probe_read_kernel: 113,
  ktime_get_coarse_ns: 160,
  xdp_load_bytes: 189,
  xdp_store_bytes: 190,
} as const
export type Helper = keyof typeof helpers

export const instructionBytes = 8
/** Bytes of stack that a program and everything it calls share. */
export const stackBytes = 512
