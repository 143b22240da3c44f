// A worker of strategy hybrid: the program on the slice of a packet's bucket, or on a copy of it that is brought up to date first.
//
//   header → bucket, number, kind
//   plain   → the bucket's slice
//   copy    → slice to the place's copy, "copied" → the bucket's slice
//   spread  → own copy, from the place's at the first time → items up to this number → own copy
//   back    → the same, then own copy to the slice, "back" → the bucket's slice
//
// A worker writes its own copy, and the slice of a bucket that is its own; the program on interfaces sees to it that there is
// one owner (dealer.ts). "copied" and "back" are said by an exchange, which orders memory: who sees it sees the slice. A number
// whose entry is no longer there stops the place for this worker; that does not happen as long as nothing is written over
// that is needed. Read places-map.ts and ring-entry.ts first.

import type { Func } from '../../ir/types.js'
import { alu64, atomic, call, callLocal, exit, ja, jeq, jgt, jlt, jne } from './asm.js'
import { label, ldMapValue, ldx, mov64, st, stx } from './asm.js'
import { r0, r1, r2, r3, r4, r5, r6, r7, r8, r9 } from './asm.js'
import type { Code, Register } from './asm.js'
import { bucketEntry, bucketsMap, seatEntry, seatsFrom } from './buckets-map.js'
import { entryIn, length } from './dealer.js'
import { verdictNames } from './entry.js'
import { frameCounters, framesMap, verdict } from './frame.js'
import type { FrameCounter } from './frame.js'
import { copyOf, dealt, dealtBytes, kindOf, placeEntry, places } from './places-map.js'
import { placesMap, placeWorker } from './places-map.js'
import { called, finishFunctions, isRefusal } from './program.js'
import type { BpfCode, StackRefusal } from './program.js'
import { catchUpFunction, copyMap, ringItem } from './ring.js'
import type { CatchingUp, HistoryRing } from './ring.js'
import { select } from './select.js'
import { copySliceFunction, inSlice } from './slices.js'
import type { Slices } from './slices.js'
import { assembled, handWritten, mostShards } from './steering.js'
import { mapNames, runtime } from './target.js'
import type { Target } from './target.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'

const { log2 } = Math
const drop = verdictNames.indexOf('drop')

export interface HeavyWorkerSource {
  readonly callees: readonly Func[]
  readonly main: Func
  readonly advance: Func
}

export interface HeavyWorkerOptions {
  readonly workers: number
  readonly slices: Slices
  readonly ring: HistoryRing
  readonly timed: boolean
  readonly placed: boolean
  readonly measured: boolean
}

/**
 * Offsets in the worker's own map, before the item: what its frame said. The verifier knows nothing of what is there, so that
 * it looks at the program once for all kinds of frames.
 */
const kept = { kind: 8, bucket: 16, number: 24, place: 32, copy: 40, verdict: 48 } as const
/** to = what is kept. */
const load = (to: Register, at: number): Code => [ldMapValue(to, copyMap), ldx.dw(to, to, at)]
/** Bytes of frames, as the kernel rounds: the entry's, and that of what calls `advance`. */
const [entryFrame, catchUpFrame] = [32, 32]

/** `target.inputs` must be 'frame'. */
export function compileHeavyWorker(
  { callees, main, advance }: HeavyWorkerSource,
  target: Target,
  options: HeavyWorkerOptions,
): BpfCode | StackRefusal {
  const roots = [main, advance]
  const wanted = called([...callees, main, advance], roots)
  const machines = wanted.map(f =>
    f === advance ? select(f, target, false, ringItem) : select(f, target, f === main),
  )
  const names = roots.map(f => f.name)
  const made = finishFunctions(machines, names, entryFrame + catchUpFrame, inSlice(options.slices))
  if (isRefusal(made)) return made
  return assembled([
    handWritten('entry', entry(options)),
    ...made.functions,
    handWritten('catchUp', catchUpFunction(options.ring, beforeTheFrame(options.ring))),
    handWritten('copySlice', copySliceFunction(options.slices)),
  ])
}

