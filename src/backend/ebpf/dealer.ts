// The program on interfaces of strategy hybrid: it steers packets of light buckets to their owners, deals those of heavy ones out
// in turn, and keeps their items.
//
//   hash → bucket, its phase → worker → room? → number → item, of a bucket that is not light → header → CPU map
//
// One packet at a time: it is behind one receive queue, or a funnel. So no word but those of others needs an atomic
// operation. Each packet has a few bytes in front of it that say what its bucket and number are, and workers do not hash again.
//
// An order of user space is seen to by the next packet of its bucket. A bucket with no packet under way goes to another worker
// at once, as in strategy rebalanced; it is at rest when its owner is done with as many frames as were in its queue with the bucket's
// last. Otherwise it goes by a place (places-map.ts). Nothing waits, and nothing is dropped for it: what has to be known
// of others is looked at packet by packet, and until it is so the bucket's packets go where they went.
//
// No entry of a ring is written over that a worker needs: a packet gets a number only if its worker is at most a ring's length
// behind, less the numbers that are given before it is that worker's turn again, or while the bucket goes to one worker (a queue's
// length). A frame that carries a question (copy, back) and vanishes is asked again. Read buckets.ts, places-map.ts and ring.ts first.

import type { Func } from '../../ir/types.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import {
  alu64,
  atomic,
  call,
  callLocal,
  exit,
  fp,
  ja,
  jeq,
  jge,
  jgt,
  jlt,
  jne,
  label,
  ldMapValue,
} from './asm.js'
import { ldx, mov64, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, st, stx } from './asm.js'
import type { Code, Label, Register } from './asm.js'
import { bucketEntry, bucketsMap, countBits, seatEntry, seatsFrom } from './buckets-map.js'
import { verdictNames } from './entry.js'
import { copyItem } from './logs.js'
import type { MapDeclaration } from './maps.js'
import { dealt, dealtBytes, everybody, kindOf, phaseOf, placeEntry, places } from './places-map.js'
import { placesMap, placeWorker } from './places-map.js'
import { called, finishFunctions, isRefusal } from './program.js'
import type { BpfCode, StackRefusal } from './program.js'
import { intoQueue } from './queues.js'
import { ringEntry, ringMap, ringStride } from './ring.js'
import type { HistoryRing } from './ring.js'
import { select } from './select.js'
import { bounded } from './slices.js'
import { assembled, handWritten } from './steering.js'
import { mapNames, runtime } from './target.js'
import type { Target } from './target.js'

const { log2, ceil } = Math
const drop = verdictNames.indexOf('drop')

/** The item of the packet at hand. */
const itemMap = '.item'
/** Why a packet gets no number, and where in a bucket's line that is counted. */
export const dealerDrops = { workerQueue: bucketEntry.workerQueue, headroom: bucketEntry.handover } as const

export interface DealerSource {
  readonly callees: readonly Func[]
  readonly extract: Func
  readonly steer: Func
}

export interface DealerOptions {
  readonly workers: number
  /** CPU maps that there are. */
  readonly layers: number
  /** Frames that are put to a worker's queue before it is done with one. */
  readonly credit: number
  readonly ring: HistoryRing
  readonly clock: 'exact' | 'coarse'
  /** What packets and items need: the time, the device they came by, their length. */
  readonly timed: boolean
  readonly placed: boolean
  readonly measured: boolean
}

export const itemDeclaration = ({ itemBytes }: HistoryRing): MapDeclaration => {
  const words = Math.max(1, ceil(itemBytes / 8))
  return { name: itemMap, valueSize: 8 * words, valueType: btf => btf.array(btf.unsigned(8), words) }
}

/**
 * Entries of a ring, a power of two: what is kept while a bucket is asked for, a queue's length, must be within what a
 * worker may be behind.
 */
export const heavyEntriesFor = (workers: number, credit: number): number =>
  2 ** ceil(log2(2 * (credit + workers + 8)))

/** How far behind the newest number a worker may be when it is given one. */
const slackOf = (workers: number, credit: number, entries: number): number => entries - credit - workers - 2

/** Offsets in the entry's frame. */
const kept = { bucket: -8, kind: -16, time: -24, place: -32, effect: -40 } as const
/** Bytes of that frame, as the kernel rounds. */
const dealerFrame = 64
/** Offsets in struct xdp_md. */
const context = { data: 0, dataEnd: 4, ingress: 12 } as const

