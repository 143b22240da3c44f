// The code of a sequencer around `extract`. Read sequencer.ts first.
//
// Registers: r6 the context, r7 the packet's number, r8 the runtime's map and then the effect bit, r9 the sequencer's
// map. Nothing is undone but the number, where there turns out to be no room for the header.

import { chunksOf } from '../../analysis/item.js'
import { history, historyEtherType, outerBytes } from '../../wire/history.js'
import {
  alu64,
  be16,
  be32,
  be64,
  call,
  callLocal,
  exit,
  fp,
  isLabel,
  ja,
  jge,
  jgt,
  jlt,
  jne,
  label,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r4,
  r5,
  r6,
  r7,
  r8,
  r9,
  st,
  stx,
} from './asm.js'
import type { Code, Item, Register } from './asm.js'
import { verdictNames } from './entry.js'
import type { FrameShape } from './frame.js'
import { sizeOf } from './memory.js'
import type { CompiledFunction } from './program.js'
import { intoQueue } from './queues.js'
import { writeEntry } from './ring.js'
import {
  kept,
  progressMap,
  sequencerCounters,
  sequencerMap,
  workerEntry as entryOf,
} from './sequencer-map.js'
import type { RingPlaces, SequencerCounter, SequencerOptions } from './sequencer-map.js'
import { mapNames, runtime } from './target.js'

/** Bytes of the entry's stack frame, as the kernel rounds. */
export const entryStack = 32

const drop = verdictNames.indexOf('drop')
/** Offsets in struct xdp_md. */
const context = { data: 0, dataEnd: 4, ingress: 12, queue: 16 } as const
/** For what cannot happen, but the verifier does not know. */
const never = label('entry.never')
const noRoom = label('entry.headroom')

/**
 * The code of `extract` in place, with its stack; r8 = the effect bit. A call's return is dear where processors are not
 * trusted.
 */
export function extractInside({ code, stack }: Pick<CompiledFunction, 'code' | 'stack'>): Code {
  const at = -8 * (Math.ceil(stack / 8) + 1)
  const extracted = label('entry.extracted')
  const isExit = (item: Item): boolean => !isLabel(item) && item.code === exit().code
  const written = new Set(code.flatMap(item => (isLabel(item) ? [] : [item.dst])))
  const ifWritten = (register: Register, restore: Code): Code => (written.has(register) ? restore : [])
  return [
    ...ifWritten(r6, [stx.dw(fp, at, r6)]),
    mov64.reg(r1, r6),
    ...code.flatMap((item, k) => (!isExit(item) ? [item] : k < code.length - 1 ? [ja(extracted)] : [])),
    extracted,
    mov64.reg(r8, r0),
    ...ifWritten(r6, [ldx.dw(r6, fp, at)]),
    ...ifWritten(r9, [ldMapValue(r9, sequencerMap)]),
    ...ifWritten(r7, [ldMapValue(r7, mapNames.runtime), ldx.dw(r7, r7, runtime.sequence)]),
  ]
}

/** The program that packets go through; `extract` is how the item gets to its place, and the effect bit into r8. */
export function packetEntry(options: SequencerOptions, at: RingPlaces, extract: Code): Code {
  const { frame, workers, queue, clock, timed = true, hasBegun = false, record, ring } = options
  const admitted = label('entry.admitted')
  const hasItems = frame.slots > 0 || ring !== undefined
  return [
    label('entry'),
    mov64.reg(r6, r1),
    ldMapValue(r9, sequencerMap),
    ...(queue === undefined
      ? []
      : [ldx.w(r2, r6, context.queue), jne.imm(r2, queue, label('entry.otherQueue'))]),
    ldMapValue(r8, mapNames.runtime),
    ldx.dw(r7, r8, runtime.sequence),
    ...worker(workers),
    ldx.dw(r2, r3, kept.workers + entryOf.limit),
    jlt.reg(r7, r2, admitted),
    callLocal(label('credit')),
    jge.reg(r7, r0, label('entry.workerQueue')),
    admitted,
    alu64.add.imm(r7, 1),
    stx.dw(r8, runtime.sequence, r7),
    ...(clock === 'given' ? [] : [...(timed ? time(clock, hasBegun) : []), ...properties(options)]),
    ...extract,
    ...(record === undefined ? [] : [mov64.reg(r1, r6), mov64.reg(r2, r7), callLocal(label('record'))]),
    ...room(frame),
    ...header(frame, false),
    ...(ring ? writeEntry(ring, at.item) : hasItems ? [...copyRing(frame, at), ...renew(frame, at)] : []),
    ...send(options),
    noRoom,
    // The number goes to the next packet.
    ldMapValue(r8, mapNames.runtime),
    alu64.add.imm(r7, -1),
    stx.dw(r8, runtime.sequence, r7),
    ...count('headroom'),
    label('entry.workerQueue'),
    ...count('workerQueue'),
    ...(queue === undefined ? [] : [label('entry.otherQueue'), ...count('otherQueue')]),
    never,
    mov64.imm(r0, drop),
    exit(),
  ]
}

