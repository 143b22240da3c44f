// What stands before a program whose packets carry their history (docs/history-format.md): it takes a frame apart,
// has `replay` apply the items, strips the header and calls the packet function on what is left.
//
//   entry    frame → checks → replay → header off → main → verdict
//
// A frame is believed only if it is what this build expects: long enough, of our version, with the program's
// properties and as many slots as there are other workers. Anything else is dropped and counted by reason, before
// the state is touched. So is a frame that was handled before, and one that has lost more packets before it than it
// has items: then nothing more gets a verdict here, because the state would be wrong. Registers: r6 the context,
// r7 the frame's first byte, r8 its end, r9 the runtime's map. Read replay.ts and entry.ts as well.

import {
  alu32,
  alu64,
  be16,
  be32,
  call,
  callLocal,
  exit,
  ja,
  jeq,
  jge,
  jgt,
  jlt,
  jne,
  jset,
  jsgt,
  jslt,
  label,
  ldImm64,
  ldMapValue,
  ldx,
  mov32,
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
  stx,
} from './asm.js'
import type { Code, Item, Register } from './asm.js'
import { history, historyEtherType, historyLayout, outerBytes, writeHistory } from '../../wire/history.js'
import type { HistoryFormat } from '../../wire/history.js'
import { verdictNames, verdictsMap } from './entry.js'
import { perCpuType } from './map-types.js'
import type { MapDeclaration } from './maps.js'
import { mapNames, runtime } from './target.js'

/** Slots that an effect bitmap in one register has. */
export const maxSlots = 63
/** Bytes of packet that the kernel wants left of a frame whose header is taken off: an Ethernet header. */
const shortestPacket = 14

/** Offsets in a frame, counted from its first byte; -1 for what is not there. */
export interface FrameShape {
  readonly slots: number
  readonly itemBytes: number
  /** Bytes of the outer Ethernet header. */
  readonly outer: number
  /** The header's fifth byte: version and flags, without flush. */
  readonly versionAndFlags: number
  readonly effects: number
  readonly timestamp: number
  readonly device: number
  readonly originalLength: number
  readonly items: number
  readonly packet: number
}

/** The frames of a format, with or without an outer Ethernet header. At most 63 slots. */
export function frameShape(format: HistoryFormat, hasOuter: boolean): FrameShape {
  const outer = hasOuter ? outerBytes : 0
  const places = Object.entries(historyLayout(format)).map(
    ([k, at]) => [k, at < 0 ? -1 : outer + at] as const,
  )
  const { effects, timestamp, device, originalLength, items, packet } = Object.fromEntries(places)
  const { slots, itemBytes } = format
  const example = writeHistory(
    {
      sequence: 0,
      flush: false,
      ...(format.timestamp && { timestamp: 0n }),
      ...(format.device && { device: 0 }),
      ...(format.originalLength && { originalLength: 0 }),
      items: [],
    },
    itemBytes,
  )
  const versionAndFlags = example[history.fields.version.bit / 8]
  return {
    slots,
    itemBytes,
    outer,
    versionAndFlags,
    effects,
    timestamp,
    device,
    originalLength,
    items,
    packet,
  }
}

/** The map that counts what is no verdict. */
export const framesMap = '.frames'
/** Its words, u64 each. */
export const frameCounters = [
  /** Frames without a packet. */
  'flushes',
  /** Times that packets were found missing for which there is no item. */
  'gaps',
  /** Dropped: frames too short for their header and a packet. */
  'short',
  /** Dropped: frames with another EtherType than the history's. */
  'etherType',
  'version',
  /** Dropped: other properties, or another number of slots, than this build expects. */
  'shape',
  /** Dropped: a slot beyond the last is said to be the oldest. */
  'index',
  /** Dropped: handled before. */
  'stale',
  /** Dropped after a gap. */
  'recovering',
] as const
export type FrameCounter = (typeof frameCounters)[number]
const framesBytes = 128
const counterAt = (name: FrameCounter): number => 8 * frameCounters.indexOf(name)
/** After the counters: u64, 1 once there was a gap. */
const stoppedAt = 8 * frameCounters.length