const [plain, queue, refuse] = ['plain', 'queue', 'refuse'].map(l => label(`entry.${l}`))

/** `target.inputs` must be 'frame'. */
export function compileDealer(
  { callees, extract, steer }: DealerSource,
  target: Target,
  options: DealerOptions,
): BpfCode | StackRefusal {
  const item = { item: { map: itemMap, at: 0 }, noteAt: Infinity, touches: new Set<never>() }
  const wanted = called([...callees, extract], [extract])
  const machines = [
    ...wanted.map(f => (f === extract ? select(f, target, true, item) : select(f, target, false))),
    select(steer, target, true),
  ]
  const made = finishFunctions(machines, [extract.name, steer.name], dealerFrame)
  if (isRefusal(made)) return made
  return assembled([handWritten('entry', entry(steer.name, extract.name, options)), ...made.functions])
}

/** r6 = the context, r9 = the bucket's line; r7 = the worker and then the number; r8 = the worker's line. */
const entry = (steer: string, extract: string, options: DealerOptions): Code => [
  label('entry'),
  mov64.reg(r6, r1),
  callLocal(label(steer)),
  alu64.and.imm(r0, indirectionEntries - 1),
  stx.dw(fp, kept.bucket, r0),
  alu64.lsh.imm(r0, log2(bucketEntry.stride)),
  ldMapValue(r9, bucketsMap),
  alu64.add.reg(r9, r0),
  ldx.dw(r7, r9, bucketEntry.word),
  alu64.add.imm(r7, 1),
  stx.dw(r9, bucketEntry.word, r7),
  alu64.rsh.imm(r7, countBits),
  ldx.h(r1, r9, bucketEntry.phase),
  jne.imm(r1, phaseOf('light'), label('entry.atPlace')),
  ldx.w(r1, r9, bucketEntry.order),
  ldx.w(r2, r9, bucketEntry.served),
  jne.reg(r1, r2, label('entry.ordered')),
  plain,
  st.dw(fp, kept.kind, kindOf('plain')),
  ...seatLine(options.workers, 'entry.seat'),
  ja(queue),
  ...ordered(options),
  ...atPlace(options),
  queue,
  ...room(options.credit),
  ...numbered(extract, options),
  refuse,
  ...dropAs('workerQueue'),
  label('entry.headroom'),
  ...dropAs('headroom'),
]

/** r8 = the line of worker r7, which is kept within bounds: there is no other. `name`: of the label in it. */
const seatLine = (workers: number, name: string): Code => [
  ...bounded(r7, workers, name),
  mov64.reg(r1, r7),
  alu64.lsh.imm(r1, log2(seatEntry.stride)),
  ldMapValue(r8, bucketsMap, seatsFrom),
  alu64.add.reg(r8, r1),
]

/** r5 = the line of place r4, which is noted. */
const placeLine: Code = [
  alu64.and.imm(r4, places - 1),
  alu64.mul.imm(r4, placeEntry.stride),
  ldMapValue(r5, placesMap),
  alu64.add.reg(r5, r4),
  stx.dw(fp, kept.place, r5),
]

/** The bucket is worker r3's from here on, or everybody's. */
const give: Code = [
  ldx.dw(r2, r9, bucketEntry.word),
  alu64.lsh.imm(r2, 64 - countBits),
  alu64.rsh.imm(r2, 64 - countBits),
  mov64.reg(r7, r3),
  alu64.lsh.imm(r3, countBits),
  alu64.or.reg(r2, r3),
  stx.dw(r9, bucketEntry.word, r2),
]

const addOne = (size: 'w' | 'dw', line: Register, at: number): Code => [
  ldx[size](r2, line, at),
  alu64.add.imm(r2, 1),
  stx[size](line, at, r2),
]

