// Arithmetic, comparisons and byte swaps in eBPF, where they differ from the IR's.
//
// eBPF's unsigned division gives 0 for x/0 and x for x%0, as ours does. Signed division needs CPU level v4; before, it
// is made from the unsigned one and signs. Truth values are 0 and 1; as signed numbers they are 0 and -1, so that
// their signed order is the opposite of the unsigned one.

import type { Instr } from '../../ir/types.js'
import {
  alu32,
  alu64,
  be16,
  be32,
  be64,
  ja,
  jmp32,
  jmp64,
  mov32,
  mov64,
  movsx32,
  neg32,
  neg64,
  r0,
  r1,
} from './asm.js'
import type { Label, Register } from './asm.js'
import { isValue, valuesIn } from './machine.js'
import type { Condition, Operand, Out, Value } from './machine.js'
import type { CpuLevel } from './target.js'

/** Whether a constant can be an immediate: sign-extended for 64 bits, taken as it is for 32. */
const isImmediate = (c: bigint, wide: boolean): boolean =>
  wide ? BigInt.asIntN(32, c) === BigInt.asIntN(64, c) : c <= 0xffffffffn
const immediate = (c: bigint): number => Number(BigInt.asIntN(32, c))

const operators: Readonly<
  Record<string, 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'and' | 'or' | 'xor' | 'lsh' | 'rsh' | 'arsh'>
> = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  divu: 'div',
  remu: 'mod',
  and: 'and',
  or: 'or',
  xor: 'xor',
  shl: 'lsh',
  shru: 'rsh',
  shrs: 'arsh',
}
const commutes = new Set(['add', 'mul', 'and', 'or', 'xor'])
const shifts = new Set(['shl', 'shru', 'shrs'])

/** Writes `dst = a op b`; false if this is none of the operations done so. */
export function writeBinary(out: Out, i: Instr, dst: Value, a: Operand, b: Operand): boolean {
  const name = operators[i.op]
  if (!name) return false
  const wide = i.type === 'i64'
  const operation = (wide ? alu64 : alu32)[name]
  const mov = wide ? mov64 : mov32
  if (!isValue(a) && commutes.has(i.op)) [a, b] = [b, a]
  out.write(dst, r0, d => {
    if (!isValue(b) && shifts.has(i.op)) b = b & (wide ? 63n : 31n)
    const byZero = !isValue(b) && b === 0n && (name === 'div' || name === 'mod')
    if (!isValue(b) && isImmediate(b, wide) && !byZero) {
      copy(out, d, a, mov)
      out.push(operation.imm(d, immediate(b)))
      return
    }
    let y = out.read(b, r1)
    if (shifts.has(i.op)) {
      if (y !== r1) out.push(mov32.reg(r1, y))
      out.push(alu32.and.imm(r1, wide ? 63 : 31))
      y = r1
    }
    if (d !== y) {
      copy(out, d, a, mov)
      out.push(operation.reg(d, y))
    } else if (commutes.has(i.op)) out.push(operation.reg(d, out.read(a, r0)))
    else if (i.op === 'sub' && isValue(a)) {
      // a - d = -d + a, without a third register.
      const x = out.read(a, r0)
      out.push((wide ? neg64 : neg32)(d), operation === alu64.sub ? alu64.add.reg(d, x) : alu32.add.reg(d, x))
    } else {
      copy(out, r0, a, mov)
      out.push(operation.reg(r0, y), mov.reg(d, r0))
    }
  })
  return true
}

function copy(out: Out, to: Register, from: Operand, mov: typeof mov64): void {
  if (!isValue(from)) return out.into(to, from)
  const source = out.read(from, to)
  if (source !== to) out.push(mov.reg(to, source))
}

/** Signed quotient or remainder. */
export function writeSigned(out: Out, i: Instr, dst: Value, a: Operand, b: Operand, cpu: CpuLevel): void {
  const wide = i.type === 'i64'
  const [alu, neg, mov] = wide ? [alu64, neg64, mov64] : [alu32, neg32, mov32]
  const quotient = i.op === 'divs'
  out.into(r0, a)
  out.into(r1, b)
  if (cpu === 'v4') out.push((quotient ? alu.sdiv : alu.smod).reg(r0, r1))
  else {
    const unsigned = (quotient ? alu.div : alu.mod).reg(r0, r1)
    const [positive, differ, same, end] = [out.label(), out.label(), out.label(), out.label()]
    const unlessNegative = (register: Register, to: Label): void => {
      if (wide) return out.push(jmp64.jsge.imm(register, 0, to))
      if (cpu !== 'v2') return out.push(jmp32.jsge.imm(register, 0, to))
      const negative = out.label()
      out.push(jmp64.jset.imm(register, -0x80000000, negative), ja(to), negative)
    }
    unlessNegative(r0, positive)
    out.push(neg(r0))
    // The dividend is negative: so is a remainder; a quotient, if the divisor is not.
    unlessNegative(r1, differ)
    out.push(neg(r1))
    if (quotient) out.push(ja(same))
    out.push(differ, unsigned, neg(r0), ja(end))
    out.push(positive)
    unlessNegative(r1, same)
    out.push(neg(r1))
    if (quotient) out.push(ja(differ))
    out.push(same, unsigned, end)
  }
  out.write(dst, r0, d => {
    if (d !== r0) out.push(mov.reg(d, r0))
  })
}

