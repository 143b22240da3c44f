/**
 * The WebAssembly instructions hairpin uses: the one table that the assembler, encoder, decoder, printer and
 * checker all read. Integers, control, bulk memory, threads and the few vector instructions that copying needs;
 * no floating point, tables or references.
 *
 * A row is `name: [code, immediate, signature, width]`.
 *   code       one byte, or prefix byte and sub-opcode: 0xfc08 is prefix 0xfc followed by LEB128 8
 *   immediate  what follows the code in the byte stream (see `Immediate`)
 *   signature  `operands > results`; empty where the operands depend on the immediate or the stack
 *   width      bytes of memory touched, for instructions with a memory argument
 *
 * Source: WebAssembly Core Specification 2.0, section 5.4, and the threads proposal.
 */

export type ValType = 'i32' | 'i64' | 'v128'

/**
 * What follows an opcode:
 *   none    nothing                      zero, zeros  one or two reserved zero bytes (memory index)
 *   block   type, body, end              label(s)     branch depths
 *   memarg  log2 alignment, offset       i32, i64     signed LEB128
 *   v128    16 bytes                     lane         a lane's number
 *   init    data index, zero byte        func, local, global, data   an index
 */
export type Immediate =
  | 'none'
  | 'zero'
  | 'zeros'
  | 'block'
  | 'label'
  | 'labels'
  | 'memarg'
  | 'i32'
  | 'i64'
  | 'v128'
  | 'lane'
  | 'init'
  | 'func'
  | 'local'
  | 'global'
  | 'data'

type Row = readonly [code: number, immediate: Immediate, signature: string, width?: number]

