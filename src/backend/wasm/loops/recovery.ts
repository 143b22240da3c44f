// State-Compute Replication by value over a transport that loses frames (paper §3.4 and Appendix B, Algorithm 1).
//
// A worker first writes down in its log what a frame brings, and what is missing before it; publishes; and only then
// goes through its log in order. What it misses it looks for in the other logs. Nobody waits for long: where it is not
// yet decided whether a missing packet reached anybody, the worker drops its own packet as `recovering` and goes on
// from there at its next one. Read docs/recovery.md, ../log.ts and value.ts first.

import {
  atomic,
  block,
  br,
  br_if,
  drop,
  i32,
  i64,
  if_,
  label,
  local,
  loop as repeat,
  memory,
  select,
} from '../asm.js'
import type { Code, Local } from '../asm.js'
import { entry, entryBytes, entryKind, log, publishEvery, unsettled } from '../log.js'
import { context, descriptor, descriptorBytes, dropWord } from '../memory.js'
import { target } from './deal.js'
import { Loop } from './loop.js'
import type { LoopParts, Slice } from './loop.js'
import { dealtItemBytes, effectOf, flag, loadBigEndian, readProperties, sizes, slotOf } from './value.js'
import type { FrameKind } from './value.js'

/**
 * recovered(ctx, desc, count, seq, stamps): the worker's own packets, each a frame with history, unless the transport
 * has marked it as lost. Every packet gets a verdict: the program's, or a drop with its reason.
 */
export function recovered(parts: LoopParts, slice: Slice): void {
  const loop = new Loop(parts, 'recovered', ['stamps'])
  const v = variables(loop, slice, 'replicated')
  const turn = loop.countdown()
  follower(v, (frame, step) =>
    loop.each(
      [
        local.get(turn),
        if_([local.get(turn), i32.const(1), i32.sub, local.set(turn)], [loop.restart(turn), frame]),
      ],
      step,
    ),
  )
}

/**
 * dealt(ctx, desc, count, seq, stamps, targets): the same for frames of hybrid (deal.ts), of which those are the worker's own
 * whose byte at `targets` is its number. One with a light packet carries heavy items too, of all packets before it, and is
 * processed when the state has seen those; it has no item itself.
 */
export function dealt(parts: LoopParts, slice: Slice): void {
  const loop = new Loop(parts, 'dealt', ['stamps', 'targets'])
  const { ctx, targets } = loop.l
  loop.func.emit([[local.get(ctx), i32.load(context.workers), local.set(loop.declare('workers', 'i32'))]])
  const v = variables(loop, slice, 'dealt')
  follower(v, (frame, step) =>
    loop.each(
      [
        [local.get(targets), i32.load8_u(), i32.const(target.workerMask), i32.and],
        [local.get(ctx), i32.load(context.worker), i32.eq],
        if_(frame),
      ],
      [step, [local.get(targets), i32.const(1), i32.add, local.set(targets)]],
    ),
  )
}

/** A loop whose `each` runs the given code for the worker's own frames, and the step after every packet. */
function follower(v: Variables, each: (frame: Code, step: Code) => void): void {
  const { loop } = v
  const { ctx, desc } = loop.l
  const { last, logged, logs, own, mask, stride, replayed } = v
  loop.func.emit(
    [local.get(ctx), i64.load(context.last), local.set(last)],
    [local.get(ctx), i64.load(context.logged), local.set(logged)],
    [local.get(ctx), i32.load(context.logs), local.set(logs)],
    [local.get(ctx), i32.load(context.logMask), local.set(mask)],
    // As logBytes has it, for mask + 1 entries.
    [local.get(mask), i32.const(2), i32.add, i32.const(v.entrySize), i32.mul],
    [i32.const(log.entries + 63), i32.add, i32.const(-64), i32.and, local.set(stride)],
    [local.get(ctx), i32.load(context.worker), local.get(stride), i32.mul],
    [local.get(logs), i32.add, local.set(own)],
  )
  each(
    [
      [local.get(desc), i32.load(descriptor.verdict), i32.const(dropWord.lost), i32.ne],
      if_([open(v), writeLog(v), follow(v), decide(v)]),
    ],
    [local.get(desc), i32.const(descriptorBytes), i32.add, local.set(desc)],
  )
  loop.func.emit(
    [local.get(ctx), local.get(last), i64.store(context.last)],
    [local.get(ctx), local.get(logged), i64.store(context.logged)],
    count(v, context.replayed, local.get(replayed)),
  )
}

type Variables = ReturnType<typeof variables>

