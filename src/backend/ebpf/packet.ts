// Packet accesses and the proofs the verifier wants of them.
//
// An offset is taken apart into a value and a constant, `base` + n. A pointer to base is made once and kept; the IR's
// own length check `base + n <= length` becomes `pointer + n <= data_end`, which is what the verifier learns from, so
// that accesses below it at the same pointer need nothing more (packet-proofs.ts).

import type { Func, Instr } from '../../ir/types.js'
import { alu64, ja, jgt, jle, ldx, mov64, r0, r1, stx } from './asm.js'
import { valuesIn } from './machine.js'
import type { Condition, Operand, Out, Register, Step, Value } from './machine.js'
import { sizeOf } from './memory.js'

/** Packets are shorter; the verifier follows pointers no further. */
export const packetLimit = 0xffff
/** The furthest constant of an access or check: what an instruction's 16-bit offset holds. */
export const furthest = 0x7fff

/** An offset in the packet: a value, or nothing, and a constant. */
export interface Place {
  readonly base?: Instr
  readonly offset: number
}

/** Takes an offset apart, where the sum cannot wrap. */
export function placeOf(at: Instr, bound: (i: Instr) => bigint): Place {
  if (at.op === 'const') return { offset: Number(at.attrs.value) }
  const [a, b] = at.args
  if (at.op === 'add' && b.op === 'const') {
    const n = BigInt(b.attrs.value)
    if (n < 0x8000n && bound(a) + n <= 0xffffffffn) {
      const inner = placeOf(a, bound)
      return { ...(inner.base && { base: inner.base }), offset: inner.offset + Number(n) }
    }
  }
  return { base: at, offset: 0 }
}

/** What a comparison with the length says if it is `sense`: `place` <= length. */
export interface LengthCheck {
  readonly place: Place
  readonly sense: boolean
}

const isLength = (i: Instr): boolean => i.op === 'input' && i.attrs.name === 'length'

/** Reads a condition as a check of the length. */
export function lengthCheck(cond: Instr, bound: (i: Instr) => bigint): LengthCheck | undefined {
  if (cond.op === 'not') {
    const inner = lengthCheck(cond.args[0], bound)
    return inner && { ...inner, sense: !inner.sense }
  }
  if (cond.op !== 'leu' && cond.op !== 'ltu') return undefined
  const [a, b] = cond.args
  if (isLength(a) === isLength(b)) return undefined
  const sense = isLength(b)
  const place = placeOf(sense ? a : b, bound)
  const strict = (cond.op === 'ltu') === sense ? 1 : 0
  // length < x is not (x <= length); length <= x is not (x + 1 <= length).
  const offset = place.offset + strict
  // No packet is so long, and the verifier would learn nothing: an ordinary comparison of numbers.
  return offset > furthest ? undefined : { place: { ...place, offset }, sense }
}

/** Whether the packet has `end` bytes from the pointer on. */
export function reaches(pointer: Value, end: number, dataEnd: Value, sense: boolean): Condition {
  return {
    uses: [pointer, dataEnd],
    jump(out, target, wanted) {
      const at = beyond(out, pointer, end)
      out.push((sense === wanted ? jle : jgt).reg(at, out.read(dataEnd, r1), target))
    },
  }
}

/** Shows the verifier that there are `end` bytes from the pointer on, where there always are. */
export const proof = (pointer: Value, end: number, dataEnd: Value): Step => ({
  uses: [pointer, dataEnd],
  kept: true,
  write: out => out.push(jgt.reg(beyond(out, pointer, end), out.read(dataEnd, r1), out.trap)),
})

/** A register that holds pointer + n: its own, or r0. */
function beyond(out: Out, pointer: Value, n: number): Register {
  const p = out.read(pointer, r0)
  if (n === 0) return p
  if (p !== r0) out.push(mov64.reg(r0, p))
  out.push(alu64.add.imm(r0, n))
  return r0
}

/** The pointer to `base`; one that the verifier could not bound goes no further than packets can reach. */
export function packetPointer(dst: Value, data: Value, base: Value, limit: number | undefined): Step {
  return {
    dst,
    uses: [data, base],
    write: out =>
      out.write(dst, r0, d => {
        let offset = out.read(base, r1)
        if (limit !== undefined) {
          if (offset !== r1) out.push(mov64.reg(r1, offset))
          offset = r1
          const small = out.label()
          out.push(jle.imm(r1, limit, small), mov64.imm(r1, limit), small)
        }
        // A sum's operands may change places: the offset's own register can become the pointer.
        if (d === offset) {
          out.push(alu64.add.reg(d, out.read(data, r1)))
          return
        }
        const start = out.read(data, d)
        if (start !== d) out.push(mov64.reg(d, start))
        out.push(alu64.add.reg(d, offset))
      }),
  }
}

/** dst = the bytes at the pointer; `dataEnd` if they must be compared with it first: 0 if they are not there. */
export function packetLoad(dst: Value, pointer: Value, off: number, width: number, dataEnd?: Value): Step {
  return {
    dst,
    uses: valuesIn([pointer, ...(dataEnd ? [dataEnd] : [])]),
    write(out) {
      out.write(dst, r0, d => {
        const load = (): void => out.push(ldx[sizeOf(width)](d, out.read(pointer, r0), off))
        if (!dataEnd) return load()
        const [missing, end] = [out.label(), out.label()]
        const at = beyond(out, pointer, off + width)
        out.push(jgt.reg(at, out.read(dataEnd, r1), missing))
        load()
        out.push(ja(end), missing, mov64.imm(d, 0), end)
      })
    },
  }
}

export function packetStore(
  pointer: Value,
  off: number,
  width: number,
  value: Operand,
  dataEnd?: Value,
): Step {
  return {
    uses: valuesIn([pointer, value, ...(dataEnd ? [dataEnd] : [])]),
    write(out) {
      const end = out.label()
      if (dataEnd) {
        const at = beyond(out, pointer, off + width)
        out.push(jgt.reg(at, out.read(dataEnd, r1), end))
      }
      out.push(stx[sizeOf(width)](out.read(pointer, r0), off, out.read(value, r1)), end)
    },
  }
}

/** Bases of the packet accesses in a function, with the furthest byte that accesses and checks reach from each. */
export function packetExtents(
  func: Func,
  bound: (i: Instr) => bigint,
): ReadonlyMap<Instr | undefined, number> {
  const ends = new Map<Instr | undefined, number>()
  const note = ({ base, offset }: Place, more: number): void => {
    if (offset + more <= furthest) ends.set(base, Math.max(ends.get(base) ?? 0, offset + more))
  }
  for (const block of func.blocks) {
    for (const i of block.instrs)
      if (i.op === 'load' || i.op === 'store')
        note(placeOf(i.args[1], bound), Number(i.attrs.offset) + Number(i.attrs.width))
    if (block.term.op !== 'branch') continue
    const check = lengthCheck(block.term.cond, bound)
    if (check) note(check.place, 0)
  }
  return ends
}