/** A light bucket, and r1 an order that nobody has seen to. */
const ordered = ({ workers }: DealerOptions): Code => [
  label('entry.ordered'),
  // What user space wrote before the order's number is there once that is: for all that is read from here on.
  st.dw(fp, kept.time, 0),
  mov64.imm(r2, 0),
  atomic.xchg('dw', fp, kept.time, r2),
  ldx.w(r3, r9, bucketEntry.wish),
  jeq.imm(r3, everybody, label('entry.byPlace')),
  jgt.imm(r3, workers - 1, plain),
  jne.reg(r3, r7, label('entry.elsewhere')),
  stx.w(r9, bucketEntry.served, r1),
  ja(plain),
  label('entry.elsewhere'),
  mov64.reg(r4, r1),
  ...seatLine(workers, 'entry.from'),
  mov64.reg(r1, r4),
  ldx.dw(r2, r8, seatEntry.done),
  ldx.dw(r4, r9, bucketEntry.since),
  jlt.reg(r2, r4, label('entry.byPlace')),
  stx.w(r9, bucketEntry.served, r1),
  ...give,
  ...addOne('dw', r9, bucketEntry.moved),
  ja(plain),
  label('entry.byPlace'),
  ldx.w(r4, r9, bucketEntry.orderPlace),
  jgt.imm(r4, places - 1, plain),
  // Phase, place and order in one store: in between the bucket would look as if it were settled.
  mov64.reg(r2, r1),
  alu64.lsh.imm(r2, 16),
  alu64.or.reg(r2, r4),
  alu64.lsh.imm(r2, 16),
  alu64.or.imm(r2, phaseOf('asked')),
  ...placeLine,
  stx.w(r5, placeEntry.order, r1),
  stx.dw(r9, bucketEntry.phase, r2),
  ldx.dw(r2, r9, bucketEntry.number),
  alu64.add.imm(r2, 1),
  stx.dw(r9, bucketEntry.since, r2),
  ja(label('entry.waiting')),
]

/** A bucket at a place: r1 is its phase. */
function atPlace({ workers, credit, ring: { entries } }: DealerOptions): Code {
  const [waiting, copied, spread, deal] = ['waiting', 'copied', 'spread', 'deal'].map(l =>
    label(`entry.${l}`),
  )
  const [returns, returning, home, toQueue] = ['returns', 'returning', 'home', 'toQueue'].map(l =>
    label(`entry.${l}`),
  )
  const slack = slackOf(workers, credit, entries)
  return [
    label('entry.atPlace'),
    ldx.h(r4, r9, bucketEntry.place),
    ...placeLine,
    ldx.w(r2, r9, bucketEntry.served),
    jeq.imm(r1, phaseOf('spread'), spread),
    jeq.imm(r1, phaseOf('returning'), label('entry.isReturning')),
    ldx.w(r3, r5, placeEntry.copied),
    jne.reg(r3, r2, waiting),
    ldx.dw(r3, r5, placeEntry.first),
    ldx.dw(r4, r9, bucketEntry.since),
    jeq.reg(r3, r4, copied),

    // Its owner has it. The packet at hand carries the question if none has so far, or if that one must be lost.
    waiting,
    ldx.dw(r2, r9, bucketEntry.number),
    alu64.add.imm(r2, 1),
    ldx.dw(r3, r9, bucketEntry.since),
    mov64.reg(r4, r2),
    alu64.sub.reg(r4, r3),
    st.dw(fp, kept.kind, kindOf('copy')),
    jeq.imm(r4, 0, label('entry.asking')),
    stx.dw(r9, bucketEntry.since, r2),
    jgt.imm(r4, entries / 2, label('entry.asking')),
    stx.dw(r9, bucketEntry.since, r3),
    st.dw(fp, kept.kind, kindOf('plain')),
    label('entry.asking'),
    ...seatLine(workers, 'entry.owner'),
    ja(queue),

    copied,
    alu64.add.imm(r4, slack - 1),
    ...Array.from({ length: workers }, (_, w) => stx.dw(r5, placeEntry.limits + 8 * w, r4)),
    ...seatLine(workers, 'entry.before'),
    ldx.dw(r2, r8, seatEntry.sent),
    stx.w(r5, placeEntry.owner, r7),
    stx.dw(r5, placeEntry.until, r2),
    ldx.w(r3, r9, bucketEntry.wish),
    jeq.imm(r3, everybody, label('entry.spreads')),
    jgt.imm(r3, workers - 1, waiting),
    ...addOne('dw', r9, bucketEntry.moved),
    ja(returns),
    label('entry.spreads'),
    ...give,
    ...addOne('w', r9, bucketEntry.spread),
    st.h(r9, bucketEntry.phase, phaseOf('spread')),
    ja(deal),

    spread,
    ldx.w(r3, r9, bucketEntry.wish),
    jgt.imm(r3, workers - 1, deal),
    ...unlessDone(workers, 'entry.spreadOwner', deal),
    returns,
    ...give,
    st.h(r9, bucketEntry.phase, phaseOf('returning')),
    ja(returning),

    deal,
    ldx.dw(r7, r9, bucketEntry.number),
    alu64.add.imm(r7, 1),
    alu64.mod.imm(r7, workers),
    st.dw(fp, kept.kind, kindOf('spread')),
    ja(toQueue),

    label('entry.isReturning'),
    ldx.w(r3, r5, placeEntry.back),
    jeq.reg(r3, r2, home),
    // The slice is not written back while its old owner has packets that it works on there.
    returning,
    st.dw(fp, kept.kind, kindOf('spread')),
    ...unlessDone(workers, 'entry.oldOwner', toQueue),
    st.dw(fp, kept.kind, kindOf('back')),
    toQueue,
    ...seatLine(workers, 'entry.turn'),
    ...inReach(slack),
    ja(queue),

    // Not at rest before its next packet was put to a queue.
    home,
    st.dw(r9, bucketEntry.since, -1),
    st.h(r9, bucketEntry.phase, phaseOf('light')),
    ja(plain),
  ]
}