/** The program that makes frames without a packet: one for the worker whose turn it is. */
export function flushEntry(options: SequencerOptions, at: RingPlaces): Code {
  const { frame } = options
  return [
    label('entry'),
    mov64.reg(r6, r1),
    ldMapValue(r9, sequencerMap),
    ldMapValue(r8, mapNames.runtime),
    ldx.dw(r7, r8, runtime.sequence),
    alu64.add.imm(r7, 1),
    ...room(frame),
    ...header(frame, true),
    ...(frame.slots > 0 ? copyRing(frame, at) : []),
    ...send(options),
    noRoom,
    never,
    mov64.imm(r0, drop),
    exit(),
  ]
}

/** r1 = whose turn it is; r3 + `kept.workers` = what that worker has. */
const worker = (workers: number): Code => [
  ldx.dw(r1, r9, kept.turn),
  jgt.imm(r1, workers - 1, never),
  mov64.reg(r3, r1),
  alu64.lsh.imm(r3, Math.log2(entryOf.stride)),
  alu64.add.reg(r3, r9),
]

/** The time into the runtime's map. Unless it has begun, the run begins with its first packet. */
function time(clock: 'exact' | 'coarse', hasBegun: boolean): Code {
  const begun = label('entry.begun')
  return [
    call(clock === 'coarse' ? 'ktime_get_coarse_ns' : 'ktime_get_ns'),
    ...(hasBegun ? [] : [jne.imm(r7, 1, begun), stx.dw(r8, runtime.start, r0), begun]),
    ldx.dw(r1, r8, runtime.start),
    alu64.sub.reg(r0, r1),
    stx.dw(r8, runtime.timestamp, r0),
  ]
}

/** Device and length likewise, where somebody asks. */
const properties = ({ placed = true, measured = true }: SequencerOptions): Code => [
  ...(placed ? [ldx.w(r1, r6, context.ingress), stx.w(r8, runtime.device, r1)] : []),
  ...(measured
    ? [
        ldx.w(r1, r6, context.dataEnd),
        ldx.w(r2, r6, context.data),
        alu64.sub.reg(r1, r2),
        stx.w(r8, runtime.originalLength, r1),
      ]
    : []),
]

/** r2 = the frame's first byte, with the header's bytes in front of the packet. */
const room = ({ packet }: FrameShape): Code => [
  mov64.reg(r1, r6),
  mov64.imm(r2, -packet),
  call('xdp_adjust_head'),
  jne.imm(r0, 0, noRoom),
  ldx.w(r2, r6, context.data),
  ldx.w(r3, r6, context.dataEnd),
  mov64.reg(r1, r2),
  alu64.add.imm(r1, packet),
  jgt.reg(r1, r3, noRoom),
]

const swapped = (n: number): number => ((n & 0xff) << 8) | (n >> 8)
const flushFlag = 8

/** Writes the header at r2, but for the items. r4 = the slot of the oldest item. */
function header(frame: FrameShape, flush: boolean): Code {
  const { outer, slots, versionAndFlags, effects, timestamp, device, originalLength } = frame
  const flags = versionAndFlags | (flush ? flushFlag : 0)
  const hasProperties = timestamp >= 0 || device >= 0 || originalLength >= 0
  return [
    ...(outer > 0
      ? [
          ldx.dw(r1, r9, kept.outer),
          stx.dw(r2, 0, r1),
          ldx.w(r1, r9, kept.outer + 8),
          stx.w(r2, 8, r1),
          st.h(r2, outerBytes - 2, swapped(historyEtherType)),
          // The source address ends in the worker's number: something a NIC can tell frames apart by.
          ldx.dw(r1, r9, kept.turn),
          stx.b(r2, outerBytes - 3, r1),
        ]
      : []),
    mov64.reg(r1, r7),
    be32(r1),
    stx.w(r2, outer, r1),
    st.h(r2, outer + 4, flags | (slots << 8)),
    ldx.dw(r4, r9, kept.index),
    stx.b(r2, outer + history.headerBytes - 1, r4),
    ...(slots > 0 ? [ldx.dw(r1, r9, kept.effects), ...lowBytes(r1, effects, Math.ceil(slots / 8))] : []),
    ...(hasProperties ? [ldMapValue(r5, mapNames.runtime)] : []),
    ...(timestamp < 0
      ? []
      : [
          ldx.dw(r1, r5, runtime.timestamp),
          alu64.lsh.imm(r1, 16),
          be64(r1),
          stx.w(r2, timestamp, r1),
          alu64.rsh.imm(r1, 32),
          stx.h(r2, timestamp + 4, r1),
        ]),
    ...(device < 0 ? [] : [ldx.w(r1, r5, runtime.device), be16(r1), stx.h(r2, device, r1)]),
    ...(originalLength < 0
      ? []
      : [ldx.w(r1, r5, runtime.originalLength), be32(r1), stx.w(r2, originalLength, r1)]),
  ]
}