export const framesDeclaration: MapDeclaration = {
  name: framesMap,
  valueSize: framesBytes,
  valueType: btf => perCpuType(btf, 'hairpin_frames', [...frameCounters, 'stopped'], framesBytes, 1),
}

const drop = verdictNames.indexOf('drop')
const transmit = verdictNames.indexOf('transmit')
const redirect = verdictNames.indexOf('redirect')
/** Offset in struct xdp_md. */
const ingressDevice = 12

export interface EntryOptions {
  /** Bytes from one note to the next. */
  readonly noteStride: number
  readonly numbers: boolean
  /**
   * An entry of a CPU map cannot transmit: the kernel would drop the packet. It is sent out of the device it came in by.
   */
  readonly transmits: boolean
}

/** The entry: it calls `main` and, if there are slots, `replay`. */
export function frameEntry(frame: FrameShape, options: EntryOptions): Code {
  return [
    label('entry'),
    ...check(frame),
    ...number(frame),
    ...(frame.slots > 0 ? fastForward(frame, options) : []),
    ...hand(frame),
    ...verdict(options.transmits),
    ...reasons(frame.outer > 0, gapAndFlush()),
  ]
}

/** Where a frame ends that is dropped for this reason. */
export const wrong = (name: FrameCounter) => label(`entry.${name}`)

/** Length and the constant part of the header. Leaves r6 to r8 as above, and the oldest item's slot in r5. */
export function check({ outer, packet, slots, versionAndFlags }: FrameShape): Code {
  const whole = label('entry.whole')
  const here = outer + 4
  return [
    mov64.reg(r6, r1),
    ldx.w(r7, r1, 0),
    ldx.w(r8, r1, 4),
    mov64.reg(r2, r7),
    alu64.add.imm(r2, packet),
    jgt.reg(r2, r8, wrong('short')),
    ...(outer > 0 ? [ldx.h(r2, r7, 12), jne.imm(r2, swapped(historyEtherType), wrong('etherType'))] : []),
    ldx.h(r3, r7, here),
    mov64.reg(r4, r3),
    // Flush is bit 3 of the fifth byte, and slots are the sixth.
    alu64.and.imm(r4, 0xfff7),
    jne.imm(r4, versionAndFlags | (slots << 8), label('entry.unlike')),
    jset.imm(r3, 8, whole),
    // As a number: a pointer's range would be another for flushes, and all below would be verified twice.
    mov64.reg(r2, r8),
    alu64.sub.reg(r2, r7),
    jlt.imm(r2, packet + shortestPacket, wrong('short')),
    whole,
    ldx.b(r5, r7, outer + 6),
    slots > 0 ? jge.imm(r5, slots, wrong('index')) : jne.imm(r5, 0, wrong('index')),
  ]
}

const swapped = (n: number): number => ((n & 0xff) << 8) | (n >> 8)

/**
 * r2, the last number, becomes the one nearest to it with the low 32 bits in r3, and r3 by how much that is ahead: below
 * zero if it is behind.
 */
export const inFull: Code = [
  alu32.sub.reg(r3, r2),
  alu64.lsh.imm(r3, 32),
  alu64.arsh.imm(r3, 32),
  alu64.add.reg(r2, r3),
]

/** r2 = the packet's number in full, r3 = by how much it is ahead of the last one, which is 1 to slots + 1. */
function number({ outer, slots }: FrameShape): Code {
  return [
    ldMapValue(r9, mapNames.runtime),
    ldx.dw(r2, r9, runtime.sequence),
    ldx.w(r3, r7, outer),
    be32(r3),
    ...inFull,
    jslt.imm(r3, 1, wrong('stale')),
    jsgt.imm(r3, slots + 1, label('entry.gap')),
  ]
}

/** Has the items applied that are new. r5 is the oldest slot. The number becomes the last one handled. */
function fastForward(frame: FrameShape, options: EntryOptions): Code {
  return [
    // The packet's number is the state of the worker from here on: nothing below refuses the frame.
    stx.dw(r9, runtime.sequence, r2),
    ...replayMissing(frame, options),
  ]
}

