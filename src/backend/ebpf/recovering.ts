// What stands before a program whose frames may get lost: like frame.ts, but with a log for the other workers to read.
//
//   entry    frame → checks → log: what is missing, the frame's items → replay, if nothing before them is missing →
//            header off → extract: the packet's own item → log → published → [follow] → main → verdict
//
// A frame after a gap, or at a worker that is behind, has its items applied by `follow` (follow.ts), from the log. Its
// packet gets a verdict if that brings the state up to it; else it is dropped as `recovering`, and as its item is in
// the log, it will be applied in its turn. Registers up to the header's removal: r6 the context, r7 the frame's first
// byte; r9 the worker's own map, r8 its log, and behind the log's part the packet's number. Read logs.ts as well.

import { entry, entryKind, publishEvery } from '../wasm/log.js'
import {
  alu64,
  be32,
  callLocal,
  exit,
  ja,
  jeq,
  jne,
  jset,
  jsge,
  jsgt,
  jsle,
  jslt,
  label,
  ldMapValue,
  ldx,
  mayGoto,
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
import type { Code, Item } from './asm.js'
import { verdictNames } from './entry.js'
import {
  check,
  countAs,
  countGap,
  inFull,
  loadBits,
  properties,
  reasons,
  replayMissing,
  takeOff,
  verdict,
  wrong,
} from './frame.js'
import type { EntryOptions, FrameShape } from './frame.js'
import {
  columnAt,
  copyAt,
  copyItem,
  countIn,
  entryAt,
  itemAt,
  ownLog,
  publish,
  recoveryMap,
  tagAt,
} from './logs.js'
import type { Logs } from './logs.js'
import { sizeOf } from './memory.js'
import { mapNames, runtime } from './target.js'

const trap = 'entry.trap'
const at = (name: string) => label(`entry.${name}`)

/** The entry: it calls `main`, `extract`, `follow` and, if there are slots, `replay`. */
export function recoveringEntry(frame: FrameShape, options: EntryOptions, logs: Logs): Code {
  return [
    label('entry'),
    ...check(frame),
    ...number(frame, logs),
    ...items(frame, logs),
    ...fastForward(frame, options),
    ...hand(frame, logs, options.transmits),
    ...flushed(logs),
    ...reasons(frame.outer > 0, missing(frame, logs)),
    label(trap),
    mov64.imm(r0, 0),
    exit(),
  ]
}

/** r2 = the packet's number in full, r9 = the worker's own map, r8 = its log. A worker that is too far behind gives up. */
function number({ outer, slots }: FrameShape, logs: Logs): Code {
  return [
    ldMapValue(r9, recoveryMap),
    ldx.dw(r2, r9, columnAt('logged')),
    ldx.w(r3, r7, outer),
    be32(r3),
    ...inFull,
    jslt.imm(r3, 1, wrong('stale')),
    ...ownLog(logs, r8, r1, trap),
    // A log that would wrap over what its own worker has not seen yet is the end of that worker, not of the others.
    mov64.reg(r4, r2),
    ldx.dw(r1, r9, columnAt('last')),
    alu64.sub.reg(r4, r1),
    jsgt.imm(r4, logs.entries, at('overrun')),
    at('room'),
    jsgt.imm(r3, slots + 1, at('gap')),
    at('complete'),
  ]
}

/** Logs the frame's items that are new, in the order of slots. */
function items({ outer, slots, effects, items: first, itemBytes }: FrameShape, logs: Logs): Code {
  if (slots === 0) return []
  // Below, r2 is the number of the oldest item, r4 how many of the oldest are in the log already.
  return [
    alu64.add.imm(r2, -slots),
    ldx.dw(r4, r9, columnAt('logged')),
    alu64.add.imm(r4, 1),
    alu64.sub.reg(r4, r2),
    ...loadBits(r0, effects, slots),
    ldx.b(r5, r7, outer + 6),
    ...Array.from({ length: slots }, (_, s): Code => {
      const next = at(`slot${s}`)
      return [
        // Its place from the oldest on: s - index, around the ring's end; without a branch, or paths would multiply.
        mov64.imm(r1, s),
        alu64.sub.reg(r1, r5),
        mov64.reg(r3, r1),
        alu64.arsh.imm(r3, 63),
        alu64.and.imm(r3, slots),
        alu64.add.reg(r1, r3),
        // Compared as a difference: what a branch has compared with an address's parts the verifier will not forget.
        mov64.reg(r3, r1),
        alu64.sub.reg(r3, r4),
        jslt.imm(r3, 0, next),
        alu64.add.reg(r1, r2),
        ...entryAt(logs, r3, r8, r1),
        ...fromFrame(first + s * itemBytes, itemBytes),
        mov64.reg(r9, r0),
        alu64.rsh.imm(r9, s),
        alu64.and.imm(r9, 1),
        alu64.lsh.imm(r1, 2),
        alu64.or.reg(r1, r9),
        alu64.add.imm(r1, entryKind.nothing),
        stx.dw(r3, tagAt, r1),
        next,
      ]
    }).flat(),
    alu64.add.imm(r2, slots),
    ldx.b(r5, r7, outer + 6),
    ldMapValue(r9, recoveryMap),
  ]
}

/** Copies an item from the frame into the entry at r3; r9 is lost. */
function fromFrame(from: number, bytes: number): Code {
  const code: Item[] = []
  let done = 0
  for (const width of [8, 4, 2, 1])
    while (bytes - done >= width) {
      const size = sizeOf(width)
      code.push(ldx[size](r9, r7, from + done), stx[size](r3, itemAt + done, r9))
      done += width
    }
  return code
}

/** Applies the frame's items, if the state has seen everything before them. r8 = the number, r9 = the runtime's map. */
function fastForward(frame: FrameShape, options: EntryOptions): Code {
  const behind = at('parked')
  return [
    mov64.reg(r8, r2),
    ldx.dw(r1, r9, columnAt('stopped')),
    ldx.dw(r3, r9, columnAt('last')),
    ldMapValue(r9, mapNames.runtime),
    stx.dw(r9, runtime.sequence, r8),
    jne.imm(r1, 0, behind),
    // A frame that brings nothing new, as at the end of a stream: what is not seen yet is in the log, and may be lost here.
    ldMapValue(r1, recoveryMap),
    ldx.dw(r1, r1, columnAt('logged')),
    alu64.add.imm(r1, 1),
    jeq.reg(r1, r2, behind),
    alu64.sub.reg(r2, r3),
    mov64.reg(r3, r2),
    jsgt.imm(r3, frame.slots + 1, behind),
    ...(frame.slots > 0 ? [mov64.reg(r2, r8), ...replayMissing(frame, options)] : []),
    mov64.reg(r1, r8),
    alu64.add.imm(r1, -1),
    ldMapValue(r2, recoveryMap),
    stx.dw(r2, columnAt('last'), r1),
    behind,
  ]
}

/** Logs the packet's own item, publishes, and calls the packet function if the packet is the state's next. */
function hand(frame: FrameShape, logs: Logs, transmits: boolean): Code {
  const [ready, behind, unrecoverable] = ['ready', 'behind', 'unrecoverable'].map(at)
  return [
    ldx.b(r2, r7, frame.outer + 4),
    jset.imm(r2, 8, at('flushed')),
    ...properties(frame),
    ...takeOff(frame.packet),
    mov64.reg(r1, r6),
    callLocal(label('extract')),
    ldMapValue(r9, recoveryMap),
    ...ownLog(logs, r7, r1, trap),
    ...entryAt(logs, r1, r7, r8),
    ...copyItem(logs, r1, itemAt, r9, copyAt + entry.item, r2),
    alu64.and.imm(r0, 1),
    mov64.reg(r2, r8),
    alu64.lsh.imm(r2, 2),
    alu64.or.reg(r2, r0),
    alu64.add.imm(r2, entryKind.nothing),
    stx.dw(r1, tagAt, r2),
    stx.dw(r9, columnAt('logged'), r8),
    mov64.reg(r2, r8),
    ...publish(r7, r2),
    ldx.dw(r1, r9, columnAt('last')),
    alu64.add.imm(r1, 1),
    jne.reg(r1, r8, behind),
    ready,
    stx.dw(r9, columnAt('last'), r8),
    mov64.reg(r1, r6),
    callLocal(label('main')),
    ...verdict(transmits),
    behind,
    ldx.dw(r1, r9, columnAt('stopped')),
    jne.imm(r1, 0, unrecoverable),
    mov64.reg(r1, r8),
    alu64.add.imm(r1, -1),
    callLocal(label('follow')),
    ldMapValue(r1, mapNames.runtime),
    stx.dw(r1, runtime.sequence, r8),
    ldx.dw(r1, r9, columnAt('last')),
    alu64.add.imm(r1, 1),
    jeq.reg(r1, r8, ready),
    ldx.dw(r1, r9, columnAt('stopped')),
    jne.imm(r1, 0, unrecoverable),
    ...countAs('recovering'),
    unrecoverable,
    ...countIn('unrecoverable', r1),
    mov64.imm(r0, verdictNames.indexOf('drop')),
    exit(),
  ]
}

/** A frame without a packet: its number is that of the next one, r8. */
function flushed(logs: Logs): Code {
  const [known, counted] = ['known', 'counted'].map(at)
  return [
    at('flushed'),
    alu64.add.imm(r8, -1),
    ldMapValue(r9, recoveryMap),
    ldx.dw(r1, r9, columnAt('logged')),
    jsle.reg(r8, r1, known),
    stx.dw(r9, columnAt('logged'), r8),
    ...ownLog(logs, r7, r1, trap),
    mov64.reg(r2, r8),
    ...publish(r7, r2),
    known,
    ldx.dw(r1, r9, columnAt('stopped')),
    jne.imm(r1, 0, counted),
    mov64.reg(r1, r8),
    callLocal(label('follow')),
    counted,
    ...countAs('flushes'),
  ]
}

/** Logs the numbers before the frame's oldest item as lost: r3 is how far the packet is ahead of the log. */
function missing({ slots }: FrameShape, logs: Logs): Code {
  const [room, next, more] = ['enough', 'lost', 'more'].map(at)
  return [
    at('overrun'),
    st.dw(r9, columnAt('stopped'), 1),
    ja(at('room')),
    at('gap'),
    alu64.add.imm(r3, -(slots + 1)),
    ldx.dw(r1, r9, columnAt('detected')),
    alu64.add.reg(r1, r3),
    stx.dw(r9, columnAt('detected'), r1),
    // r4 = the oldest item's number, r0 = the first one missing.
    mov64.reg(r4, r2),
    alu64.add.imm(r4, -slots),
    mov64.reg(r0, r4),
    alu64.sub.reg(r0, r3),
    ...countGap,
    // What the log has no room for would only be overwritten.
    mov64.reg(r1, r2),
    alu64.add.imm(r1, 1 - logs.entries),
    jsge.reg(r0, r1, room),
    mov64.reg(r0, r1),
    room,
    next,
    mayGoto(label(trap)),
    jsge.reg(r0, r4, at('complete')),
    ...entryAt(logs, r1, r8, r0),
    mov64.reg(r3, r0),
    alu64.lsh.imm(r3, 2),
    alu64.or.imm(r3, entryKind.lost),
    stx.dw(r1, tagAt, r3),
    mov64.reg(r3, r0),
    alu64.and.imm(r3, publishEvery - 1),
    jne.imm(r3, 0, more),
    mov64.reg(r3, r0),
    ...publish(r8, r3),
    more,
    alu64.add.imm(r0, 1),
    ja(next),
  ]
}
