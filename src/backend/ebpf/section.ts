// One state for all CPUs without one lock: packets are *inside* together, and whoever changes a table's shape is alone.
//
// A function before the packet function marks its CPU as inside and looks at a gate; the packet function calls
// `shared.lock(hash)` for the stripe of its key and `shared.alone()` before it inserts (transform/expand/shared.ts makes
// the calls, docs/decisions/0258 the argument). Locks are words of memory, not the kernel's spin locks: those forbid
// helpers, keep their map from being mapped, and must be given up on the path that took them. XDP programs run with
// bottom halves off, so a CPU is in one packet at a time and a holder goes on; whoever waits spins, and the kernel bounds
// that (may_goto): a packet that waited in vain is aborted and nothing is changed.
//
// The time of a packet is read before its lock is taken. Where the stripe was held at a later time meanwhile, the packet
// gives everything up and begins again with a new time, so that time does not step back under a key; `mayRepeat` says of
// which programs that goes unnoticed. Read program.ts, target.ts and locked.ts first; the words are laid out in section-map.ts.

import { blockOf } from '../../analysis/cfg.js'
import { dominators } from '../../analysis/dominators.js'
import { mayFollow } from '../../analysis/sharing.js'
import { opInfo } from '../../ir/ops.js'
import type { Func, Instr } from '../../ir/types.js'
import {
  alu32,
  alu64,
  atomic,
  call,
  callLocal,
  exit,
  ja,
  jeq,
  jge,
  jgt,
  jne,
  label,
  ldMapValue,
  ldx,
  mayGoto,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r6,
  r7,
  r8,
  r9,
  st,
  stx,
} from './asm.js'
import type { Code, Label, Register } from './asm.js'
import { draw, evidenceCode } from './evidence.js'
import type { CompiledFunction } from './program.js'
import {
  again,
  aloneCall,
  area,
  findArea,
  lockCall,
  place,
  sectionMap,
  stripe,
  stripeBits,
  stripesAt,
} from './section-map.js'
import { mapNames, runtime } from './target.js'

export const sectionName = 'section'
/** Bytes of stack that the function before the packet function takes, and one that it calls, as the kernel rounds. */
export const sectionFrame = 64

export interface SectionOptions {
  readonly cpus: number
  /** Packets have times from the kernel's clock, kept in the CPU's area. */
  readonly time: boolean
  /** Packets have numbers, drawn when they begin. */
  readonly numbers: boolean
  /** Evidence of the order of packets is kept, for tests. */
  readonly checking?: boolean
  /** Stores are seen in order by other CPUs, as x86 promises; otherwise locks are given up by an exchange. */
  readonly ordered: boolean
  /** Leaves out the locks of keys: tests show what they are for. */
  readonly broken?: boolean
}

/**
 * Whether a packet function can begin again at its lock: nothing that others see precedes the call that takes it. Later
 * calls find it taken; and to be alone comes before the packet touches anything under its key (expand/shared.ts).
 */
export function mayRepeat(main: Func): boolean {
  const tree = dominators(main)
  const places = blockOf(main)
  const all = main.blocks.flatMap(b => b.instrs)
  const locks = all.filter(i => i.op === 'call' && i.attrs.callee === lockCall)
  const isBefore = (a: Instr, b: Instr): boolean => {
    const [here, there] = [places.get(a)!, places.get(b)!]
    return here === there ? here.instrs.indexOf(a) < here.instrs.indexOf(b) : tree.dominates(here, there)
  }
  const seen = all.filter(i => ['packet.write', 'counter', 'state.write'].includes(opInfo(i.op).effect))
  return seen.every(i => locks.some(l => isBefore(l, i)) || locks.every(l => !mayFollow(places, i, l)))
}

/** Takes the lock word at the register; r0 and r1 are lost. To `failed` if the kernel ends the wait. */
function take(word: Register, name: string, failed: Label): Code {
  const spin = label(name)
  return [
    spin,
    mayGoto(failed),
    ldx.w(r0, word, 0),
    jne.imm(r0, 0, spin),
    mov64.imm(r1, 1),
    atomic.xchg('w', word, 0, r1),
    jne.imm(r1, 0, spin),
  ]
}

/** Gives a lock word up; r1 is lost. */
const give = (word: Register, offset: number, ordered: boolean): Code =>
  ordered ? [st.w(word, offset, 0)] : [mov64.imm(r1, 0), atomic.xchg('w', word, offset, r1)]

