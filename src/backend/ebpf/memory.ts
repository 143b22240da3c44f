// Addresses in state objects: pointers into the values of maps, and the proofs the verifier wants of them.
//
// An address is an offset in an object. Constant ones become the map value's address itself. Others become a pointer,
// made once where it is first needed and used again in the blocks below; if the verifier cannot bound the offset by
// itself, a comparison that never fails comes first.

import type { Block as IrBlock, Instr } from '../../ir/types.js'
import { alu64, jgt, ldMapValue, ldx, mov64, r0, r1, st, stx } from './asm.js'
import type { Register } from './asm.js'
import type { Size } from './opcodes.js'
import { isValue, valuesIn } from './machine.js'
import type { Operand, Out, Step, Value } from './machine.js'
import type { ObjectPlace } from './target.js'

export const sizeOf = (width: number): Size =>
  width === 1 ? 'b' : width === 2 ? 'h' : width === 4 ? 'w' : 'dw'

/** Where an access goes: a pointer and an offset, or an address in a map's value. */
export type Address =
  { readonly pointer: Value; readonly off: number } | { readonly map: string; readonly at: number }

/** Brings the address into a register; the rest of the offset is returned. */
export function reach(out: Out, address: Address, scratch: Register): [Register, number] {
  if ('pointer' in address) return [out.read(address.pointer, scratch), address.off]
  out.push(ldMapValue(scratch, address.map, address.at))
  return [scratch, 0]
}

export const usesOf = (address: Address): Value[] => ('pointer' in address ? [address.pointer] : [])

export function writeLoad(out: Out, dst: Value, width: number, address: Address): void {
  out.write(dst, r0, d => {
    const [base, off] = reach(out, address, 'pointer' in address ? r0 : d)
    out.push(ldx[sizeOf(width)](d, base, off))
  })
}

export function writeStore(out: Out, value: Operand, width: number, address: Address): void {
  const size = sizeOf(width)
  const [base, off] = reach(out, address, r0)
  const small = !isValue(value) && (width < 8 || BigInt.asIntN(32, value) === BigInt.asIntN(64, value))
  if (small) out.push(st[size](base, off, Number(BigInt.asIntN(32, value))))
  else out.push(stx[size](base, off, out.read(value, r1)))
}

/** The pointer to `place` + `at`, where accesses reach up to `end` bytes further. */
export function pointerStep(dst: Value, at: Value, place: ObjectPlace, end: number, proved: boolean): Step {
  return {
    dst,
    uses: [at],
    write: out =>
      out.write(dst, r0, d => {
        const offset = out.read(at, r1)
        if (!proved) out.push(jgt.imm(offset, Math.max(0, place.size - end), out.trap))
        if (d === offset) {
          out.push(mov64.reg(r1, offset))
          out.push(ldMapValue(d, place.map, place.offset), alu64.add.reg(d, r1))
        } else out.push(ldMapValue(d, place.map, place.offset), alu64.add.reg(d, offset))
      }),
  }
}

/** Pointers made so far, by what they point to; each is good in the blocks its own dominates. */
export class Pointers {
  private readonly made = new Map<string, { readonly block: IrBlock; readonly value: Value }[]>()
  private readonly dominates: (a: IrBlock, b: IrBlock) => boolean

  constructor(dominates: (a: IrBlock, b: IrBlock) => boolean) {
    this.dominates = dominates
  }

  /** The pointer for `key` if there is one at `block`. */
  get(key: string, block: IrBlock): Value | undefined {
    return this.made.get(key)?.find(m => this.dominates(m.block, block))?.value
  }

  add(key: string, block: IrBlock, value: Value): void {
    const list = this.made.get(key)
    if (list) list.push({ block, value })
    else this.made.set(key, [{ block, value }])
  }
}

/** For each object and offset value of a function, the furthest byte that accesses reach from there. */
export function extents(blocks: readonly IrBlock[]): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  for (const block of blocks)
    for (const i of block.instrs)
      if (i.op === 'state.load' || i.op === 'state.store') {
        const key = stateKey(i)
        const end = Number(i.attrs.offset) + Number(i.attrs.width)
        ends.set(key, Math.max(ends.get(key) ?? 0, end))
      }
  return ends
}

export const stateKey = (i: Instr): string => `${String(i.attrs.object)} ${i.args[0].id}`
export { valuesIn }
