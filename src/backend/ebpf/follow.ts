// The second half of loss recovery: a worker goes through its own log from the last number that its state has seen, and
// looks in the others' for what it misses (handle_loss_recovery of Algorithm 1, paper Appendix B, without its wait).
//
//   follow(limit)   for each number above `last`, up to `limit` and at most `mostFollowed` of them:
//                     item in the own log       → advance
//                     changes nothing           → on
//                     lost                      → the other logs: an item there → advance; lost in all → on;
//                                                 one has not come so far → leave, the number is parked
//                                                 one no longer has it, and nobody else → give up, leave
//
// Nothing waits: what is parked is looked at again at the worker's next frame. Between runs everything is in the
// worker's own map. `advance` takes its item from that map. Read logs.ts first.

import { entry, entryKind, log, unsettled } from '../wasm/log.js'
import {
  alu64,
  atomic,
  callLocal,
  exit,
  ja,
  jeq,
  jgt,
  jne,
  jsge,
  jsgt,
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
  r6,
  r7,
  r8,
  r9,
  st,
  stx,
} from './asm.js'
import type { Code, Label } from './asm.js'
import {
  columnAt,
  copyAt,
  copyItem,
  countIn,
  entryAt,
  itemAt,
  logAt,
  logStride,
  ownLog,
  recoveryMap,
  tagAt,
} from './logs.js'
import type { Logs } from './logs.js'
import { mapNames, runtime } from './target.js'

/**
 * Numbers that one frame has a worker look at, at most: four times what the largest frame brings (63 items and its own
 * packet), so that a worker that is behind catches up.
 */
export const mostFollowed = 256

/** The function; it is called with the last number to look at in r1. */
export function followFunction(logs: Logs): Code {
  const [next, done, apply, seen, lost, trap] = ['next', 'done', 'apply', 'seen', 'lost', 'trap'].map(name =>
    label(`follow.${name}`),
  )
  return [
    label('follow'),
    mov64.reg(r6, r1),
    ldMapValue(r9, recoveryMap),
    st.dw(r9, columnAt('rounds'), mostFollowed),
    next,
    mayGoto(trap),
    ldx.dw(r8, r9, columnAt('last')),
    alu64.add.imm(r8, 1),
    jsgt.reg(r8, r6, done),
    ldx.dw(r1, r9, columnAt('rounds')),
    jeq.imm(r1, 0, done),
    alu64.add.imm(r1, -1),
    stx.dw(r9, columnAt('rounds'), r1),
    ...ownLog(logs, r2, r1, trap.label),
    ...entryAt(logs, r3, r2, r8),
    ldx.dw(r7, r3, tagAt),
    ...copyItem(logs, r9, copyAt + entry.item, r3, itemAt, r1),
    alu64.and.imm(r7, 3),
    jeq.imm(r7, entryKind.lost, lost),
    apply,
    jne.imm(r7, entryKind.item, seen),
    ldMapValue(r1, mapNames.runtime),
    stx.dw(r1, runtime.sequence, r8),
    callLocal(label('advance')),
    seen,
    stx.dw(r9, columnAt('last'), r8),
    ja(next),
    lost,
    ...search(logs, { apply, seen, done, trap }),
    done,
    mov64.imm(r0, 0),
    exit(),
    trap,
    mov64.imm(r0, 0),
    exit(),
  ]
}

/** Looks for number r8 in the logs of the others: goes on at `apply` with its kind in r7 and its item in the copy. */
function search(
  logs: Logs,
  { apply, seen, done, trap }: Readonly<Record<'apply' | 'seen' | 'done' | 'trap', Label>>,
): Code {
  const [other, there, all, gone, giveUp] = ['other', 'there', 'all', 'gone', 'giveUp'].map(name =>
    label(`follow.${name}`),
  )
  const barrier: Code = [mov64.imm(r2, 0), atomic.xchg('dw', r9, columnAt('fence'), r2)]
  const flag = (name: 'pending' | 'gone', value: number): Code => [st.dw(r9, columnAt(name), value)]
  return [
    ...flag('pending', 0),
    ...flag('gone', 0),
    st.dw(r9, columnAt('other'), 0),
    other,
    mayGoto(trap),
    ldx.dw(r1, r9, columnAt('other')),
    jgt.imm(r1, (logs.workers - 1) * logStride(logs), all),
    mov64.reg(r2, r1),
    alu64.add.imm(r2, logStride(logs)),
    stx.dw(r9, columnAt('other'), r2),
    ldx.dw(r2, r9, columnAt('own')),
    jeq.reg(r1, r2, other),
    ...logAt(logs, r3, r1, trap.label),
    ldx.dw(r2, r3, log.progress),
    jsge.reg(r2, r8, there),
    ...flag('pending', 1),
    ja(other),
    there,
    ...barrier,
    ...entryAt(logs, r4, r3, r8),
    ldx.dw(r7, r4, tagAt),
    ...copyItem(logs, r9, copyAt + entry.item, r4, itemAt, r1),
    ...barrier,
    // Another look: the entry may have been in the middle of being written again.
    ldx.dw(r2, r3, log.progress),
    alu64.add.imm(r2, unsettled),
    alu64.sub.reg(r2, r8),
    jsgt.imm(r2, logs.entries - 1, gone),
    // A worker that gave up has left numbers out.
    mov64.reg(r2, r7),
    alu64.rsh.imm(r2, 2),
    jne.reg(r2, r8, gone),
    alu64.and.imm(r7, 3),
    jeq.imm(r7, entryKind.lost, other),
    ...countIn('recovered', r1),
    ja(apply),
    gone,
    ...flag('gone', 1),
    ja(other),
    all,
    ldx.dw(r1, r9, columnAt('pending')),
    jne.imm(r1, 0, done),
    ldx.dw(r1, r9, columnAt('gone')),
    jne.imm(r1, 0, giveUp),
    ...countIn('everywhere', r1),
    ja(seen),
    giveUp,
    st.dw(r9, columnAt('stopped'), 1),
    ja(done),
  ]
}
