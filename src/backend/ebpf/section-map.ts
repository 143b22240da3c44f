// The map of a shared state's locks: a gate, what each CPU is about, and the stripes of keys; and how code finds its CPU's
// area. Read section.ts first, which says what they are for.

import { alu64, call, jgt, ldMapValue, ldx, r0, r1, r3, r7 } from './asm.js'
import type { Code, Label, Register } from './asm.js'
import { noteCode } from './evidence.js'
import type { MapDeclaration } from './maps.js'

/** The map of lock words. */
export const sectionMap = '.section'
/** The calls that packet functions make. */
export const [lockCall, aloneCall] = ['shared.lock', 'shared.alone']
export const isSectionCall = (callee: string): boolean => callee === lockCall || callee === aloneCall
/** Names of the parameters of the functions they call; undefined for other functions. */
export const sectionParameters = (name: string): readonly string[] | undefined =>
  name === lockCall ? ['hash'] : name === aloneCall ? [] : undefined

const line = 64
/** Byte offsets in the map's value; every word is in a cache line of its own. */
export const place = { program: 0, gate: line, areas: 2 * line } as const
/** Byte offsets in the area of a CPU. */
export const area = {
  /** u32: 1 while it is inside a packet, or about to be. */
  inside: 0,
  /** u32: 1 while it is alone, with the program lock and a closed gate. */
  alone: 4,
  /** u32: number of the stripe held, from 1; 0 for none. */
  stripe: 8,
  /** u32: the packet is to begin again, or, if it is 2, it waited in vain. */
  again: 12,
  /** u64: the packet's time, ns since the run's start. */
  time: 16,
  /** u32: number of the stripe that was taken last, from 1. */
  key: 24,
  /** Checking builds only: u32 commit numbers, drawn while others were kept out, and at the packet's beginning. */
  order: 28,
  begin: 32,
  /** Checking builds only: where was added to (u32), what was there and what was added (u64). */
  place: 36,
  before: 40,
  amount: 48,
  /** u64: the packet's number. */
  sequence: 56,
} as const
/** Byte offsets in a stripe: u32 lock, u64 time of the packet that held it last. */
export const stripe = { lock: 0, time: 8 } as const
export const stripeBits = 10
export const again = { anew: 1, inVain: 2 } as const

export const stripesAt = (cpus: number): number => place.areas + line * cpus

export const sectionDeclaration = (cpus: number): MapDeclaration => ({
  name: sectionMap,
  valueSize: stripesAt(cpus) + line * 2 ** stripeBits,
  valueType: btf => btf.array(btf.unsigned(8), (stripesAt(cpus) + line * 2 ** stripeBits) / 8),
})

/** register = this CPU's area; r0 to r5 are lost. */
const findAreaIn = (register: Register, cpus: number, trap: Label): Code => [
  call('smp_processor_id'),
  jgt.imm(r0, cpus - 1, trap),
  alu64.lsh.imm(r0, 6),
  ldMapValue(register, sectionMap, place.areas),
  alu64.add.reg(register, r0),
]
export const findArea = (cpus: number, trap: Label): Code => findAreaIn(r7, cpus, trap)

/** d = the time or the number of this CPU's packet; r0 to r5 are lost. */
export const fromArea = (what: 'time' | 'sequence', d: Register, cpus: number, trap: Label): Code => [
  ...findAreaIn(r1, cpus, trap),
  ldx.dw(d, r1, area[what]),
]

/** Keeps what an addition found for the evidence: its place, the number before and what was added, in three slots of the stack. */
export const noteAddition = (slots: number, cpus: number, trap: Label): Code => [
  ...findAreaIn(r3, cpus, trap),
  ...noteCode(slots, r3, area),
]
