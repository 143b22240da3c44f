// Look-ups in rule tables that are maps of the kernel's own (state/kernel-map.ts).
//
// A look-up leaves a pointer to the value, or 0. The verifier lets loads through it only where it was compared with 0
// in 64 bits, so that is how a test of the entry is written. What the program redirects through such a map is told in
// the verdict, and done by what stands before the program (entry.ts), because only the last redirect counts.

import type { DominatorTree } from '../../analysis/dominators.js'
import type { Block as IrBlock, Instr } from '../../ir/types.js'
import { leavesOf } from '../../state/declaration.js'
import type { KernelMap } from '../../state/kernel-map.js'
import { keyBits } from '../../state/kernel-map.js'
import {
  alu32,
  alu64,
  be16,
  be32,
  be64,
  call,
  fp,
  ja,
  jeq,
  jle,
  jne,
  ldMap,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  st,
  stx,
} from './asm.js'
import type { Item } from './asm.js'
import { sizeOf } from './memory.js'
import { valuesIn } from './machine.js'
import type { Condition, Operand, Step, Value } from './machine.js'

/** pointer = the value under a key, or 0. `leaves`: the key's, in order. */
export function lookupStep(pointer: Value, map: KernelMap, leaves: readonly Operand[]): Step {
  return {
    dst: pointer,
    uses: valuesIn(leaves),
    call: true,
    write(out) {
      const key = out.area(Math.ceil(map.keySize / 8))
      if (map.kind === 'lpm') out.push(st.w(fp, key, keyBits(map)))
      let next = 0
      for (const field of map.key)
        for (const leaf of leavesOf(field)) {
          out.into(r0, leaves[next++])
          if (map.networkOrder) out.push(...swapped(r0, leaf.width))
          out.push(...pieces(key + field.offset + leaf.offset, leaf.width))
        }
      out.push(mov64.reg(r2, fp), alu64.add.imm(r2, key), ldMap(r1, map.name), call('map_lookup_elem'))
      out.write(pointer, r0, d => (d === r0 ? undefined : out.push(mov64.reg(d, r0))))
    },
  }
}

/** Stores the low `width` bytes of r0; the verifier wants every access to the stack aligned. */
function pieces(at: number, width: number): Item[] {
  const code: Item[] = []
  for (let left = width; left > 0;) {
    const from = at + width - left
    const size = [8, 4, 2, 1].find(s => s <= left && from % s === 0)!
    code.push(stx[sizeOf(size)](fp, from, r0))
    left -= size
    if (left > 0) code.push(alu64.rsh.imm(r0, 8 * size))
  }
  return code
}

/** Turns the low `width` bytes of a register round. */
const swapped = (register: number, width: number): Item[] =>
  width === 1 ? [] : [(width === 2 ? be16 : width === 4 ? be32 : be64)(register)]

/** dst = 1 if there is an entry, else 0. */
export function presence(dst: Value, pointer: Value): Step {
  return {
    dst,
    uses: [pointer],
    write(out) {
      const [absent, end] = [out.label(), out.label()]
      out.push(jeq.imm(out.read(pointer, r0), 0, absent))
      out.write(dst, r0, d => out.push(mov64.imm(d, 1)))
      out.push(ja(end), absent)
      out.write(dst, r0, d => out.push(mov64.imm(d, 0)))
      out.push(end)
    },
  }
}

/** Whether there is an entry (`wanted`) or none, as a condition. */
export const isPresent = (pointer: Value, wanted: boolean): Condition => ({
  uses: [pointer],
  jump: (out, target, sense) => {
    out.push((sense === wanted ? jne : jeq).imm(out.read(pointer, r0), 0, target))
  },
})

/** dst = a leaf of the value; 0 where nothing has `proved` that there is one, and there is none. */
export function valueLoad(dst: Value, pointer: Value, i: Instr, map: KernelMap, proved: boolean): Step {
  const field = map.value.find(f => f.name === i.attrs.field)
  if (!field) throw new Error(`${map.name} has no field ${String(i.attrs.field)}`)
  const { offset, width } = leavesOf(field)[Number(i.attrs.part)]
  const isText = field.type === 'ipv6' || field.type === 'bytes'
  return {
    dst,
    uses: [pointer],
    write(out) {
      out.write(dst, r0, d => {
        const p = out.read(pointer, r1)
        const load = [ldx[sizeOf(width)](d, p, field.offset + offset), ...(isText ? swapped(d, width) : [])]
        if (proved) return out.push(...load)
        const [absent, end] = [out.label(), out.label()]
        out.push(jeq.imm(p, 0, absent), ...load, ja(end), absent, mov64.imm(d, 0), end)
      })
    },
  }
}

/** Whether a comparison asks if `entry` is there: the sense in which it does. */
export function presenceTest(c: Instr, entry: Instr): boolean | undefined {
  const [a, b] = c.args
  if ((c.op !== 'eq' && c.op !== 'ne') || a !== entry || b.op !== 'const' || BigInt(b.attrs.value) !== 0n)
    return undefined
  return c.op === 'ne'
}

/** Whether control comes to a block only where `entry` was found. */
export function isProved(entry: Instr, block: IrBlock, tree: DominatorTree): boolean {
  for (let b: IrBlock | undefined = block; b; b = tree.parent(b)) {
    if (b.preds.length !== 1) continue
    const { term } = b.preds[0]
    if (term.op !== 'branch' || term.targets[0] === term.targets[1]) continue
    const sense = presenceTest(term.cond, entry)
    if (sense !== undefined && sense === (term.targets[0] === b)) return true
  }
  return false
}

/** How a verdict says that a packet goes through a map: bits of the u32, above XDP_REDIRECT in the low 8. */
export const targetVerdict = {
  /** The index, 16 bits; all ones where it does not fit, which no map has. */
  index: 8,
  /** The verdict if nothing is there, 2 bits. */
  missing: 24,
  /** Which of the maps, 5 bits. */
  map: 26,
  flag: 31,
} as const
export const mostTargetMaps = 32

/** Maps that packets are redirected through, in the order that verdicts number them. */
export const targetMaps = (tables: readonly KernelMap[]): KernelMap[] =>
  tables.filter(t => t.kind === 'devices' || t.kind === 'sockets').slice(0, mostTargetMaps)

/** dst = the verdict that redirects through `map`. */
export function redirectStep(dst: Value, map: number, index: Operand, missing: bigint): Step {
  const rest = 4n | (missing << BigInt(targetVerdict.missing)) | (BigInt(map) << BigInt(targetVerdict.map))
  const low = Number(BigInt.asIntN(32, rest | (1n << BigInt(targetVerdict.flag))))
  return {
    dst,
    uses: valuesIn([index]),
    write(out) {
      const small = out.label()
      out.into(r0, index)
      out.push(jle.imm(r0, 0xffff, small), mov64.imm(r0, 0xffff), small)
      out.push(alu64.lsh.imm(r0, targetVerdict.index), alu32.or.imm(r0, low))
      out.write(dst, r0, d => (d === r0 ? undefined : out.push(mov64.reg(d, r0))))
    },
  }
}