const table = {
  // control
  unreachable: [0x00, 'none', ''],
  nop: [0x01, 'none', ''],
  block: [0x02, 'block', ''],
  loop: [0x03, 'block', ''],
  if: [0x04, 'block', 'i32 >'],
  br: [0x0c, 'label', ''],
  br_if: [0x0d, 'label', 'i32 >'],
  br_table: [0x0e, 'labels', 'i32 >'],
  return: [0x0f, 'none', ''],
  call: [0x10, 'func', ''],
  drop: [0x1a, 'none', ''],
  select: [0x1b, 'none', ''],

  // variables
  'local.get': [0x20, 'local', ''],
  'local.set': [0x21, 'local', ''],
  'local.tee': [0x22, 'local', ''],
  'global.get': [0x23, 'global', ''],
  'global.set': [0x24, 'global', ''],

  // memory: address > value, address value >
  'i32.load': [0x28, 'memarg', 'i32 > i32', 4],
  'i64.load': [0x29, 'memarg', 'i32 > i64', 8],
  'i32.load8_s': [0x2c, 'memarg', 'i32 > i32', 1],
  'i32.load8_u': [0x2d, 'memarg', 'i32 > i32', 1],
  'i32.load16_s': [0x2e, 'memarg', 'i32 > i32', 2],
  'i32.load16_u': [0x2f, 'memarg', 'i32 > i32', 2],
  'i64.load8_s': [0x30, 'memarg', 'i32 > i64', 1],
  'i64.load8_u': [0x31, 'memarg', 'i32 > i64', 1],
  'i64.load16_s': [0x32, 'memarg', 'i32 > i64', 2],
  'i64.load16_u': [0x33, 'memarg', 'i32 > i64', 2],
  'i64.load32_s': [0x34, 'memarg', 'i32 > i64', 4],
  'i64.load32_u': [0x35, 'memarg', 'i32 > i64', 4],
  'i32.store': [0x36, 'memarg', 'i32 i32 >', 4],
  'i64.store': [0x37, 'memarg', 'i32 i64 >', 8],
  'i32.store8': [0x3a, 'memarg', 'i32 i32 >', 1],
  'i32.store16': [0x3b, 'memarg', 'i32 i32 >', 2],
  'i64.store8': [0x3c, 'memarg', 'i32 i64 >', 1],
  'i64.store16': [0x3d, 'memarg', 'i32 i64 >', 2],
  'i64.store32': [0x3e, 'memarg', 'i32 i64 >', 4],
  'memory.size': [0x3f, 'zero', '> i32'],
  'memory.grow': [0x40, 'zero', 'i32 > i32'],
  'memory.init': [0xfc08, 'init', 'i32 i32 i32 >'],
  'data.drop': [0xfc09, 'data', ''],
  'memory.copy': [0xfc0a, 'zeros', 'i32 i32 i32 >'],
  'memory.fill': [0xfc0b, 'zero', 'i32 i32 i32 >'],

  // integers
  'i32.const': [0x41, 'i32', '> i32'],
  'i64.const': [0x42, 'i64', '> i64'],
  'i32.eqz': [0x45, 'none', 'i32 > i32'],
  'i32.eq': [0x46, 'none', 'i32 i32 > i32'],
  'i32.ne': [0x47, 'none', 'i32 i32 > i32'],
  'i32.lt_s': [0x48, 'none', 'i32 i32 > i32'],
  'i32.lt_u': [0x49, 'none', 'i32 i32 > i32'],
  'i32.gt_s': [0x4a, 'none', 'i32 i32 > i32'],
  'i32.gt_u': [0x4b, 'none', 'i32 i32 > i32'],
  'i32.le_s': [0x4c, 'none', 'i32 i32 > i32'],
  'i32.le_u': [0x4d, 'none', 'i32 i32 > i32'],
  'i32.ge_s': [0x4e, 'none', 'i32 i32 > i32'],
  'i32.ge_u': [0x4f, 'none', 'i32 i32 > i32'],
  'i64.eqz': [0x50, 'none', 'i64 > i32'],
  'i64.eq': [0x51, 'none', 'i64 i64 > i32'],
  'i64.ne': [0x52, 'none', 'i64 i64 > i32'],
  'i64.lt_s': [0x53, 'none', 'i64 i64 > i32'],
  'i64.lt_u': [0x54, 'none', 'i64 i64 > i32'],
  'i64.gt_s': [0x55, 'none', 'i64 i64 > i32'],
  'i64.gt_u': [0x56, 'none', 'i64 i64 > i32'],
  'i64.le_s': [0x57, 'none', 'i64 i64 > i32'],
  'i64.le_u': [0x58, 'none', 'i64 i64 > i32'],
  'i64.ge_s': [0x59, 'none', 'i64 i64 > i32'],
  'i64.ge_u': [0x5a, 'none', 'i64 i64 > i32'],
  'i32.clz': [0x67, 'none', 'i32 > i32'],
  'i32.ctz': [0x68, 'none', 'i32 > i32'],
  'i32.popcnt': [0x69, 'none', 'i32 > i32'],
  'i32.add': [0x6a, 'none', 'i32 i32 > i32'],
  'i32.sub': [0x6b, 'none', 'i32 i32 > i32'],
  'i32.mul': [0x6c, 'none', 'i32 i32 > i32'],
  'i32.div_s': [0x6d, 'none', 'i32 i32 > i32'],
  'i32.div_u': [0x6e, 'none', 'i32 i32 > i32'],
  'i32.rem_s': [0x6f, 'none', 'i32 i32 > i32'],
  'i32.rem_u': [0x70, 'none', 'i32 i32 > i32'],
  'i32.and': [0x71, 'none', 'i32 i32 > i32'],
  'i32.or': [0x72, 'none', 'i32 i32 > i32'],
  'i32.xor': [0x73, 'none', 'i32 i32 > i32'],
  'i32.shl': [0x74, 'none', 'i32 i32 > i32'],
  'i32.shr_s': [0x75, 'none', 'i32 i32 > i32'],
  'i32.shr_u': [0x76, 'none', 'i32 i32 > i32'],
  'i32.rotl': [0x77, 'none', 'i32 i32 > i32'],
  'i32.rotr': [0x78, 'none', 'i32 i32 > i32'],
  'i64.clz': [0x79, 'none', 'i64 > i64'],
  'i64.ctz': [0x7a, 'none', 'i64 > i64'],
  'i64.popcnt': [0x7b, 'none', 'i64 > i64'],
  'i64.add': [0x7c, 'none', 'i64 i64 > i64'],
  'i64.sub': [0x7d, 'none', 'i64 i64 > i64'],
  'i64.mul': [0x7e, 'none', 'i64 i64 > i64'],
  'i64.div_s': [0x7f, 'none', 'i64 i64 > i64'],
  'i64.div_u': [0x80, 'none', 'i64 i64 > i64'],
  'i64.rem_s': [0x81, 'none', 'i64 i64 > i64'],
  'i64.rem_u': [0x82, 'none', 'i64 i64 > i64'],
  'i64.and': [0x83, 'none', 'i64 i64 > i64'],
  'i64.or': [0x84, 'none', 'i64 i64 > i64'],
  'i64.xor': [0x85, 'none', 'i64 i64 > i64'],
  'i64.shl': [0x86, 'none', 'i64 i64 > i64'],
  'i64.shr_s': [0x87, 'none', 'i64 i64 > i64'],
  'i64.shr_u': [0x88, 'none', 'i64 i64 > i64'],
  'i64.rotl': [0x89, 'none', 'i64 i64 > i64'],
  'i64.rotr': [0x8a, 'none', 'i64 i64 > i64'],
  'i32.wrap_i64': [0xa7, 'none', 'i64 > i32'],
  'i64.extend_i32_s': [0xac, 'none', 'i32 > i64'],
  'i64.extend_i32_u': [0xad, 'none', 'i32 > i64'],
  'i32.extend8_s': [0xc0, 'none', 'i32 > i32'],
  'i32.extend16_s': [0xc1, 'none', 'i32 > i32'],
  'i64.extend8_s': [0xc2, 'none', 'i64 > i64'],
  'i64.extend16_s': [0xc3, 'none', 'i64 > i64'],
  'i64.extend32_s': [0xc4, 'none', 'i64 > i64'],

  // v128: what copying and comparing 16 bytes at a time, and swapping bytes, needs
  'v128.load': [0xfd00, 'memarg', 'i32 > v128', 16],
  'v128.store': [0xfd0b, 'memarg', 'i32 v128 >', 16],
  'v128.const': [0xfd0c, 'v128', '> v128'],
  'i8x16.swizzle': [0xfd0e, 'none', 'v128 v128 > v128'],
  'i64x2.extract_lane': [0xfd1d, 'lane', 'v128 > i64'],
  'v128.and': [0xfd4e, 'none', 'v128 v128 > v128'],
  'v128.or': [0xfd50, 'none', 'v128 v128 > v128'],
  'v128.xor': [0xfd51, 'none', 'v128 v128 > v128'],
  'v128.any_true': [0xfd53, 'none', 'v128 > i32'],
  'v128.load64_zero': [0xfd5d, 'memarg', 'i32 > v128', 8],

  // atomics: the address must be a multiple of the width
  'memory.atomic.notify': [0xfe00, 'memarg', 'i32 i32 > i32', 4],
  'memory.atomic.wait32': [0xfe01, 'memarg', 'i32 i32 i64 > i32', 4],
  'memory.atomic.wait64': [0xfe02, 'memarg', 'i32 i64 i64 > i32', 8],
  'atomic.fence': [0xfe03, 'zero', ''],
  'i32.atomic.load': [0xfe10, 'memarg', 'i32 > i32', 4],
  'i64.atomic.load': [0xfe11, 'memarg', 'i32 > i64', 8],
  'i32.atomic.load8_u': [0xfe12, 'memarg', 'i32 > i32', 1],
  'i32.atomic.load16_u': [0xfe13, 'memarg', 'i32 > i32', 2],
  'i64.atomic.load8_u': [0xfe14, 'memarg', 'i32 > i64', 1],
  'i64.atomic.load16_u': [0xfe15, 'memarg', 'i32 > i64', 2],
  'i64.atomic.load32_u': [0xfe16, 'memarg', 'i32 > i64', 4],
  'i32.atomic.store': [0xfe17, 'memarg', 'i32 i32 >', 4],
  'i64.atomic.store': [0xfe18, 'memarg', 'i32 i64 >', 8],
  'i32.atomic.store8': [0xfe19, 'memarg', 'i32 i32 >', 1],
  'i32.atomic.store16': [0xfe1a, 'memarg', 'i32 i32 >', 2],
  'i64.atomic.store8': [0xfe1b, 'memarg', 'i32 i64 >', 1],
  'i64.atomic.store16': [0xfe1c, 'memarg', 'i32 i64 >', 2],
  'i64.atomic.store32': [0xfe1d, 'memarg', 'i32 i64 >', 4],
  'i32.atomic.rmw.add': [0xfe1e, 'memarg', 'i32 i32 > i32', 4],
  'i64.atomic.rmw.add': [0xfe1f, 'memarg', 'i32 i64 > i64', 8],
  'i32.atomic.rmw8.add_u': [0xfe20, 'memarg', 'i32 i32 > i32', 1],
  'i32.atomic.rmw16.add_u': [0xfe21, 'memarg', 'i32 i32 > i32', 2],
  'i64.atomic.rmw8.add_u': [0xfe22, 'memarg', 'i32 i64 > i64', 1],
  'i64.atomic.rmw16.add_u': [0xfe23, 'memarg', 'i32 i64 > i64', 2],
  'i64.atomic.rmw32.add_u': [0xfe24, 'memarg', 'i32 i64 > i64', 4],
  'i32.atomic.rmw.sub': [0xfe25, 'memarg', 'i32 i32 > i32', 4],
  'i64.atomic.rmw.sub': [0xfe26, 'memarg', 'i32 i64 > i64', 8],
  'i32.atomic.rmw8.sub_u': [0xfe27, 'memarg', 'i32 i32 > i32', 1],
  'i32.atomic.rmw16.sub_u': [0xfe28, 'memarg', 'i32 i32 > i32', 2],
  'i64.atomic.rmw8.sub_u': [0xfe29, 'memarg', 'i32 i64 > i64', 1],
  'i64.atomic.rmw16.sub_u': [0xfe2a, 'memarg', 'i32 i64 > i64', 2],
  'i64.atomic.rmw32.sub_u': [0xfe2b, 'memarg', 'i32 i64 > i64', 4],
  'i32.atomic.rmw.and': [0xfe2c, 'memarg', 'i32 i32 > i32', 4],
  'i64.atomic.rmw.and': [0xfe2d, 'memarg', 'i32 i64 > i64', 8],
  'i32.atomic.rmw8.and_u': [0xfe2e, 'memarg', 'i32 i32 > i32', 1],
  'i32.atomic.rmw16.and_u': [0xfe2f, 'memarg', 'i32 i32 > i32', 2],
  'i64.atomic.rmw8.and_u': [0xfe30, 'memarg', 'i32 i64 > i64', 1],
  'i64.atomic.rmw16.and_u': [0xfe31, 'memarg', 'i32 i64 > i64', 2],
  'i64.atomic.rmw32.and_u': [0xfe32, 'memarg', 'i32 i64 > i64', 4],
  'i32.atomic.rmw.or': [0xfe33, 'memarg', 'i32 i32 > i32', 4],
  'i64.atomic.rmw.or': [0xfe34, 'memarg', 'i32 i64 > i64', 8],
  'i32.atomic.rmw8.or_u': [0xfe35, 'memarg', 'i32 i32 > i32', 1],
  'i32.atomic.rmw16.or_u': [0xfe36, 'memarg', 'i32 i32 > i32', 2],
  'i64.atomic.rmw8.or_u': [0xfe37, 'memarg', 'i32 i64 > i64', 1],
  'i64.atomic.rmw16.or_u': [0xfe38, 'memarg', 'i32 i64 > i64', 2],
  'i64.atomic.rmw32.or_u': [0xfe39, 'memarg', 'i32 i64 > i64', 4],
  'i32.atomic.rmw.xor': [0xfe3a, 'memarg', 'i32 i32 > i32', 4],
  'i64.atomic.rmw.xor': [0xfe3b, 'memarg', 'i32 i64 > i64', 8],
  'i32.atomic.rmw8.xor_u': [0xfe3c, 'memarg', 'i32 i32 > i32', 1],
  'i32.atomic.rmw16.xor_u': [0xfe3d, 'memarg', 'i32 i32 > i32', 2],
  'i64.atomic.rmw8.xor_u': [0xfe3e, 'memarg', 'i32 i64 > i64', 1],
  'i64.atomic.rmw16.xor_u': [0xfe3f, 'memarg', 'i32 i64 > i64', 2],
  'i64.atomic.rmw32.xor_u': [0xfe40, 'memarg', 'i32 i64 > i64', 4],
  'i32.atomic.rmw.xchg': [0xfe41, 'memarg', 'i32 i32 > i32', 4],
  'i64.atomic.rmw.xchg': [0xfe42, 'memarg', 'i32 i64 > i64', 8],
  'i32.atomic.rmw8.xchg_u': [0xfe43, 'memarg', 'i32 i32 > i32', 1],
  'i32.atomic.rmw16.xchg_u': [0xfe44, 'memarg', 'i32 i32 > i32', 2],
  'i64.atomic.rmw8.xchg_u': [0xfe45, 'memarg', 'i32 i64 > i64', 1],
  'i64.atomic.rmw16.xchg_u': [0xfe46, 'memarg', 'i32 i64 > i64', 2],
  'i64.atomic.rmw32.xchg_u': [0xfe47, 'memarg', 'i32 i64 > i64', 4],
  'i32.atomic.rmw.cmpxchg': [0xfe48, 'memarg', 'i32 i32 i32 > i32', 4],
  'i64.atomic.rmw.cmpxchg': [0xfe49, 'memarg', 'i32 i64 i64 > i64', 8],
  'i32.atomic.rmw8.cmpxchg_u': [0xfe4a, 'memarg', 'i32 i32 i32 > i32', 1],
  'i32.atomic.rmw16.cmpxchg_u': [0xfe4b, 'memarg', 'i32 i32 i32 > i32', 2],
  'i64.atomic.rmw8.cmpxchg_u': [0xfe4c, 'memarg', 'i32 i64 i64 > i64', 1],
  'i64.atomic.rmw16.cmpxchg_u': [0xfe4d, 'memarg', 'i32 i64 i64 > i64', 2],
  'i64.atomic.rmw32.cmpxchg_u': [0xfe4e, 'memarg', 'i32 i64 i64 > i64', 4],
} as const satisfies Record<string, Row>