function variables(loop: Loop, { extract, advance, itemStride: own }: Slice, kind: FrameKind) {
  const itemStride = kind === 'dealt' ? dealtItemBytes(own) : own
  const slice = { extract, advance, itemStride }
  const size = sizes(loop, slice, kind)
  const word = (name: string): Local => loop.declare(name, 'i32')
  const wide = (name: string): Local => loop.declare(name, 'i64')
  const frame = word('frame')
  const properties = readProperties(loop, frame, size.bitmap, kind)
  /** Dealt: the packet's sequence number as the frame has it, and that of the packet or item at hand. */
  const named = kind === 'dealt' ? { own: wide('own sequence'), current: wide('sequence') } : undefined
  if (named) loop.replaceInput('sequence', local.get(named.current))
  return {
    loop,
    slice,
    size,
    entrySize: entryBytes(itemStride),
    frame,
    properties,
    named,
    /** The byte in a dealt item behind which its sequence number stands. */
    nameAt: own,
    /** The frame's number in full; of a flush and of a light packet, the next item's. */
    number: wide('number'),
    /** The last number that the state has seen, and the last one in the log. */
    last: wide('last'),
    logged: wide('logged'),
    /** The number that is being written down. */
    k: wide('k'),
    item: word('item'),
    kind: word('kind'),
    effect: word('effect'),
    flush: word('flush'),
    light: word('light'),
    /** The number has been before. */
    late: word('late'),
    /** This worker's log, worker 0's, bytes from one to the next, entries less 1. */
    own: word('own'),
    logs: word('logs'),
    stride: word('stride'),
    mask: word('mask'),
    at: word('at'),
    /** Another worker, its log, and how far it is. */
    other: word('other'),
    their: word('their'),
    progress: wide('progress'),
    /** A worker has not come to the number yet; a log no longer has it. */
    pending: word('pending'),
    gone: word('gone'),
    patience: word('patience'),
    replayed: wide('replayed'),
  }
}

/** Adds to a u64 of the context. */
const count = ({ loop: { l } }: Variables, offset: number, amount: Code = i64.const(1)): Code => [
  [local.get(l.ctx), local.get(l.ctx), i64.load(offset), amount, i64.add, i64.store(offset)],
]

/** The number of the first item in the frame. */
const oldest = ({ number, size }: Variables): Code => [
  [local.get(number), local.get(size.slots), i64.extend_i32_u, i64.sub],
]

/** Address of the entry of a number in a log. */
const entryAt = ({ mask, entrySize }: Variables, logAt: Local, number: Local): Code => [
  [local.get(logAt), i32.const(log.entries), i32.add],
  [local.get(number), i32.wrap_i64, local.get(mask), i32.and, i32.const(entrySize), i32.mul, i32.add],
]

/** Stores the tag of number k at `at`; the kind is on `kind`. */
const storeTag = ({ at, k, kind }: Variables): Code => [
  [local.get(at), local.get(k), i64.const(2), i64.shl, local.get(kind), i64.extend_i32_u, i64.or],
  i64.store(entry.tag),
]

/**
 * Makes what was written up to k visible. An exchange and not a store: nothing that is written later may be seen
 * before it, on any machine.
 */
const publish = ({ own, k }: Variables): Code => [
  [local.get(own), local.get(k), i64.atomic.rmw.xchg(log.progress), drop],
]

/** Finds the frame, its number in full, and whether there is a packet in it; takes the header off. */
function open(v: Variables): Code {
  const { loop, frame, number, logged, flush, light, late, size, properties, named } = v
  const { desc } = loop.l
  return [
    [local.get(desc), i32.load(descriptor.address), local.set(frame)],
    // The nearest number to the last one in the log with these low 32 bits.
    [local.get(logged), loadBigEndian(frame, i32.const(0), 4), local.get(logged), i64.sub],
    [i64.extend32_s, i64.add, local.set(number), i32.const(0), local.set(late)],
    named ? [local.get(frame), i32.load8_u(4), i32.const(flag.light), i32.and, local.set(light)] : [],
    [local.get(frame), i32.load8_u(4), i32.const(flag.flush), i32.and, local.tee(flush), i32.eqz],
    if_([
      [local.get(number), local.get(logged), i64.le_s, local.tee(late), i32.eqz, if_([properties])],
      [local.get(desc), local.get(frame), local.get(size.header), i32.add, i32.store(descriptor.address)],
      [local.get(desc), local.get(desc), i32.load(descriptor.length), local.get(size.header), i32.sub],
      i32.store(descriptor.length),
    ]),
  ]
}