/** dst = the bytes of a reversed; or a sign-extended. */
export function writeUnary(out: Out, op: string, dst: Value, a: Operand, cpu: CpuLevel): void {
  out.write(dst, r0, d => {
    if (op === 'sext' && cpu === 'v4') {
      out.push(movsx32(d, out.read(a, r1)))
      return
    }
    out.into(d, a)
    if (op === 'sext') out.push(alu64.lsh.imm(d, 32), alu64.arsh.imm(d, 32))
    else if (op === 'not') out.push(alu32.xor.imm(d, 1))
    else out.push((op === 'bswap16' ? be16 : op === 'bswap32' ? be32 : be64)(d))
  })
}

type Jump = 'jeq' | 'jne' | 'jlt' | 'jle' | 'jgt' | 'jge' | 'jslt' | 'jsle' | 'jsgt' | 'jsge'
const comparisons: Readonly<Record<string, Jump>> = {
  eq: 'jeq',
  ne: 'jne',
  ltu: 'jlt',
  leu: 'jle',
  lts: 'jslt',
  les: 'jsle',
}
const truths: Readonly<Record<string, Jump>> = { ...comparisons, lts: 'jgt', les: 'jge' }
const opposite: Readonly<Record<Jump, Jump>> = {
  jeq: 'jne',
  jne: 'jeq',
  jlt: 'jge',
  jle: 'jgt',
  jgt: 'jle',
  jge: 'jlt',
  jslt: 'jsge',
  jsle: 'jsgt',
  jsgt: 'jsle',
  jsge: 'jslt',
}
const mirrored: Readonly<Record<Jump, Jump>> = {
  jeq: 'jeq',
  jne: 'jne',
  jlt: 'jgt',
  jle: 'jge',
  jgt: 'jlt',
  jge: 'jle',
  jslt: 'jsgt',
  jsle: 'jsge',
  jsgt: 'jslt',
  jsge: 'jsle',
}

export const isComparison = (op: string): boolean => op in comparisons

/** The condition `a op b`. */
export function comparison(i: Instr, a: Operand, b: Operand, cpu: CpuLevel): Condition {
  const type = i.args[0].type
  let name = (type === 'i1' ? truths : comparisons)[i.op]
  if (!isValue(a)) {
    ;[a, b] = [b, a]
    name = mirrored[name]
  }
  const signed = name.startsWith('js')
  return {
    uses: valuesIn([a, b]),
    jump(out: Out, target: Label, sense: boolean): void {
      const jump = sense ? name : opposite[name]
      if (cpu === 'v2' && type !== 'i64') return narrow(out, jump, signed, a, b, target)
      const x = out.read(a, r0)
      if (!isValue(b)) {
        // Narrow values are zero-extended, so that 64-bit comparisons, which teach the verifier more, do for them.
        const c = b
        const kind = type === 'i64' || (!signed && c <= 0x7fffffffn) ? jmp64 : jmp32
        if (kind === jmp32 || isImmediate(c, true)) {
          out.push(kind[jump].imm(x, immediate(c), target))
          return
        }
      }
      const kind = type === 'i64' || !signed ? jmp64 : jmp32
      out.push(kind[jump].reg(x, out.read(b, r1), target))
    },
  }
}

/** Whether any of the bits of `mask`, below 2^31, is set in `x`. */
export const bitTest = (x: Operand, mask: bigint, wanted: boolean): Condition => ({
  uses: valuesIn([x]),
  jump(out: Out, target: Label, sense: boolean): void {
    const register = out.read(x, r0)
    if (sense === wanted) return out.push(jmp64.jset.imm(register, Number(mask), target))
    const over = out.label()
    out.push(jmp64.jset.imm(register, Number(mask), over), ja(target), over)
  },
})

/** A comparison of 32 bits for machines that compare 64 only: unsigned ones need no help, signed ones the sign. */
function narrow(out: Out, jump: Jump, signed: boolean, a: Operand, b: Operand, target: Label): void {
  const extended = (operand: Operand, register: Register): Register => {
    if (!signed) return out.read(operand, register)
    out.into(register, operand)
    out.push(alu64.lsh.imm(register, 32), alu64.arsh.imm(register, 32))
    return register
  }
  const x = extended(a, r0)
  if (!isValue(b)) {
    const c = signed ? BigInt.asIntN(32, b) : b
    if (isImmediate(c, true)) return out.push(jmp64[jump].imm(x, immediate(c), target))
  }
  out.push(jmp64[jump].reg(x, extended(b, r1), target))
}

/** The condition that a truth value is 1. */
export const truth = (value: Operand): Condition => ({
  uses: valuesIn([value]),
  jump: (out, target, sense) => out.push(jmp64[sense ? 'jne' : 'jeq'].imm(out.read(value, r0), 0, target)),
})