/** r6 = the context, r9 = the runtime's map; r8 = the place's line, r7 = the worker's line in it. */
const entry = (options: HeavyWorkerOptions): Code => [
  label('entry'),
  mov64.reg(r6, r1),
  ...header(options.timed),
  ...(options.placed ? [ldx.w(r2, r6, 12), stx.w(r9, runtime.device, r2)] : []),
  ...(options.measured ? length(r9) : []),
  ...load(r1, kept.kind),
  jeq.imm(r1, kindOf('plain'), label('entry.ready')),
  ...placeLines,
  ...load(r1, kept.kind),
  jeq.imm(r1, kindOf('copy'), label('entry.copy')),
  jne.imm(r1, kindOf('back'), label('entry.upToDate')),
  ...unlessBack,
  label('entry.upToDate'),
  ...upToDate(options.workers),
  ...load(r1, kept.kind),
  jne.imm(r1, kindOf('back'), label('entry.ready')),
  ...writeBack,
  ja(label('entry.ready')),
  ...copyFirst(options.workers),
  label('entry.ready'),
  mov64.imm(r7, 0),
  mov64.imm(r8, 0),
  mov64.imm(r9, 0),
  mov64.reg(r1, r6),
  callLocal(label('main')),
  ldMapValue(r1, copyMap),
  stx.dw(r1, kept.verdict, r0),
  ...seenIt,
  ...outOfQueue,
  ...load(r0, kept.verdict),
  ...verdict(false),
  ...dropped,
]

/** What the header says is kept, or goes to the runtime's map; then it is taken off. */
const header = (timed: boolean): Code => [
  ldx.w(r7, r6, 0),
  ldx.w(r8, r6, 4),
  mov64.reg(r2, r7),
  alu64.add.imm(r2, dealtBytes(timed)),
  jgt.reg(r2, r8, label('entry.short')),
  ldMapValue(r9, mapNames.runtime),
  ldMapValue(r4, copyMap),
  ldx.dw(r2, r7, dealt.number),
  stx.dw(r9, runtime.sequence, r2),
  stx.dw(r4, kept.number, r2),
  ldx.b(r2, r7, dealt.kind),
  stx.dw(r4, kept.kind, r2),
  ldx.b(r2, r7, dealt.place),
  stx.dw(r4, kept.place, r2),
  ...(timed ? [ldx.dw(r2, r7, dealt.time), stx.dw(r9, runtime.timestamp, r2)] : []),
  ldx.b(r2, r7, dealt.bucket),
  alu64.and.imm(r2, indirectionEntries - 1),
  stx.w(r9, runtime.slice, r2),
  stx.dw(r4, kept.bucket, r2),
  alu64.lsh.imm(r2, log2(bucketEntry.stride)),
  ldMapValue(r3, bucketsMap),
  alu64.add.reg(r3, r2),
  ldx.dw(r2, r3, bucketEntry.seed),
  stx.dw(r9, runtime.seed, r2),
  mov64.reg(r1, r6),
  mov64.imm(r2, dealtBytes(timed)),
  call('xdp_adjust_head'),
  jne.imm(r0, 0, label('entry.short')),
]

/** r8 = the line of the frame's place, r7 = the worker's in it. r9 becomes the runtime's map. */
const placeLines: Code = [
  ...load(r8, kept.place),
  alu64.and.imm(r8, places - 1),
  alu64.mul.imm(r8, placeEntry.stride),
  ldMapValue(r1, placesMap),
  alu64.add.reg(r8, r1),
  ldMapValue(r9, mapNames.runtime),
  ldx.w(r7, r9, runtime.worker),
  alu64.and.imm(r7, mostShards - 1),
  alu64.mul.imm(r7, placeWorker.stride),
  alu64.add.reg(r7, r8),
  alu64.add.imm(r7, placeEntry.workers),
]

/** to = the number of the place's copy; r9 = the runtime's map. */
const copyNumber = (to: Register, workers: number): Code => [
  ...load(to, kept.place),
  alu64.mul.imm(to, workers + 1),
  alu64.add.imm(to, copyOf(0, workers)),
]

/** The bucket is this worker's already: as plain. */
const unlessBack: Code = [
  ldx.w(r1, r8, placeEntry.back),
  ldx.w(r2, r8, placeEntry.order),
  jne.reg(r1, r2, label('entry.upToDate')),
  ldMapValue(r1, copyMap),
  st.dw(r1, kept.kind, kindOf('copy')),
  ja(label('entry.ready')),
]