/** Has the newest r3 - 1 items applied: r2 the packet's number, r3 how far it is ahead of the state's last, r5 the oldest slot. */
export function replayMissing({ effects, slots }: FrameShape, { noteStride, numbers }: EntryOptions): Code {
  const [done, inRing] = [label('entry.replayed'), label('entry.inRing')]
  return [
    alu64.add.imm(r3, -1),
    jeq.imm(r3, 0, done),
    // The slot of the first item to apply: index + (slots − missing), around the ring's end.
    mov64.reg(r4, r5),
    alu64.add.imm(r4, slots),
    alu64.sub.reg(r4, r3),
    jlt.imm(r4, slots, inRing),
    alu64.sub.imm(r4, slots),
    inRing,
    ...(numbers ? [alu64.sub.reg(r2, r3), mov64.reg(r1, r2)] : []),
    // Effect bits from that slot on, as many as packets are missing.
    ...loadBits(r0, effects, slots),
    mov64.reg(r2, r0),
    alu64.rsh.reg(r2, r4),
    mov64.imm(r5, slots),
    alu64.sub.reg(r5, r4),
    alu64.lsh.reg(r0, r5),
    alu64.or.reg(r2, r0),
    mov64.imm(r5, 1),
    alu64.lsh.reg(r5, r3),
    alu64.add.imm(r5, -1),
    alu64.and.reg(r2, r5),
    jeq.imm(r2, 0, done),
    // The note before that slot's.
    mov64.reg(r3, r4),
    jne.imm(r3, 0, label('entry.before')),
    mov64.imm(r3, slots),
    label('entry.before'),
    alu64.add.imm(r3, -1),
    alu64.mul.imm(r3, noteStride),
    ...(numbers ? [mov64.reg(r4, r1)] : []),
    mov64.reg(r1, r7),
    callLocal(label('replay')),
    done,
  ]
}

/** The bitmap in one register, nothing above the slots; r5 is lost. */
export function loadBits(to: Register, at: number, slots: number): Code {
  const bytes = Math.ceil(slots / 8)
  // A load may reach beyond the bitmap: there are always items, properties or a packet behind it, but not in a flush.
  const parts: Item[] = []
  let done = 0
  for (const [size, load] of [
    [8, ldx.dw],
    [4, ldx.w],
    [2, ldx.h],
    [1, ldx.b],
  ] as const)
    while (bytes - done >= size) {
      if (done === 0) parts.push(load(to, r7, at))
      else parts.push(load(r5, r7, at + done), alu64.lsh.imm(r5, 8 * done), alu64.or.reg(to, r5))
      done += size
    }
  if (slots % 8 === 0) return parts
  const mask = (1n << BigInt(slots)) - 1n
  const masked: Code =
    slots < 31
      ? [alu64.and.imm(to, Number(mask))]
      : [ldImm64(r5, BigInt.asIntN(64, mask)), alu64.and.reg(to, r5)]
  return [...parts, ...masked]
}

/** Leaves for a flush; otherwise notes the packet's properties, takes the header off and calls the packet function. */
export function hand(frame: FrameShape): Code {
  const { outer, slots, packet } = frame
  return [
    ...(slots > 0 ? [] : [stx.dw(r9, runtime.sequence, r2)]),
    ldx.b(r2, r7, outer + 4),
    jset.imm(r2, 8, label('entry.flush')),
    ...properties(frame),
    ...takeOff(packet),
    mov64.reg(r1, r6),
    callLocal(label('main')),
  ]
}

/** Puts what the header says of the packet where the packet function looks for it. */
export function properties({ timestamp, device, originalLength }: FrameShape): Code {
  return [
    ...(timestamp < 0
      ? []
      : [
          // The next time after the last with these low 48 bits.
          ldx.h(r2, r7, timestamp),
          be16(r2),
          ldx.w(r3, r7, timestamp + 2),
          be32(r3),
          alu64.lsh.imm(r2, 32),
          alu64.or.reg(r2, r3),
          ldx.dw(r3, r9, runtime.timestamp),
          alu64.sub.reg(r2, r3),
          alu64.lsh.imm(r2, 16),
          alu64.rsh.imm(r2, 16),
          alu64.add.reg(r3, r2),
          stx.dw(r9, runtime.timestamp, r3),
        ]),
    ...(device < 0 ? [] : [ldx.h(r2, r7, device), be16(r2), stx.w(r9, runtime.device, r2)]),
    ...(originalLength < 0
      ? []
      : [ldx.w(r2, r7, originalLength), be32(r2), stx.w(r9, runtime.originalLength, r2)]),
  ]
}