/** Begins again if the stripe at `word` was held at a later time; otherwise it was last held now. */
const keepTime = (word: Register, name: string, late: Label): Code => {
  const fine = label(name)
  return [
    ldx.dw(r0, word, stripe.time),
    ldx.dw(r1, r7, area.time),
    jge.reg(r1, r0, fine),
    ja(late),
    fine,
    stx.dw(word, stripe.time, r1),
  ]
}

const drawn = (checking: boolean): Code => (checking ? [...draw(r0), stx.w(r7, area.order, r0)] : [])

const answer = (name: string, value: number): Code => [label(name), mov64.imm(r0, value), exit()]

/** r9 = the stripe whose number, from 0, is in the register. */
const stripeAt = (register: Register, cpus: number): Code => [
  alu64.and.imm(register, 2 ** stripeBits - 1),
  alu64.lsh.imm(register, 6),
  ldMapValue(r9, sectionMap, stripesAt(cpus)),
  alu64.add.reg(r9, register),
]

/** shared.lock(hash): takes the stripe of a key unless the packet holds one or is alone. 1 if it is to leave. */
function lockFunction({ cpus, time, checking = false, broken = false }: SectionOptions): Code {
  const [held, leave, late, vain] = ['held', 'leave', 'late', 'vain'].map(n => label(`lock.${n}`))
  return [
    label(lockCall),
    mov64.reg(r6, r1),
    ...findArea(cpus, leave),
    ldx.w(r1, r7, area.stripe),
    jne.imm(r1, 0, held),
    ldx.w(r1, r7, area.alone),
    jne.imm(r1, 0, held),
    // Fibonacci hashing: the top bits of the product, which neighbouring numbers fill evenly.
    alu32.mul.imm(r6, -1_640_531_535),
    alu32.rsh.imm(r6, 32 - stripeBits),
    mov64.reg(r8, r6),
    alu64.add.imm(r8, 1),
    ...stripeAt(r6, cpus),
    ...(broken ? [] : take(r9, 'lock.spin', vain)),
    stx.w(r7, area.stripe, r8),
    stx.w(r7, area.key, r8),
    ...(time ? keepTime(r9, 'lock.fine', late) : []),
    ...drawn(checking),
    ...answer('lock.held', 0),
    ...(time ? [late, st.w(r7, area.again, again.anew), ja(leave)] : []),
    ...(broken ? [] : [vain, st.w(r7, area.again, again.inVain)]),
    ...answer('lock.leave', 1),
  ]
}

/** shared.alone(): gives the stripe up, waits until no other CPU is inside, keeps them out. 1 if the packet is to leave. */
function aloneFunction({ cpus, time, checking = false, ordered }: SectionOptions): Code {
  const [done, leave, late, vain, gone, each, wait, none, unkeyed] = [
    'done',
    'leave',
    'late',
    'vain',
    'gone',
    'each',
    'wait',
    'none',
    'unkeyed',
  ].map(n => label(`alone.${n}`))
  return [
    label(aloneCall),
    ...findArea(cpus, leave),
    ldx.w(r1, r7, area.alone),
    jne.imm(r1, 0, done),
    ldx.w(r6, r7, area.stripe),
    jeq.imm(r6, 0, none),
    alu64.sub.imm(r6, 1),
    ...stripeAt(r6, cpus),
    ...give(r9, stripe.lock, ordered),
    st.w(r7, area.stripe, 0),
    none,
    ...give(r7, area.inside, ordered),
    ldMapValue(r8, sectionMap, place.program),
    ...take(r8, 'alone.spin', vain),
    st.w(r7, area.alone, 1),
    mov64.imm(r1, 1),
    atomic.xchg('w', r8, place.gate, r1),
    mov64.imm(r6, 0),
    each,
    mayGoto(gone),
    jge.imm(r6, cpus, gone),
    mov64.reg(r2, r6),
    alu64.and.imm(r2, 0xffff),
    jgt.imm(r2, cpus - 1, gone),
    alu64.lsh.imm(r2, 6),
    ldMapValue(r3, sectionMap, place.areas),
    alu64.add.reg(r3, r2),
    wait,
    mayGoto(vain),
    ldx.w(r0, r3, area.inside),
    jne.imm(r0, 0, wait),
    alu64.add.imm(r6, 1),
    ja(each),
    gone,
    jge.imm(r6, cpus, unkeyed),
    ja(vain),
    unkeyed,
    ...(time ? [ldx.w(r6, r7, area.key), alu64.sub.imm(r6, 1), ...stripeAt(r6, cpus)] : []),
    ...(time ? keepTime(r9, 'alone.fine', late) : []),
    ...drawn(checking),
    ...answer('alone.done', 0),
    ...(time ? [late, st.w(r7, area.again, again.anew), ja(leave)] : []),
    vain,
    st.w(r7, area.again, again.inVain),
    ...answer('alone.leave', 1),
  ]
}