/** Leaves if who had the bucket before still has packets that it works on in the slice. r5 = the place's line. */
const unlessDone = (workers: number, name: string, otherwise: Label): Code => [
  ldx.w(r1, r5, placeEntry.owner),
  ...bounded(r1, workers, name),
  alu64.lsh.imm(r1, log2(seatEntry.stride)),
  ldMapValue(r2, bucketsMap, seatsFrom),
  alu64.add.reg(r2, r1),
  ldx.dw(r2, r2, seatEntry.done),
  ldx.dw(r1, r5, placeEntry.until),
  jlt.reg(r2, r1, otherwise),
]

/** Leaves for `refuse` if worker r7 is so far behind that it may still need the entry of the next number. r5 = the place's line. */
function inReach(slack: number): Code {
  const known = label('entry.inReach')
  return [
    ldx.dw(r2, r9, bucketEntry.number),
    alu64.add.imm(r2, 1),
    mov64.reg(r4, r7),
    alu64.lsh.imm(r4, 3),
    alu64.add.reg(r4, r5),
    ldx.dw(r3, r4, placeEntry.limits),
    jlt.reg(r2, r3, known),
    mov64.reg(r1, r7),
    alu64.mul.imm(r1, placeWorker.stride),
    alu64.add.reg(r1, r5),
    ldx.dw(r3, r1, placeEntry.workers + placeWorker.seen),
    alu64.add.imm(r3, slack),
    stx.dw(r4, placeEntry.limits, r3),
    jge.reg(r2, r3, refuse),
    known,
  ]
}

/** Leaves for `refuse` if the queue of the worker in r8 has no room. What it is done with is another CPU's line: looked at if need be. */
function room(credit: number): Code {
  const known = label('entry.room')
  return [
    ldx.dw(r2, r8, seatEntry.sent),
    ldx.dw(r3, r8, seatEntry.limit),
    jlt.reg(r2, r3, known),
    ldx.dw(r3, r8, seatEntry.done),
    alu64.add.imm(r3, credit),
    stx.dw(r8, seatEntry.limit, r3),
    jge.reg(r2, r3, refuse),
    known,
  ]
}

