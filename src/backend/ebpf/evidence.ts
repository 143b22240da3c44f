// What packets of a checking build leave for whoever wants the order in which they happened (engine/commit-order.ts):
// a record each, in no particular order. For tests; section.ts says what stands in the area of a CPU.

import { alu64, atomic, fp, jgt, jne, label, ldMapValue, ldx, mov64, r0, r1, r2, r3, r4, stx } from './asm.js'
import type { Code, Register } from './asm.js'
import type { MapDeclaration } from './maps.js'

export const evidenceMap = '.evidence'
export const mostEvidence = 65_536
/** Byte offsets in its value: u64 records, u64 commit numbers given, then the records. */
export const evidence = { count: 0, commits: 8, first: 16, stride: 48 } as const
/** Byte offsets in a record: u32 packet (its first four bytes), verdict, begin, end, place; u64 before, amount and number. */
export const record = {
  packet: 0,
  verdict: 4,
  begin: 8,
  end: 12,
  place: 16,
  before: 24,
  amount: 32,
  sequence: 40,
} as const

export const evidenceDeclaration: MapDeclaration = {
  name: evidenceMap,
  valueSize: evidence.first + evidence.stride * mostEvidence,
  valueType: btf => btf.array(btf.unsigned(8), (evidence.first + evidence.stride * mostEvidence) / 8),
}

/** d = the next commit number, from 1; r1 is lost. */
export const draw = (d: Register): Code => [
  mov64.imm(d, 1),
  ldMapValue(r1, evidenceMap, evidence.commits),
  atomic.fetchAdd('dw', r1, 0, d),
  alu64.add.imm(d, 1),
]

interface Area {
  readonly order: number
  readonly begin: number
  readonly place: number
  readonly before: number
  readonly amount: number
  readonly again: number
  readonly sequence: number
}

/** From three slots of the stack, at this offset and the two above, into the area in a register; r0 is lost. */
export const noteCode = (slots: number, area: Register, at: Area): Code => [
  ldx.dw(r0, fp, slots),
  stx.w(area, at.place, r0),
  ldx.dw(r0, fp, slots + 8),
  stx.dw(area, at.before, r0),
  ldx.dw(r0, fp, slots + 16),
  stx.dw(area, at.amount, r0),
]

/** Leaves the record of a packet that is over, but not of one that begins again; r0 to r5 are lost. */
export function evidenceCode(context: Register, area: Register, verdict: Register, at: Area): Code {
  const [full, short, alone] = ['full', 'short', 'alone'].map(n => label(`evidence.${n}`))
  return [
    ldx.w(r0, area, at.again),
    jne.imm(r0, 0, full),
    mov64.imm(r0, 1),
    ldMapValue(r1, evidenceMap, evidence.count),
    atomic.fetchAdd('dw', r1, 0, r0),
    jgt.imm(r0, mostEvidence - 1, full),
    alu64.mul.imm(r0, evidence.stride),
    ldMapValue(r4, evidenceMap, evidence.first),
    alu64.add.reg(r4, r0),
    mov64.imm(r0, 0),
    ldx.w(r2, context, 0),
    ldx.w(r3, context, 4),
    mov64.reg(r1, r2),
    alu64.add.imm(r1, 4),
    jgt.reg(r1, r3, short),
    ldx.w(r0, r2, 0),
    short,
    stx.w(r4, record.packet, r0),
    stx.w(r4, record.verdict, verdict),
    ldx.w(r0, area, at.place),
    stx.w(r4, record.place, r0),
    ldx.dw(r0, area, at.before),
    stx.dw(r4, record.before, r0),
    ldx.dw(r0, area, at.amount),
    stx.dw(r4, record.amount, r0),
    ldx.dw(r0, area, at.sequence),
    stx.dw(r4, record.sequence, r0),
    // Alone, or with a key's lock, a packet has one moment; otherwise it lies between two numbers.
    ldx.w(r2, area, at.order),
    mov64.reg(r3, r2),
    jne.imm(r2, 0, alone),
    ldx.w(r2, area, at.begin),
    ...draw(r3),
    alone,
    stx.w(r4, record.begin, r2),
    stx.w(r4, record.end, r3),
    full,
  ]
}