/** Every instruction name, as the text format spells it. */
export type Name = keyof typeof table

/** The immediate of the named instruction, for types computed from the table. */
export type ImmediateOf<N extends Name> = (typeof table)[N][1]

export interface Opcode {
  readonly name: Name
  readonly code: number
  readonly immediate: Immediate
  readonly params: readonly ValType[]
  readonly results: readonly ValType[]
  /** Bytes of memory touched; 0 without a memory argument. */
  readonly width: number
  /** Traps unless the address is a multiple of `width`, and the alignment immediate must say so. */
  readonly atomic: boolean
}

function read(name: string, [code, immediate, signature, width = 0]: Row): Opcode {
  const [params, results = []] = signature
    .split('>')
    .map(side => side.split(' ').filter(type => type !== '') as ValType[])
  return { name: name as Name, code, immediate, params, results, width, atomic: code >> 8 === 0xfe }
}

/** Name to opcode. */
export const opcodes = Object.fromEntries(
  Object.entries<Row>(table).map(([name, row]) => [name, read(name, row)]),
) as { readonly [N in Name]: Opcode }

/** Code (with its prefix in bits 8..15) to opcode. */
export const byCode: ReadonlyMap<number, Opcode> = new Map(
  Object.values(opcodes).map(opcode => [opcode.code, opcode]),
)

/** Bytes that stand for value types in the binary format. */
export const typeCodes: Readonly<Record<ValType, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b }

/** The `end` and `else` markers of structured bodies; they are not instructions here. */
export const END = 0x0b
export const ELSE = 0x05