/** Lines 5 to 14 of Algorithm 1: every number up to the frame's own gets its entry. Then they are published. */
function writeLog(v: Variables): Code {
  const { loop, number, last, logged, k, mask, flush, light, late } = v
  const { ctx } = loop.l
  const length: Code = [[local.get(mask), i64.extend_i32_u, i64.const(1), i64.add]]
  return [
    // A log that would wrap over what its own worker has not seen yet is the end of that worker, not of the others.
    [local.get(number), local.get(last), i64.sub, length, i64.gt_s],
    if_([local.get(ctx), i32.const(1), i32.store(context.stopped)]),
    [local.get(logged), i64.const(1), i64.add, local.set(k)],
    [oldest(v), local.get(k), i64.gt_s],
    if_([count(v, context.missed, [oldest(v), local.get(k), i64.sub])]),
    // What the log has no room for would only be overwritten.
    [local.get(number), length, i64.sub, local.get(k), i64.ge_s],
    if_([local.get(number), length, i64.sub, i64.const(1), i64.add, local.set(k)]),
    writeMissing(v),
    writeItems(v),
    [local.get(flush), local.get(light), i32.or, local.get(late), i32.or],
    if_([], writeOwn(v)),
    // k is one above what is written.
    [local.get(k), i64.const(1), i64.sub, local.tee(k), local.get(logged), i64.gt_s],
    if_([[local.get(k), local.set(logged)], publish(v)]),
  ]
}

/** Line 7: numbers before the oldest item of the frame. */
function writeMissing(v: Variables): Code {
  const { k, at, kind, own } = v
  const [next, done] = ['next missing', 'missing'].map(label)
  return [
    [i32.const(entryKind.lost), local.set(kind)],
    block(done, [
      repeat(next, [
        [local.get(k), oldest(v), i64.ge_s, br_if(done)],
        [entryAt(v, own, k), local.set(at), storeTag(v)],
        [local.get(k), i64.const(publishEvery - 1), i64.and, i64.eqz, if_([publish(v)])],
        [local.get(k), i64.const(1), i64.add, local.set(k), br(next)],
      ]),
    ]),
  ]
}

/** Lines 10 and 11, for the items that the frame carries. */
function writeItems(v: Variables): Code {
  const { loop, slice, size, frame, number, k, at, kind, own } = v
  const [next, done] = ['next item', 'items'].map(label)
  return block(done, [
    repeat(next, [
      [local.get(k), local.get(number), i64.ge_s, br_if(done)],
      [entryAt(v, own, k), local.set(at)],
      slotOf(loop, frame, size.slots, [local.get(k), oldest(v), i64.sub, i32.wrap_i64]),
      [i32.const(entryKind.nothing), effectOf(loop, frame), i32.add, local.set(kind)],
      [local.get(at), i32.const(entry.item), i32.add],
      [local.get(frame), local.get(size.itemsAt), i32.add],
      [local.get(loop.l.slot), i32.const(slice.itemStride), i32.mul, i32.add],
      [i32.const(slice.itemStride), memory.copy],
      storeTag(v),
      [local.get(k), i64.const(1), i64.add, local.set(k), br(next)],
    ]),
  ])
}

/** Lines 10 and 11, for the packet in the frame: its item is taken from the packet as it came. */
function writeOwn(v: Variables): Code {
  const { loop, slice, k, at, item, kind, own, named, nameAt } = v
  return [
    [local.get(k), local.set(loop.l.seq)],
    named ? [local.get(named.own), local.set(named.current)] : [],
    [entryAt(v, own, k), local.tee(at), i32.const(entry.item), i32.add, local.set(item)],
    loop.openPacket(),
    loop.inline(
      slice.extract,
      result => [result, i32.const(0), i32.ne, i32.const(entryKind.nothing), i32.add, local.set(kind)],
      item,
    ),
    named ? [local.get(item), local.get(named.own), i64.store(nameAt)] : [],
    storeTag(v),
    [local.get(k), i64.const(1), i64.add, local.set(k)],
  ]
}

/** Goes through the log up to the frame's packet: advances with what is there, and looks for what is not. */
function follow(v: Variables): Code {
  const { loop, slice, number, last, logged, own, at, kind, item, late, patience, replayed } = v
  const { named, nameAt } = v
  const { ctx, seq } = loop.l
  const [next, done] = ['next entry', 'followed'].map(label)
  return block(done, [
    [local.get(ctx), i32.load(context.stopped), br_if(done)],
    [local.get(ctx), i32.load(context.patience), local.set(patience)],
    repeat(next, [
      [local.get(last), i64.const(1), i64.add, local.tee(seq)],
      [local.get(number), local.get(logged), i64.const(1), i64.add, local.get(late), i32.eqz],
      [select, i64.ge_s, br_if(done)],
      [entryAt(v, own, seq), local.tee(at), i64.load(entry.tag), i32.wrap_i64],
      [i32.const(3), i32.and, local.set(kind)],
      [local.get(at), i32.const(entry.item), i32.add, local.set(item)],
      [local.get(kind), i32.const(entryKind.lost), i32.eq, if_(search(v, done))],
      [local.get(kind), i32.const(entryKind.item), i32.eq],
      if_([
        named ? [local.get(item), i64.load(nameAt), local.set(named.current)] : [],
        loop.inline(slice.advance, () => [], item),
        [local.get(replayed), i64.const(1), i64.add, local.set(replayed)],
      ]),
      [local.get(seq), local.set(last), br(next)],
    ]),
  ])
}