/** Has the worker's copy see all numbers before this one, and be what the program works on. */
function upToDate(workers: number): Code {
  const [begun, isNew] = ['begun', 'new'].map(l => label(`entry.${l}`))
  return [
    ...copyNumber(r2, workers),
    ldx.w(r1, r9, runtime.worker),
    alu64.add.reg(r2, r1),
    alu64.add.imm(r2, 1),
    ldMapValue(r1, copyMap),
    stx.dw(r1, kept.copy, r2),
    stx.w(r9, runtime.slice, r2),
    ldx.w(r3, r8, placeEntry.order),
    ldx.w(r1, r7, placeWorker.order),
    jeq.reg(r1, r3, begun),
    ldx.dw(r1, r8, placeEntry.first),
    alu64.add.imm(r1, -1),
    stx.dw(r7, placeWorker.seen, r1),
    ...copyNumber(r1, workers),
    callLocal(label('copySlice')),
    // Last: who reads state takes it for a copy from here on.
    ldx.w(r3, r8, placeEntry.order),
    stx.w(r7, placeWorker.order, r3),
    begun,
    ldx.dw(r1, r7, placeWorker.seen),
    ...load(r2, kept.number),
    jlt.reg(r1, r2, isNew),
    ja(label('entry.stale')),
    isNew,
    stx.dw(r9, runtime.sequence, r1),
    callLocal(label('catchUp')),
    // Up to there the copy is right, whatever came of it.
    ldx.dw(r1, r9, runtime.sequence),
    stx.dw(r7, placeWorker.seen, r1),
    jne.imm(r0, 0, label('entry.gap')),
    ...load(r1, kept.number),
    stx.dw(r9, runtime.sequence, r1),
  ]
}

const writeBack: Code = [
  ...load(r1, kept.copy),
  ...load(r2, kept.bucket),
  stx.w(r9, runtime.slice, r2),
  callLocal(label('copySlice')),
  ldx.w(r1, r8, placeEntry.order),
  atomic.xchg('dw', r8, placeEntry.back, r1),
]

const copyFirst = (workers: number): Code => [
  label('entry.copy'),
  ...load(r1, kept.bucket),
  ...copyNumber(r2, workers),
  callLocal(label('copySlice')),
  ...load(r1, kept.number),
  stx.dw(r8, placeEntry.first, r1),
  ldx.w(r1, r8, placeEntry.order),
  atomic.xchg('dw', r8, placeEntry.copied, r1),
]

/** Nothing of the place is touched after it. */
const handled: Code = [
  ldx.dw(r1, r7, placeWorker.handled),
  alu64.add.imm(r1, 1),
  stx.dw(r7, placeWorker.handled, r1),
]

/** Of a frame that is about a place: what was worked on has its number too, where it is a copy; and it is done with. */
const seenIt: Code = [
  ...load(r1, kept.kind),
  jeq.imm(r1, kindOf('plain'), label('entry.seen')),
  ...placeLines,
  ...load(r1, kept.kind),
  jlt.imm(r1, kindOf('spread'), label('entry.handled')),
  ...load(r1, kept.number),
  stx.dw(r7, placeWorker.seen, r1),
  label('entry.handled'),
  ...handled,
  label('entry.seen'),
]

/** With what was there before, which nobody wants, it orders memory. */
const outOfQueue: Code = [
  ldMapValue(r9, mapNames.runtime),
  ldx.w(r2, r9, runtime.worker),
  alu64.and.imm(r2, mostShards - 1),
  alu64.lsh.imm(r2, log2(seatEntry.stride)),
  ldMapValue(r3, bucketsMap, seatsFrom),
  alu64.add.reg(r3, r2),
  mov64.imm(r1, 1),
  atomic.fetchAdd('dw', r3, seatEntry.done, r1),
]

const countFrame = (name: FrameCounter): Code => {
  const at = 8 * frameCounters.indexOf(name)
  return [ldMapValue(r1, framesMap), ldx.dw(r2, r1, at), alu64.add.imm(r2, 1), stx.dw(r1, at, r2)]
}

/** Frames that get no verdict, by reason. */
const dropped: Code = [
  label('entry.gap'),
  ...countFrame('gaps'),
  ...countFrame('recovering'),
  ja(label('entry.refused')),
  label('entry.stale'),
  ...countFrame('stale'),
  label('entry.refused'),
  ...handled,
  ...outOfQueue,
  mov64.imm(r0, drop),
  exit(),
  label('entry.short'),
  ...countFrame('short'),
  ...outOfQueue,
  mov64.imm(r0, drop),
  exit(),
]

/** catchUp(): up to the number before the frame's, by the ring of the frame's place. */
const beforeTheFrame = (ring: HistoryRing): CatchingUp => ({
  last: [ldx.dw(r6, r9, kept.number), alu64.add.imm(r6, -1)],
  find: [ldx.dw(r4, r9, kept.place), ...entryIn(ring, r3, r7, r5)],
  keepsNumber: true,
})
