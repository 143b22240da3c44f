// WebAssembly code for the pure operations of the IR: mostly one instruction, a few lines where WebAssembly traps
// (division) or has nothing (byte swaps).

import type { Instr } from '../../ir/types.js'
import { i32, i64, if_ } from './asm.js'
import type { Code } from './asm.js'

/** Operands of an operation: pushed once, or once and then again as often as needed. */
export interface Operands {
  push(k: number): Code
  /** `first` computes and pushes it, `set` only computes it; after either, `again` pushes it. */
  hold(k: number): { first: Code; set: Code; again: Code }
}

const plain32: Readonly<Record<string, Code>> = {
  add: i32.add,
  sub: i32.sub,
  mul: i32.mul,
  and: i32.and,
  or: i32.or,
  xor: i32.xor,
  shl: i32.shl,
  shru: i32.shr_u,
  shrs: i32.shr_s,
  eq: i32.eq,
  ne: i32.ne,
  ltu: i32.lt_u,
  leu: i32.le_u,
  lts: i32.lt_s,
  les: i32.le_s,
  gtu: i32.gt_u,
  geu: i32.ge_u,
}
const plain64: Readonly<Record<string, Code>> = {
  add: i64.add,
  sub: i64.sub,
  mul: i64.mul,
  and: i64.and,
  or: i64.or,
  xor: i64.xor,
  shl: i64.shl,
  shru: i64.shr_u,
  shrs: i64.shr_s,
  eq: i64.eq,
  ne: i64.ne,
  ltu: i64.lt_u,
  leu: i64.le_u,
  lts: i64.lt_s,
  les: i64.le_s,
}

/** As signed numbers, truth values are 0 and -1: their order is the opposite of the unsigned one. */
const signedTruth: Readonly<Record<string, string>> = { lts: 'gtu', les: 'geu' }

/** Code that leaves the operation's value on the stack. */
export function arithmetic(i: Instr, operands: Operands): Code {
  const wide = i.args[0]?.type === 'i64'
  const plain = (wide ? plain64 : plain32)[signedTruth[i.args[0]?.type === 'i1' ? i.op : ''] ?? i.op]
  if (plain) return [operands.push(0), operands.push(1), plain]
  switch (i.op) {
    case 'not':
      return [operands.push(0), i32.eqz]
    case 'zext':
      return [operands.push(0), i.type === 'i64' ? i64.extend_i32_u : []]
    case 'sext':
      return [operands.push(0), i64.extend_i32_s]
    case 'trunc':
      return [operands.push(0), i32.wrap_i64]
    case 'divu':
    case 'divs':
    case 'remu':
    case 'rems':
      return division(i, operands, wide)
    case 'bswap16':
      return swap16(i.args[0], operands)
    case 'bswap32':
      return swap32(operands)
    case 'bswap64':
      return swap64(operands)
    default:
      throw new Error(`${i.op} is no operation of this backend`)
  }
}

/** x/0 = 0, x%0 = x; MIN/-1 = MIN, which WebAssembly's div_s traps on (its rem_s gives 0, as we want). */
function division(i: Instr, operands: Operands, wide: boolean): Code {
  const type = wide ? i64 : i32
  const constant = (n: number): Code => (wide ? i64.const(n) : i32.const(n))
  const plain = { divu: type.div_u, divs: type.div_s, remu: type.rem_u, rems: type.rem_s }[i.op]!
  const divisor = i.args[1]
  if (divisor.op === 'const') {
    const value = BigInt.asIntN(wide ? 64 : 32, BigInt(divisor.attrs.value))
    if (value !== 0n && !(value === -1n && i.op === 'divs'))
      return [operands.push(0), operands.push(1), plain]
  }
  const a = operands.hold(0)
  const b = operands.hold(1)
  const result = wide ? 'i64' : 'i32'
  const quotient: Code =
    i.op === 'divs'
      ? [
          [b.again, constant(-1), type.eq],
          if_(result, [constant(0), a.again, type.sub], [a.again, b.again, plain]),
        ]
      : [a.again, b.again, plain]
  const byZero = i.op.startsWith('rem') ? a.again : constant(0)
  return [a.set, b.first, type.eqz, if_(result, byZero, quotient)]
}

/** A 16-bit number times 0x10001 is its two bytes twice; the middle ones stand in the other order. */
function swap16(x: Instr, operands: Operands): Code {
  const half: Code = [i32.const(0xffff), i32.and]
  const clean = Number(x.attrs.width ?? 4) <= 2
  return [operands.push(0), clean ? [] : half, i32.const(0x10001), i32.mul, i32.const(8), i32.shr_u, half]
}

function swap32(operands: Operands): Code {
  const x = operands.hold(0)
  return [
    [x.first, i32.const(0x00ff00ff), i32.and, i32.const(24), i32.rotl],
    [x.again, i32.const(0xff00ff00), i32.and, i32.const(8), i32.rotl],
    i32.or,
  ]
}

/** Swaps bytes within each 16 bits, then 16 bits within each 32, then the halves; each step needs its value twice. */
function swap64(operands: Operands): Code {
  const x = operands.hold(0)
  const bytes = 0x00ff00ff00ff00ffn
  const pairs = 0x0000ffff0000ffffn
  const step = (value: Code, again: Code, mask: bigint, by: number): Code => [
    [value, i64.const(mask), i64.and, i64.const(by), i64.shl],
    [again, i64.const(by), i64.shr_u, i64.const(mask), i64.and],
    i64.or,
  ]
  const once = step(x.first, x.again, bytes, 8)
  // Pure and cheap, so the first step is simply written twice; V8 computes it once.
  const twice = step(once, step(x.again, x.again, bytes, 8), pairs, 16)
  return [twice, i64.const(32), i64.rotl]
}
