// Buckets that change their worker, in bytecode: what strategy rebalanced has beyond strategy sharded (steering.ts).
//
//   on interfaces: hash → bucket → the worker that has it → room in its queue? → CPU map
//   worker:        hash → bucket → the program on the bucket's slice of state → done
//
// At most one worker has packets of a bucket in its queue at any time. Who has a bucket, and how many packets came for it,
// is one word: a packet adds one to it and has learned in the same step where it must go. User space writes a wish; it
// is granted when a packet finds that all before it are done or were dropped, by exchanging the word if it is still
// as it was. A packet of another CPU that came in between has changed it, so the exchange fails, and a later packet tries
// again. The last thing a worker does with a packet's state is to count it as done, as an atomic operation that orders
// memory; the exchange is one too. So the next worker sees all of the state, no packet is lost or handled twice, and
// those of a bucket stay in order.
//
// A queue that is never empty would never let a bucket go that always has a packet in it. That is so where a worker is
// given more than it can do: its queue is full, and packets are dropped whatever happens. Then those are dropped that
// are of a bucket that is to go, as soon as the queue is as good as full, until the last of them is done: a queue's length.
//
// A packet is counted against its worker's queue before it is put there, so that the kernel never finds a queue full, and
// all losses are known by bucket. What is lost all the same is never done: its bucket stays where it is.

import type { Func } from '../../ir/types.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import { alu64, atomic, callLocal, exit, ja, jge, jgt, jlt, jne, label, ldMapValue } from './asm.js'
import { ldx, mov64, r0, r1, r2, r3, r4, r6, r7, r8, r9, stx } from './asm.js'
import type { Code } from './asm.js'
import { bucketEntry, bucketsMap, countBits, seatEntry, seatsFrom } from './buckets-map.js'
import { verdictNames } from './entry.js'
import { verdict } from './frame.js'
import { called, finishFunctions, isRefusal } from './program.js'
import type { BpfCode, StackRefusal } from './program.js'
import { select } from './select.js'
import { intoQueue } from './queues.js'
import { inSlice } from './slices.js'
import type { Slices } from './slices.js'
import { assembled, entryFrame, handWritten, mostShards } from './steering.js'
import { mapNames, runtime } from './target.js'
import type { Target } from './target.js'

const drop = verdictNames.indexOf('drop')
const { log2 } = Math

export interface DirectorOptions {
  readonly workers: number
  /** CPU maps that there are. */
  readonly layers: number
  /** Frames that are put to a worker's queue before it is done with one. */
  readonly credit: number
}

/** Frames in a queue that is as good as full: workers take eight at a time. */
export const nearlyFull = (credit: number): number => credit - Math.max(8, Math.floor(credit / 8))

/** The program on interfaces. Any number of CPUs may run it at the same time. */
export function compileDirector(
  steer: Func,
  target: Target,
  options: DirectorOptions,
): BpfCode | StackRefusal {
  const made = finishFunctions([select(steer, target, true)], [steer.name], entryFrame)
  if (isRefusal(made)) return made
  return assembled([handWritten('entry', directorEntry(steer.name, options)), ...made.functions])
}

/** r9 = the bucket's line, r6 = its worker's. */
function directorEntry(steer: string, options: DirectorOptions): Code {
  const [moving, send, refuse] = ['moving', 'send', 'refuse'].map(l => label(`entry.${l}`))
  return [
    label('entry'),
    callLocal(label(steer)),
    ...bucketLine,
    mov64.imm(r8, 1),
    atomic.fetchAdd('dw', r9, bucketEntry.word, r8),
    mov64.reg(r7, r8),
    alu64.rsh.imm(r7, countBits),
    ldx.w(r1, r9, bucketEntry.wish),
    jne.reg(r1, r7, moving),
    send,
    ...seatLine(options.workers, 'entry.seat'),
    ...room(options.credit, refuse),
    ldx.w(r2, r6, seatEntry.cpu),
    ldx.w(r4, r6, seatEntry.layer),
    ...intoQueue(options.layers),
    moving,
    ...exchange(options, send),
    refuse,
    mov64.imm(r1, -1),
    atomic.add('dw', r6, seatEntry.sent, r1),
    ...dropAs('workerQueue'),
  ]
}

/** r9 = the line of the bucket of the hash in r0. */
const bucketLine: Code = [
  alu64.and.imm(r0, indirectionEntries - 1),
  alu64.lsh.imm(r0, log2(bucketEntry.stride)),
  ldMapValue(r9, bucketsMap),
  alu64.add.reg(r9, r0),
]

/** r6 = the line of worker r7, which is kept within bounds: there is no other. `name`: of the label in it. */
const seatLine = (workers: number, name: string): Code => {
  const good = label(name)
  return [
    mov64.reg(r1, r7),
    jlt.imm(r1, workers, good),
    mov64.imm(r1, 0),
    good,
    alu64.lsh.imm(r1, log2(seatEntry.stride)),
    ldMapValue(r6, bucketsMap, seatsFrom),
    alu64.add.reg(r6, r1),
  ]
}

