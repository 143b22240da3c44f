// One state for all workers: a loop per form of sharing. What each form needs stands in section.ts.
//
// shared:FORM(ctx, desc, count, seq, commits, lock, stamps): the worker's own packets. In a checking run (commits is not
// 0) each packet leaves evidence of the order things happened in: a commit number drawn while it holds what keeps others
// out, or, where nothing does, a record of ../memory.ts (evidence), from which engine/commit-order.ts finds the order.

import type { Func as IrFunc } from '../../../ir/types.js'
import { call, global, i32, i64, if_, local } from '../asm.js'
import type { Code, Local } from '../asm.js'
import { context, evidence, evidenceBytes, locks } from '../memory.js'
import { Loop } from './loop.js'
import type { LoopParts } from './loop.js'
import { acquire, draw, free } from './section.js'
import type { Section } from './section.js'

type Form = 'none' | 'atomics' | 'key-lock' | 'program-lock'
type SharedParts = LoopParts & { readonly section: Section }

/** The loops of all forms that the source has. */
export function shared(parts: SharedParts): void {
  for (const [form, main] of parts.source.shared ?? new Map([['program-lock', parts.source.main]]))
    sharedLoop(parts, form as Form, main)
}

function sharedLoop(parts: SharedParts, form: Form, main: IrFunc): void {
  const loop = new Loop(parts, `shared:${form}`, ['commits', 'lock', 'stamps'])
  const { commits, ctx, lock } = loop.l
  const { section } = parts
  const turn = loop.countdown()
  const ifChecking = (code: Code): Code => [local.get(commits), if_(code)]
  loop.func.emit(
    [local.get(ctx), i32.load(context.whole)],
    if_([i32.const(0), local.set(turn), i32.const(1), local.set(loop.l.workers)]),
    [local.get(lock), global.set(section.base)],
    [local.get(ctx), i32.load(context.workers), global.set(section.workers)],
    [local.get(commits), i32.const(0), i32.ne, global.set(section.checking)],
    [local.get(lock), i32.const(locks.inside), i32.add],
    [local.get(ctx), i32.load(context.worker), i32.const(locks.insideBytes), i32.mul],
    [i32.add, global.set(section.own)],
  )
  const [packet, after] = bodies[form](loop, section, main, ifChecking)
  const sections = form === 'atomics' || form === 'key-lock'
  if (sections) loop.func.emit(call(section.enter))
  loop.each(
    [
      local.get(turn),
      if_(
        [local.get(turn), i32.const(1), i32.sub, local.set(turn)],
        [loop.restart(turn), sections ? atTheGate(lock, section) : [], packet, after, loop.stamp(loop.l.i)],
      ),
    ],
    [
      loop.nextPacket(),
      ifChecking([
        [local.get(commits), i32.const(form === 'atomics' ? evidenceBytes : 4)],
        [i32.add, local.set(commits)],
      ]),
    ],
  )
  if (sections) loop.func.emit(call(section.leave))
}

/** Lets others be alone, if one waits. */
const atTheGate = (lock: Local, { enter, leave }: Section): Code => [
  [local.get(lock), i32.atomic.load(locks.gate)],
  if_([call(leave), call(enter)]),
]

type Body = (
  loop: Loop,
  section: Section,
  main: IrFunc,
  ifChecking: (code: Code) => Code,
) => readonly [packet: Code, after: Code]

const bodies: Readonly<Record<Form, Body>> = {
  // Nothing is written, so any order is as good as another.
  none: (loop, section, main, ifChecking) => [
    loop.process(main),
    ifChecking([local.get(loop.l.commits), draw(section), i32.store()]),
  ],
  'program-lock': (loop, _, main, ifChecking) => {
    const { commits, lock } = loop.l
    const drawn: Code = [
      [local.get(lock), local.get(lock), i32.load(locks.commits)],
      [i32.const(1), i32.add, i32.store(locks.commits)],
      [local.get(commits), local.get(lock), i32.load(locks.commits), i32.store()],
    ]
    const word: Code = [local.get(lock), i32.const(locks.program), i32.add]
    return [[acquire(loop.func, word), ifChecking(drawn), loop.process(main)], free(word)]
  },
  // The number is drawn by lock or alone; a packet that touches nothing under a key may have any.
  'key-lock': (loop, section, main, ifChecking) => {
    const { commits } = loop.l
    const { alone, order, release, stripe } = section
    const drawn: Code = [
      [global.get(order), i32.eqz, if_([draw(section), global.set(order)])],
      [local.get(commits), global.get(order), i32.store()],
    ]
    return [
      [i32.const(0), global.set(order), loop.process(main)],
      [ifChecking(drawn), global.get(alone), global.get(stripe), i32.or, if_([call(release)])],
    ]
  },
  // Nothing keeps others out while a number is added to. What the addition found, and the numbers drawn around it, are
  // the evidence; alone, the packet has one number.
  atomics: (loop, section, main, ifChecking) => {
    const { commits } = loop.l
    const { alone, order, release } = section
    const note = (offset: number, value: Code): Code => [local.get(commits), value, i32.store(offset)]
    const noteWide = (offset: number, value: Local): Code => [
      [local.get(commits), local.get(value), value.type === 'i32' ? i64.extend_i32_u : []],
      i64.store(offset),
    ]
    loop.noteAdditions((place, before, amount) =>
      ifChecking([
        note(evidence.place, local.get(place)),
        noteWide(evidence.before, before),
        noteWide(evidence.amount, amount),
      ]),
    )
    const begin: Code = [note(evidence.place, i32.const(0)), note(evidence.begin, draw(section))]
    const end: Code = [
      global.get(alone),
      if_(
        [note(evidence.begin, global.get(order)), note(evidence.end, global.get(order))],
        note(evidence.end, draw(section)),
      ),
    ]
    return [
      [ifChecking(begin), loop.process(main)],
      [ifChecking(end), global.get(alone), if_([call(release)])],
    ]
  },
}