/** The packet gets its number and goes to the worker in r8, unless there is no room in front of it. */
function numbered(extract: string, { clock, timed, placed, measured, ring, layers }: DealerOptions): Code {
  const [light, unlisted, sent, quiet] = ['light', 'unlisted', 'sent', 'quiet'].map(l => label(`entry.${l}`))
  const bytes = dealtBytes(timed)
  return [
    ldx.dw(r7, r9, bucketEntry.number),
    alu64.add.imm(r7, 1),
    ...(timed
      ? [
          call(clock === 'coarse' ? 'ktime_get_coarse_ns' : 'ktime_get_ns'),
          ldMapValue(r1, mapNames.runtime),
          ldx.dw(r2, r1, runtime.start),
          alu64.sub.reg(r0, r2),
          stx.dw(fp, kept.time, r0),
          stx.dw(r1, runtime.timestamp, r0),
        ]
      : []),
    ldx.h(r1, r9, bucketEntry.phase),
    jeq.imm(r1, phaseOf('light'), light),
    ldMapValue(r1, mapNames.runtime),
    stx.dw(r1, runtime.sequence, r7),
    // What it draws is what its worker does.
    ldx.dw(r2, r9, bucketEntry.seed),
    stx.dw(r1, runtime.seed, r2),
    ...(placed ? [ldx.w(r2, r6, context.ingress), stx.w(r1, runtime.device, r2)] : []),
    ...(measured ? length(r1) : []),
    mov64.reg(r1, r6),
    callLocal(label(extract)),
    stx.dw(fp, kept.effect, r0),
    light,
    mov64.reg(r1, r6),
    mov64.imm(r2, -bytes),
    call('xdp_adjust_head'),
    jne.imm(r0, 0, label('entry.headroom')),
    ldx.w(r2, r6, context.data),
    ldx.w(r3, r6, context.dataEnd),
    mov64.reg(r1, r2),
    alu64.add.imm(r1, bytes),
    jgt.reg(r1, r3, label('entry.headroom')),
    stx.dw(r2, dealt.number, r7),
    ldx.dw(r1, fp, kept.bucket),
    stx.b(r2, dealt.bucket, r1),
    ldx.dw(r1, fp, kept.kind),
    stx.b(r2, dealt.kind, r1),
    ldx.h(r1, r9, bucketEntry.place),
    stx.b(r2, dealt.place, r1),
    ...(timed ? [ldx.dw(r1, fp, kept.time), stx.dw(r2, dealt.time, r1)] : []),
    stx.dw(r9, bucketEntry.number, r7),
    ...addOne('dw', r8, seatEntry.sent),
    ldx.h(r1, r9, bucketEntry.phase),
    jne.imm(r1, phaseOf('light'), unlisted),
    stx.dw(r9, bucketEntry.since, r2),
    ja(sent),
    unlisted,
    ...writeItem(ring),
    ldx.dw(r1, fp, kept.kind),
    jeq.imm(r1, kindOf('plain'), quiet),
    ldx.dw(r5, fp, kept.place),
    ...addOne('dw', r5, placeEntry.dealt),
    quiet,
    sent,
    ldx.w(r2, r8, seatEntry.cpu),
    ldx.w(r4, r8, seatEntry.layer),
    ...intoQueue(layers),
  ]
}

/** The length into the runtime's map at `to`. */
export const length = (to: Register): Code => [
  ldx.w(r2, r6, context.dataEnd),
  ldx.w(r3, r6, context.data),
  alu64.sub.reg(r2, r3),
  stx.w(to, runtime.originalLength, r2),
]

/** to = the address of the entry of number `number` in the ring of place r4, which is kept within bounds. */
export const entryIn = (ring: HistoryRing, to: Register, number: Register, scratch: Register): Code => [
  alu64.and.imm(r4, places - 1),
  mov64.reg(scratch, r4),
  alu64.lsh.imm(scratch, log2(ring.entries)),
  mov64.reg(to, number),
  alu64.and.imm(to, ring.entries - 1),
  alu64.add.reg(scratch, to),
  alu64.mul.imm(scratch, ringStride(ring)),
  ldMapValue(to, ringMap),
  alu64.add.reg(to, scratch),
]

/** The entry of number r7: its item, if it has an effect. */
const writeItem = (ring: HistoryRing): Code => [
  ldx.h(r4, r9, bucketEntry.place),
  ...entryIn(ring, r3, r7, r1),
  mov64.reg(r1, r7),
  alu64.lsh.imm(r1, 1),
  ldx.dw(r2, fp, kept.effect),
  alu64.and.imm(r2, 1),
  jeq.imm(r2, 0, label('entry.noEffect')),
  st.dw(r3, ringEntry.tag, 0),
  ldMapValue(r5, itemMap),
  ...copyItem(ring, r3, ringEntry.item, r5, 0, r4),
  alu64.or.imm(r1, 1),
  label('entry.noEffect'),
  stx.dw(r3, ringEntry.tag, r1),
]

const dropAs = (reason: keyof typeof dealerDrops): Code => [
  ...addOne('dw', r9, dealerDrops[reason]),
  mov64.imm(r0, drop),
  exit(),
]