/** Counts the packet against the queue, or leaves for `refuse`. What the worker has done is another CPU's line: looked at if need be. */
function room(credit: number, refuse: ReturnType<typeof label>): Code {
  const known = label('entry.room')
  return [
    mov64.imm(r2, 1),
    atomic.fetchAdd('dw', r6, seatEntry.sent, r2),
    ldx.dw(r3, r6, seatEntry.limit),
    jlt.reg(r2, r3, known),
    ldx.dw(r3, r6, seatEntry.done),
    alu64.add.imm(r3, credit),
    // Another CPU may have written a later one: then it is looked at again too early.
    stx.dw(r6, seatEntry.limit, r3),
    jge.reg(r2, r3, refuse),
    known,
  ]
}

/** r1 is another worker than r7, and r8 the word before this packet. Goes to `send` with the worker in r7, or drops. */
function exchange({ workers, credit }: DirectorOptions, send: ReturnType<typeof label>): Code {
  const busy = label('entry.busy')
  return [
    jgt.imm(r1, workers - 1, send),
    mov64.reg(r2, r8),
    alu64.lsh.imm(r2, 64 - countBits),
    alu64.rsh.imm(r2, 64 - countBits),
    ldx.dw(r3, r9, bucketEntry.done),
    ldx.dw(r4, r9, bucketEntry.workerQueue),
    alu64.add.reg(r3, r4),
    ldx.dw(r4, r9, bucketEntry.handover),
    alu64.add.reg(r3, r4),
    jne.reg(r2, r3, busy),
    // Packets of the bucket are counted on by its new worker.
    alu64.add.imm(r8, 1),
    alu64.add.imm(r2, 1),
    mov64.reg(r3, r1),
    alu64.lsh.imm(r3, countBits),
    alu64.or.reg(r2, r3),
    mov64.reg(r0, r8),
    atomic.cmpxchg('dw', r9, bucketEntry.word, r2),
    jne.reg(r0, r8, busy),
    mov64.reg(r7, r1),
    mov64.imm(r1, 1),
    atomic.add('dw', r9, bucketEntry.moved, r1),
    ja(send),
    busy,
    ...seatLine(workers, 'entry.busySeat'),
    ldx.dw(r2, r6, seatEntry.sent),
    ldx.dw(r3, r6, seatEntry.done),
    alu64.sub.reg(r2, r3),
    jlt.imm(r2, nearlyFull(credit), send),
    ...dropAs('handover'),
  ]
}

const dropAs = (reason: 'workerQueue' | 'handover'): Code => [
  mov64.imm(r1, 1),
  atomic.add('dw', r9, bucketEntry[reason], r1),
  mov64.imm(r0, drop),
  exit(),
]

/** A worker: the program at the end of a queue, on the slice of the packet's bucket. */
export function compileBucketWorker(
  functions: readonly Func[],
  steer: Func,
  target: Target,
  slices: Slices,
): BpfCode | StackRefusal {
  const main = functions.find(f => f.name === 'main')!
  const machines = [...called(functions, [main]), steer].map(f =>
    select(f, target, f === main || f === steer),
  )
  const made = finishFunctions(machines, [main.name, steer.name], entryFrame, inSlice(slices))
  if (isRefusal(made)) return made
  return assembled([handWritten('entry', workerEntry(steer.name)), ...made.functions])
}

const workerEntry = (steer: string): Code => [
  label('entry'),
  mov64.reg(r6, r1),
  callLocal(label(steer)),
  ldMapValue(r1, mapNames.runtime),
  alu64.and.imm(r0, indirectionEntries - 1),
  stx.w(r1, runtime.slice, r0),
  ...bucketLine,
  // The packet's number is its number in the bucket: what is oldest in a slice stays so in other hands.
  ldx.dw(r2, r9, bucketEntry.done),
  alu64.add.imm(r2, -1),
  stx.dw(r1, runtime.sequence, r2),
  ldx.dw(r2, r9, bucketEntry.seed),
  stx.dw(r1, runtime.seed, r2),
  // Out of the queue.
  ldx.w(r2, r1, runtime.worker),
  alu64.and.imm(r2, mostShards - 1),
  alu64.lsh.imm(r2, log2(seatEntry.stride)),
  ldMapValue(r3, bucketsMap, seatsFrom),
  alu64.add.reg(r3, r2),
  ldx.dw(r2, r3, seatEntry.done),
  alu64.add.imm(r2, 1),
  stx.dw(r3, seatEntry.done, r2),
  mov64.reg(r1, r6),
  callLocal(label('main')),
  mov64.reg(r8, r0),
  mov64.imm(r1, 1),
  // With what was there before, which nobody wants, it orders memory.
  atomic.fetchAdd('dw', r9, bucketEntry.done, r1),
  mov64.reg(r0, r8),
  ...verdict(false),
]
