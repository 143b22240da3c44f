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
import type { Forgotten } from './umax.js'

export const sizeOf = (width: number): Size =>
  width === 1 ? 'b' : width === 2 ? 'h' : width === 4 ? 'w' : 'dw'

/** Where an access goes: a pointer and an offset, or an address in a map's value. */
export type Address =
  { readonly pointer: Value; readonly off: number } | { readonly map: string; readonly at: number }

/** What a load or store reaches from a register: 16 bits, signed. */
const furthest = 0x7fff

/** Brings the address into a register; the rest of the offset is returned. */
export function reach(out: Out, address: Address, scratch: Register): [Register, number] {
  if ('pointer' in address) {
    const base = out.read(address.pointer, scratch)
    if (address.off <= furthest) return [base, address.off]
    if (base !== scratch) out.push(mov64.reg(scratch, base))
    out.push(alu64.add.imm(scratch, address.off))
    return [scratch, 0]
  }
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
        if (d === offset) out.push(ldMapValue(r1, place.map, place.offset), alu64.add.reg(d, r1))
        else out.push(ldMapValue(d, place.map, place.offset), alu64.add.reg(d, offset))
      }),
  }
}

/** The pointer that is `offset` bytes behind another. */
export function nextPointerStep(dst: Value, pointer: Value, offset: number): Step {
  return {
    dst,
    uses: [pointer],
    write: out =>
      out.write(dst, r0, d => {
        const from = out.read(pointer, d)
        if (from !== d) out.push(mov64.reg(d, from))
        if (offset !== 0) out.push(alu64.add.imm(d, offset))
      }),
  }
}

/** The address of a byte in a map's value. */
export const addressStep = (dst: Value, map: string, at: number): Step => ({
  dst,
  uses: [],
  write: out => out.write(dst, r0, d => out.push(ldMapValue(d, map, at))),
})

/** A pointer, made in a block. */
export interface Made {
  readonly block: IrBlock
  readonly value: Value
  /** How far behind it the offset is that it stands for. */
  readonly ahead: number
  /** Nothing is gained by its being just there. */
  readonly isAny?: boolean
}

/** Pointers made so far, by what they point to; each is good in the blocks its own dominates. */
export class Pointers {
  private readonly made = new Map<string, Made[]>()
  private readonly dominates: (a: IrBlock, b: IrBlock) => boolean

  constructor(dominates: (a: IrBlock, b: IrBlock) => boolean) {
    this.dominates = dominates
  }

  /** The pointer for `key` if there is one at `block`. */
  find(key: string, block: IrBlock): Made | undefined {
    return this.made.get(key)?.find(m => this.dominates(m.block, block))
  }

  get(key: string, block: IrBlock): Value | undefined {
    return this.find(key, block)?.value
  }

  /** Whether the pointer there is one made in another block. */
  isMadeAbove(key: string, block: IrBlock): boolean {
    const first = this.find(key, block)
    return first !== undefined && first.block !== block
  }

  add(key: string, made: Made): void {
    const list = this.made.get(key)
    if (list) list.push(made)
    else this.made.set(key, [made])
  }
}

/**
 * For each object and offset value of a function, the furthest byte that accesses reach from there: its own, and those
 * of phis that may get their pointer from it.
 */
export function extents(blocks: readonly IrBlock[], isForgotten: Forgotten): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  const raise = (key: string, end: number): boolean => {
    if ((ends.get(key) ?? 0) >= end) return false
    ends.set(key, end)
    return true
  }
  const phis: Instr[] = []
  const objects = new Set<string>()
  for (const block of blocks)
    for (const i of block.instrs) {
      if (i.op === 'phi' && i.type === 'i32' && !isForgotten(i)) phis.push(i)
      if (i.op !== 'state.load' && i.op !== 'state.store') continue
      objects.add(String(i.attrs.object))
      raise(stateKey(i), Number(i.attrs.offset) + Number(i.attrs.width))
    }
  // Phis that are not forgotten are in no cycle, so that this ends.
  for (let changed = true; changed;) {
    changed = false
    for (const phi of phis)
      for (const object of objects) {
        const end = ends.get(pointerKey(object, phi))
        if (end === undefined) continue
        for (const a of phi.args) {
          const { base, offset } = sumOf(a)
          const key = pointerKey(object, base)
          const isPhi = base === a && a.op === 'phi' && !isForgotten(a)
          if ((isPhi || ends.has(key)) && raise(key, offset + end)) changed = true
        }
      }
  }
  return ends
}

/** An offset as a value and a constant. */
export function sumOf(i: Instr): { readonly base: Instr; readonly offset: number } {
  const [a, b] = i.args
  return i.op === 'add' && b.op === 'const' && BigInt(b.attrs.value) < 0x7fff_ffffn
    ? { base: a, offset: Number(b.attrs.value) }
    : { base: i, offset: 0 }
}

export const pointerKey = (object: string, at: Instr): string => `${object} ${at.id}`
export const stateKey = (i: Instr): string => pointerKey(String(i.attrs.object), i.args[0])
export { valuesIn }