/** Takes the header off: the packet begins at byte `packet` of the frame. */
export const takeOff = (packet: number): Code => [
  mov64.reg(r1, r6),
  mov64.imm(r2, packet),
  call('xdp_adjust_head'),
  jne.imm(r0, 0, wrong('short')),
]

/** Counts the verdict in r0 and makes it the kernel's. */
export function verdict(transmits: boolean): Code {
  const [plain, unknown] = [label('entry.plain'), label('entry.unknown')]
  return [
    mov64.reg(r7, r0),
    alu64.and.imm(r7, 0xff),
    jgt.imm(r7, redirect, unknown),
    ldMapValue(r1, verdictsMap),
    mov64.reg(r2, r7),
    alu64.lsh.imm(r2, 3),
    alu64.add.reg(r1, r2),
    ldx.dw(r2, r1, 0),
    alu64.add.imm(r2, 1),
    stx.dw(r1, 0, r2),
    ...(transmits ? [] : [jeq.imm(r7, transmit, label('entry.back'))]),
    jne.imm(r7, redirect, plain),
    mov64.reg(r1, r0),
    alu64.rsh.imm(r1, 8),
    label('entry.out'),
    mov64.imm(r2, 0),
    call('redirect'),
    exit(),
    ...(transmits ? [] : [label('entry.back'), ldx.w(r1, r6, ingressDevice), ja(label('entry.out'))]),
    plain,
    mov64.reg(r0, r7),
    exit(),
    unknown,
    mov64.imm(r0, 0),
    exit(),
  ]
}

/** Adds one to a counter of frames, and drops. */
export const countAs = (name: FrameCounter): Code => [
  mov64.imm(r2, counterAt(name)),
  ja(label('entry.count')),
]

/** Where frames end that have no verdict; `more` is for what not every entry has. */
export function reasons(hasOuter: boolean, more: Code): Code {
  const count = label('entry.count')
  const because = (name: FrameCounter): Code => [wrong(name), ...countAs(name)]
  return [
    // r4 has the fifth and sixth byte without flush.
    label('entry.unlike'),
    alu64.and.imm(r4, 0xf0),
    mov64.imm(r2, counterAt('version')),
    jne.imm(r4, 0x10, count),
    ...countAs('shape'),
    ...more,
    ...(hasOuter ? because('etherType') : []),
    ...(['short', 'index', 'stale'] as const).flatMap(because),
    count,
    ldMapValue(r1, framesMap),
    alu64.add.reg(r1, r2),
    ldx.dw(r2, r1, 0),
    alu64.add.imm(r2, 1),
    stx.dw(r1, 0, r2),
    mov64.imm(r0, drop),
    exit(),
  ]
}

/** One more time that packets were missing; r1 is the frames' map afterwards, r3 is lost. */
export const countGap: Code = [
  ldMapValue(r1, framesMap),
  ldx.dw(r3, r1, counterAt('gaps')),
  alu64.add.imm(r3, 1),
  stx.dw(r1, counterAt('gaps'), r3),
]

/** A gap stops the worker; a frame without a packet leaves the number to the next. */
export function gapAndFlush(): Code {
  const count = label('entry.count')
  return [
    label('entry.gap'),
    ldMapValue(r1, framesMap),
    mov64.imm(r2, counterAt('recovering')),
    ldx.dw(r3, r1, stoppedAt),
    jne.imm(r3, 0, count),
    mov32.imm(r3, 1),
    stx.dw(r1, stoppedAt, r3),
    ldx.dw(r3, r1, counterAt('gaps')),
    alu64.add.imm(r3, 1),
    stx.dw(r1, counterAt('gaps'), r3),
    ja(count),
    // The packet with this number is still to come.
    label('entry.flush'),
    ldx.dw(r2, r9, runtime.sequence),
    alu64.add.imm(r2, -1),
    stx.dw(r9, runtime.sequence, r2),
    ...countAs('flushes'),
  ]
}