/** Stores the low bytes of a register at r2 + offset; the register is lost. */
function lowBytes(from: Register, at: number, bytes: number): Code {
  return chunksOf(0, bytes).flatMap(({ byte, width }) => [
    stx[sizeOf(width)](r2, at + byte, from),
    ...(byte + width < bytes ? [alu64.rsh.imm(from, 8 * width)] : []),
  ])
}

/** The ring's items into the header at r2, as they stand. */
const copyRing = ({ slots, itemBytes, items }: FrameShape, { ring }: RingPlaces): Code =>
  chunksOf(0, slots * itemBytes).flatMap(({ byte, width }) => [
    ldx[sizeOf(width)](r1, r9, ring + byte),
    stx[sizeOf(width)](r2, items + byte, r1),
  ])

/** The packet's own item takes the place of the oldest, whose slot is r4. r8 is the effect bit. */
function renew({ slots, itemBytes }: FrameShape, { item, ring }: RingPlaces): Code {
  const [renewed, wrapped] = [label('entry.renewed'), label('entry.next')]
  return [
    jge.imm(r4, slots, never),
    mov64.imm(r5, 1),
    alu64.lsh.reg(r5, r4),
    ldx.dw(r2, r9, kept.effects),
    alu64.or.reg(r2, r5),
    jne.imm(r8, 0, label('entry.effect')),
    alu64.xor.reg(r2, r5),
    ja(renewed),
    label('entry.effect'),
    mov64.reg(r3, r4),
    alu64.mul.imm(r3, itemBytes),
    alu64.add.reg(r3, r9),
    ...chunksOf(0, itemBytes).flatMap(({ byte, width }) => [
      ldx[sizeOf(width)](r1, r9, item + byte),
      stx[sizeOf(width)](r3, ring + byte, r1),
    ]),
    renewed,
    stx.dw(r9, kept.effects, r2),
    alu64.add.imm(r4, 1),
    jlt.imm(r4, slots, wrapped),
    mov64.imm(r4, 0),
    wrapped,
    stx.dw(r9, kept.index, r4),
  ]
}

/** To the worker whose turn it is; the next one is next. */
function send({ workers, layers }: SequencerOptions): Code {
  const turned = label('entry.turned')
  return [
    ...worker(workers),
    ldx.w(r2, r3, kept.workers + entryOf.cpu),
    ...(layers > 1 ? [ldx.w(r4, r3, kept.workers + entryOf.layer)] : []),
    alu64.add.imm(r1, 1),
    jlt.imm(r1, workers, turned),
    mov64.imm(r1, 0),
    turned,
    stx.dw(r9, kept.turn, r1),
    ...intoQueue(layers),
  ]
}

function count(name: SequencerCounter): Code {
  const at = kept.counters + 8 * sequencerCounters.indexOf(name)
  return [ldx.dw(r1, r9, at), alu64.add.imm(r1, 1), stx.dw(r9, at, r1), mov64.imm(r0, drop), exit()]
}

/** credit(worker): the last number that may now be given to a packet of that worker, which is noted. */
export function creditFunction({ workers, credit }: SequencerOptions): Code {
  const found = label('credit.found')
  return [
    label('credit'),
    ...Array.from({ length: workers }, (_, w) => {
      const next = label(`credit.not${w}`)
      return [
        jne.imm(r1, w, next),
        ldMapValue(r2, progressMap(w)),
        ldx.dw(r0, r2, runtime.sequence),
        ldMapValue(r3, sequencerMap, kept.workers + w * entryOf.stride + entryOf.limit),
        ja(found),
        next,
      ]
    }).flat(),
    mov64.imm(r0, 0),
    exit(),
    found,
    alu64.add.imm(r0, credit),
    stx.dw(r3, 0, r0),
    exit(),
  ]
}