/**
 * handle_loss_recovery of Algorithm 1, without its endless wait: leaves kind and item as the number has them in some
 * other log, or kind `nothing` if nobody has it; or leaves to `undecided`.
 */
function search(v: Variables, undecided: ReturnType<typeof label>): Code {
  const { loop, logs, stride, other, their, progress, kind, item, mask, entrySize } = v
  const { pending, gone, patience } = v
  const { ctx, seq, workers } = loop.l
  const [again, decided, all, next, skip] = ['again', 'decided', 'all', 'next worker', 'skip'].map(label)
  return block(decided, [
    repeat(again, [
      [i32.const(0), local.tee(pending), local.tee(gone), local.set(other)],
      block(all, [
        repeat(next, [
          [local.get(other), local.get(workers), i32.ge_u, br_if(all)],
          block(skip, [
            [local.get(other), local.get(ctx), i32.load(context.worker), i32.eq, br_if(skip)],
            [local.get(logs), local.get(other), local.get(stride), i32.mul, i32.add, local.tee(their)],
            [i64.atomic.load(log.progress), local.get(seq), i64.lt_s],
            if_([i32.const(1), local.set(pending), br(skip)]),
            // The copy stands at the end of this worker's own log.
            [local.get(v.own), local.get(stride), i32.add, i32.const(entrySize), i32.sub, local.tee(item)],
            [entryAt(v, their, seq), i32.const(entrySize), memory.copy],
            atomic.fence,
            [local.get(their), i64.atomic.load(log.progress), local.set(progress)],
            [local.get(progress), i64.const(unsettled), i64.add],
            [local.get(seq), local.get(mask), i64.extend_i32_u, i64.add, i64.gt_s],
            // A worker that gave up may have left numbers out.
            [local.get(item), i64.load(entry.tag), i64.const(2), i64.shr_u, local.get(seq), i64.ne, i32.or],
            if_([i32.const(1), local.set(gone), br(skip)]),
            [local.get(item), i64.load(entry.tag), i32.wrap_i64, i32.const(3), i32.and, local.tee(kind)],
            [i32.const(entryKind.lost), i32.eq, br_if(skip)],
            [local.get(item), i32.const(entry.item), i32.add, local.set(item)],
            [count(v, context.recovered), br(decided)],
          ]),
          [local.get(other), i32.const(1), i32.add, local.set(other), br(next)],
        ]),
      ]),
      local.get(pending),
      if_([
        [local.get(patience), i32.eqz, br_if(undecided)],
        [local.get(patience), i32.const(1), i32.sub, local.set(patience), br(again)],
      ]),
    ]),
    local.get(gone),
    if_([local.get(ctx), i32.const(1), i32.store(context.stopped), br(undecided)]),
    [i32.const(entryKind.nothing), local.set(kind), count(v, context.everywhere)],
  ])
}

/** The packet's verdict: the program's, if the state has seen everything before it. */
function decide(v: Variables): Code {
  const { loop, number, last, flush, light, late, named } = v
  const { ctx, desc, seq, i } = loop.l
  const process: Code = named
    ? [
        [local.get(named.own), local.set(named.current), local.get(light), i32.eqz],
        if_([local.get(number), local.set(last)]),
        [loop.process(), loop.stamp(i)],
      ]
    : [[local.get(number), local.tee(seq), local.set(last)], loop.process(), loop.stamp(i)]
  const dropped = (reason: 'late' | 'unrecoverable' | 'recovering'): Code => [
    [local.get(desc), i32.const(dropWord[reason]), i32.store(descriptor.verdict)],
    count(v, context[reason]),
  ]
  const behind: Code = [
    [local.get(ctx), i32.load(context.stopped)],
    if_([dropped('unrecoverable')], [dropped('recovering')]),
  ]
  return [
    [local.get(flush), i32.eqz],
    if_([
      local.get(late),
      if_(
        [dropped('late')],
        [[local.get(last), i64.const(1), i64.add, local.get(number), i64.eq], if_(process, behind)],
      ),
    ]),
  ]
}
