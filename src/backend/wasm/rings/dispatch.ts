// From verdicts to rings: what a program decided about received packets is done, without JavaScript and without copies.
//
// A packet that goes somewhere is posted to the TX ring of the socket there; the frame of any other goes back to FILL at
// once. Nothing here waits: where a TX ring is full, the packet is dropped and counted. The kernel sees the new entries
// of each ring once per batch.

import { block, br, br_if, i32, i64, if_, label, local, loop } from '../asm.js'
import type { Code } from '../asm.js'
import { descriptor, descriptorBytes } from '../memory.js'
import type { Module } from '../module.js'
import { ringDescriptorBytes, socket, target, targetBytes } from './memory.js'
import { count as countOne, giveBack, release, showFill, take } from './step.js'

/** Verdict numbers in the low byte, XDP's; a redirect has the number of an interface above it. */
const verdictMask = 0xff
const [DROP, PASS, TRANSMIT, REDIRECT] = [1, 2, 3, 4]

/**
 * dispatch(socket, desc, count): carries out the verdicts of `count` packets that the socket received. The descriptors
 * are used up: their memory holds a list of frames afterwards.
 */
export function dispatch(module: Module): void {
  const func = module.func('dispatch', { socket: 'i32', desc: 'i32', count: 'i32' }, [])
  module.export('dispatch', func)
  const { socket: at, desc, count } = func.params
  const [left, verdict, list, returned, to, memory, home, lock, room, entry, k, counter] = [
    'left', 'verdict', 'list', 'returned', 'to', 'memory', 'home', 'lock', 'room', 'entry', 'k', 'counter',
  ].map(name => func.local(name, 'i32')) // prettier-ignore
  const [next, decided, posted, search, fill, shown] = [
    'next', 'decided', 'posted', 'search', 'fill', 'shown',
  ].map(label) // prettier-ignore

  /** Where the descriptor's packet is, from the start of the packet memory. */
  const relative: Code = [local.get(desc), i32.load(descriptor.address), local.get(memory), i32.sub]
  /** What becomes of the packet is counted there. */
  const counted = (offset: number): Code => [local.get(at), i32.const(offset), i32.add, local.set(counter)]
  const nowhere: Code = [i32.const(0), local.set(to)]
  /** `to` is the block of the socket that the packet goes to, or 0; `counter` is where that is counted. */
  const decide: Code = block(decided, [
    [local.get(at), i32.load(socket.forward)],
    if_([
      [local.get(at), i32.load(socket.kernel), local.set(to)],
      [counted(socket.redirected), br(decided)],
    ]),
    [local.get(desc), i32.load(descriptor.verdict), i32.const(verdictMask), i32.and, local.tee(verdict)],
    [i32.const(DROP), i32.eq],
    if_([nowhere, counted(socket.dropped), br(decided)]),
    [local.get(verdict), i32.const(TRANSMIT), i32.eq],
    if_([[local.get(at), local.set(to)], counted(socket.transmitted), br(decided)]),
    [local.get(verdict), i32.const(PASS), i32.eq],
    if_([
      [local.get(at), i32.load(socket.kernel), local.tee(to)],
      if_(counted(socket.passed), counted(socket.noKernel)),
      br(decided),
    ]),
    nowhere,
    [local.get(verdict), i32.const(REDIRECT), i32.eq],
    if_([
      [local.get(at), i32.load(socket.targets), local.set(entry)],
      [local.get(at), i32.load(socket.targetCount), local.tee(k)],
      if_([
        loop(search, [
          [local.get(entry), i32.load(target.device)],
          [local.get(desc), i32.load(descriptor.verdict), i32.const(8), i32.shr_u, i32.eq],
          if_([
            [local.get(entry), i32.load(target.socket), local.set(to)],
            [counted(socket.redirected), br(decided)],
          ]),
          [local.get(entry), i32.const(targetBytes), i32.add, local.set(entry)],
          [local.get(k), i32.const(1), i32.sub, local.tee(k), br_if(search)],
        ]),
      ]),
      [counted(socket.noTarget), br(decided)],
    ]),
    counted(socket.aborted),
  ])
  const countIt: Code = countOne(counter, 0)
  /** Posts the packet to the TX ring of `to`, if it has room, and leaves `posted`. */
  const post: Code = [
    [local.get(to), i32.load(socket.sendWritten)],
    [local.get(to), i32.load(socket.sendConsumer), i32.atomic.load(), i32.sub],
    [local.get(to), i32.load(socket.sendMask), i32.le_u],
    if_([
      [local.get(to), i32.load(socket.sendFirst)],
      [local.get(to), i32.load(socket.sendWritten), local.get(to), i32.load(socket.sendMask), i32.and],
      [i32.const(Math.log2(ringDescriptorBytes)), i32.shl, i32.add, local.tee(entry)],
      [relative, i64.extend_i32_u, i64.store()],
      [local.get(entry), local.get(desc), i64.load32_u(descriptor.length), i64.store(8)],
      [local.get(to), local.get(to), i32.load(socket.sendWritten), i32.const(1), i32.add],
      i32.store(socket.sendWritten),
      countIt,
      br(posted),
    ]),
    counted(socket.sendRingFull),
  ]
  /** Shows the kernel what was written to the TX ring of `to`. */
  const show: Code = [
    [local.get(to), i32.load(socket.sendWritten)],
    [local.get(to), i32.load(socket.sendProducer), i32.load(), i32.sub, local.tee(room)],
    if_([
      [local.get(to), i32.load(socket.sendProducer), local.get(to), i32.load(socket.sendWritten)],
      i32.atomic.store(),
      [local.get(to), local.get(to), i32.load(socket.pending), local.get(room), i32.add],
      i32.store(socket.pending),
      [local.get(to), local.get(to), i64.load(socket.posted), local.get(room), i64.extend_i32_u, i64.add],
      i64.store(socket.posted),
    ]),
  ]

  func.emit(
    [local.get(at), i32.load(socket.memory), local.set(memory)],
    [local.get(at), i32.load(socket.pool), local.set(home)],
    [local.get(at), i32.load(socket.lock), local.set(lock)],
    [local.get(desc), local.set(list)],
    [local.get(count), local.tee(left), i32.eqz, br_if(func.exit)],
    loop(next, [
      block(posted, [
        decide,
        [local.get(to), if_(post)],
        countIt,
        // The list never overtakes the descriptors it is written over.
        [local.get(list), local.get(returned), i32.const(2), i32.shl, i32.add, relative, i32.store()],
        [local.get(returned), i32.const(1), i32.add, local.set(returned)],
      ]),
      [local.get(desc), i32.const(descriptorBytes), i32.add, local.set(desc)],
      [local.get(left), i32.const(1), i32.sub, local.tee(left), br_if(next)],
    ]),
    local.get(returned),
    if_([
      take(func, lock),
      loop(fill, [
        giveBack(home, [local.get(list), i32.load()]),
        [local.get(list), i32.const(4), i32.add, local.set(list)],
        [local.get(returned), i32.const(1), i32.sub, local.tee(returned), br_if(fill)],
      ]),
      showFill(home),
      release(lock),
    ]),
    [local.get(at), local.set(to), show],
    [local.get(at), i32.load(socket.kernel), local.tee(to)],
    if_(show),
    [local.get(at), i32.load(socket.targets), local.set(entry)],
    [local.get(at), i32.load(socket.targetCount), local.tee(k)],
    if_([
      loop(shown, [
        [local.get(entry), i32.load(target.socket), local.set(to), show],
        [local.get(entry), i32.const(targetBytes), i32.add, local.set(entry)],
        [local.get(k), i32.const(1), i32.sub, local.tee(k), br_if(shown)],
      ]),
    ]),
  )
}