/** The functions of a program, `main` first, with what brings packets inside before them. */
export function inSection(
  functions: readonly CompiledFunction[],
  main: Func,
  options: SectionOptions,
): readonly CompiledFunction[] {
  const { cpus, time, numbers, checking = false, ordered } = options
  const calls = (name: string): boolean =>
    main.blocks.some(b => b.instrs.some(i => i.op === 'call' && i.attrs.callee === name))
  const name = (n: string): Label => label(`section.${n}`)
  const [begin, enter, shut, inside, together, unlocked, out, over, vain, trap] = [
    'begin',
    'enter',
    'shut',
    'inside',
    'together',
    'unlocked',
    'out',
    'over',
    'vain',
    'trap',
  ].map(name)
  const code: Code = [
    label(sectionName),
    mov64.reg(r6, r1),
    ...findArea(cpus, trap),
    ...(numbers ? drawNumber : []),
    begin,
    mayGoto(trap),
    enter,
    // An exchange, so that the mark is seen before the gate is looked at.
    mov64.imm(r1, 1),
    atomic.xchg('w', r7, area.inside, r1),
    ldMapValue(r2, sectionMap, place.gate),
    ldx.w(r0, r2, 0),
    jeq.imm(r0, 0, inside),
    ...give(r7, area.inside, ordered),
    shut,
    mayGoto(trap),
    ldx.w(r0, r2, 0),
    jne.imm(r0, 0, shut),
    ja(enter),
    inside,
    ...(time ? readTime : []),
    ...(checking
      ? [...draw(r0), stx.w(r7, area.begin, r0), st.w(r7, area.order, 0), st.w(r7, area.place, 0)]
      : []),
    mov64.reg(r1, r6),
    callLocal(label('main')),
    mov64.reg(r8, r0),
    ...(checking ? evidenceCode(r6, r7, r8, area) : []),
    ldx.w(r0, r7, area.alone),
    jeq.imm(r0, 0, together),
    st.w(r7, area.alone, 0),
    ldMapValue(r2, sectionMap, place.program),
    ...give(r2, place.gate, ordered),
    ...give(r2, place.program, ordered),
    ja(out),
    together,
    ldx.w(r0, r7, area.stripe),
    jeq.imm(r0, 0, unlocked),
    alu64.sub.imm(r0, 1),
    ...stripeAt(r0, cpus),
    ...give(r9, stripe.lock, ordered),
    st.w(r7, area.stripe, 0),
    unlocked,
    ...give(r7, area.inside, ordered),
    out,
    ldx.w(r0, r7, area.again),
    jeq.imm(r0, 0, over),
    st.w(r7, area.again, 0),
    jeq.imm(r0, again.inVain, vain),
    ja(begin),
    over,
    mov64.reg(r0, r8),
    exit(),
    vain,
    mov64.imm(r0, 0),
    exit(),
    trap,
    mov64.imm(r0, 0),
    exit(),
  ]
  const own = (code: Code, of: string): CompiledFunction => ({
    name: of,
    code,
    stack: 0,
    largest: 1n,
  })
  return [
    // The packet function is verified by itself.
    { name: sectionName, code, stack: 0, largest: 0xffffffffn },
    ...functions,
    ...(calls(lockCall) ? [own(lockFunction(options), lockCall)] : []),
    ...(calls(aloneCall) ? [own(aloneFunction(options), aloneCall)] : []),
  ]
}

/** The packet's number, from 0, into the area in r7. */
const drawNumber: Code = [
  mov64.imm(r0, 1),
  ldMapValue(r1, mapNames.runtime, runtime.sequence),
  atomic.fetchAdd('dw', r1, 0, r0),
  alu64.add.imm(r0, 1),
  stx.dw(r7, area.sequence, r0),
]

/** The packet's time, ns since the run's start, into the area in r7. */
const readTime: Code = [
  call('ktime_get_ns'),
  ldMapValue(r1, mapNames.runtime, runtime.start),
  ldx.dw(r1, r1, 0),
  alu64.sub.reg(r0, r1),
  stx.dw(r7, area.time, r0),
]
