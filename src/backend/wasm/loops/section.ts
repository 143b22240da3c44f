// Locks and sections of workers that share one state, as functions of the module.
//
// A worker is *inside* from before it touches state until after; while the gate is closed nobody goes inside. Whoever
// wants to be alone takes the program lock, closes the gate and waits until all others are outside. Workers stay inside
// from packet to packet and look at the gate between two of them, so that the common case costs one load of a word that
// rarely changes. A key's lock is one of 1,024 stripes. Whoever waits spins briefly and then sleeps. What a worker holds
// stands in globals, which every instance has for itself; virtual workers change places only between packets.
// Read ../memory.ts (locks) first; src/transform/expand/shared.ts makes the calls.

import {
  block,
  br,
  br_if,
  call,
  drop,
  global,
  i32,
  i64,
  if_,
  label,
  local,
  loop,
  memory,
  return_,
} from '../asm.js'
import type { Code } from '../asm.js'
import { locks } from '../memory.js'
import type { Func, Global, Module } from '../module.js'

/** Tries before a worker sleeps. */
const spinsBeforeSleep = 200
/** Nanoseconds of a sleep on a worker that is inside: it tells nobody when it is done with one packet of many. */
const napNanoseconds = 50_000n

export interface Section {
  /** Address of the lock area, of the worker's own inside word, and how many workers there are: set before anything. */
  readonly base: Global
  readonly own: Global
  readonly workers: Global
  /** 1 if packets draw commit numbers. */
  readonly checking: Global
  /** 1 while alone; the address of the stripe held, or 0; the commit number drawn last. */
  readonly alone: Global
  readonly stripe: Global
  readonly order: Global
  /** Goes inside; leaves; between packets while the gate is closed: leaves and goes inside again. */
  readonly enter: Func
  readonly leave: Func
  /** After a packet: gives up what it held. */
  readonly release: Func
  /** By the names that transform/expand/shared.ts calls. */
  readonly calls: ReadonlyMap<string, Func>
}

/** Draws a commit number; pushes it. */
export const draw = (section: Pick<Section, 'base'>): Code => [
  [global.get(section.base), i32.const(1), i32.atomic.rmw.add(locks.commits)],
  [i32.const(1), i32.add],
]

/** Takes, in place, the lock word at an address that `address` pushes (Drepper, "Futexes Are Tricky", mutex 2). */
export function acquire(func: Func, address: Code): Code {
  const taken = label('taken')
  const again = label('again')
  const spin = func.local('spin', 'i32')
  return block(taken, [
    [i32.const(spinsBeforeSleep), local.set(spin)],
    loop(again, [
      [address, i32.const(0), i32.const(1), i32.atomic.rmw.cmpxchg()],
      [i32.eqz, br_if(taken)],
      [local.get(spin), i32.const(1), i32.sub, local.tee(spin), br_if(again)],
    ]),
    loop(again, [
      [address, i32.const(2), i32.atomic.rmw.xchg(), i32.eqz, br_if(taken)],
      [address, i32.const(2), i64.const(-1), memory.atomic.wait32(), drop, br(again)],
    ]),
  ])
}

/** Gives it up. */
export const free = (address: Code): Code => [
  [address, i32.const(0), i32.atomic.rmw.xchg(), i32.const(2), i32.eq],
  if_([address, i32.const(1), memory.atomic.notify(), drop]),
]

/** The mutex of one lock word as two functions of its address. */
function mutex(module: Module): { lock: Func; unlock: Func } {
  const lock = module.func('lock', { word: 'i32' }, [])
  lock.emit(acquire(lock, local.get(lock.params.word)))
  const unlock = module.func('unlock', { word: 'i32' }, [])
  unlock.emit(free(local.get(unlock.params.word)))
  return { lock, unlock }
}

/** Declares globals and functions. */
export function section(module: Module): Section {
  const state = (name: string): Global => module.global(name, 'i32', 0)
  const base = state('locks')
  const own = state('inside')
  const workers = state('workers')
  const checking = state('checking')
  const alone = state('alone')
  const stripe = state('stripe')
  const order = state('order')
  const { lock, unlock } = mutex(module)
  const program: Code = [global.get(base), i32.const(locks.program), i32.add]
  const gate: Code = [global.get(base), i32.const(locks.gate), i32.add]
  const ifChecking = (code: Code): Code => [global.get(checking), if_(code)]
  const drawn: Code = ifChecking([draw({ base }), global.set(order)])

  const leave = module.func('leave', {}, [])
  leave.emit(
    [global.get(own), i32.const(0), i32.atomic.store()],
    [global.get(own), i32.const(1), memory.atomic.notify(), drop],
  )

  const enter = module.func('enter', {}, [])
  const again = label('again')
  enter.emit(
    loop(again, [
      [global.get(own), i32.const(1), i32.atomic.store()],
      [gate, i32.atomic.load(), i32.eqz, if_([return_])],
      call(leave),
      [gate, i32.const(1), i64.const(-1), memory.atomic.wait32(), drop, br(again)],
    ]),
  )

  const goAlone = module.func('alone', {}, [])
  goAlone.emit(
    [global.get(alone), if_([return_])],
    [global.get(stripe), if_([global.get(stripe), call(unlock), i32.const(0), global.set(stripe)])],
    [call(leave), program, call(lock)],
    [gate, i32.const(1), i32.atomic.store()],
    waitForAll(goAlone, { base, workers }),
    [i32.const(1), global.set(alone)],
    drawn,
  )

  const release = module.func('release', {}, [])
  release.emit(
    global.get(alone),
    if_(
      [
        [i32.const(0), global.set(alone)],
        [gate, i32.const(0), i32.atomic.store()],
        [gate, i32.const(-1), memory.atomic.notify(), drop],
        [program, call(unlock), call(enter)],
      ],
      [global.get(stripe), if_([global.get(stripe), call(unlock), i32.const(0), global.set(stripe)])],
    ),
  )

  const lockKey = module.func('lockKey', { hash: 'i32' }, [])
  const word = lockKey.local('word', 'i32')
  lockKey.emit(
    [global.get(alone), global.get(stripe), i32.or, if_([return_])],
    // Fibonacci hashing: the top bits of the product, which neighbouring numbers fill evenly.
    [local.get(lockKey.params.hash), i32.const(-1_640_531_535), i32.mul],
    [i32.const(32 - locks.stripeBits), i32.shr_u, i32.const(2), i32.shl],
    [global.get(base), i32.add, i32.const(locks.stripes), i32.add, local.tee(word), call(lock)],
    [local.get(word), global.set(stripe)],
    drawn,
  )

  // For tests: sleeps now and then, where a program was made to be shaken.
  const nap = module.func('nap', {}, [])
  const drowsy = state('drowsy')
  nap.emit(
    [
      global.get(drowsy),
      i32.const(1_664_525),
      i32.mul,
      i32.const(1_013_904_223),
      i32.add,
      global.set(drowsy),
    ],
    [global.get(drowsy), i32.const(29), i32.shr_u, i32.eqz],
    if_([global.get(base), i32.const(0), i64.const(1000n), memory.atomic.wait32(locks.never), drop]),
  )

  const calls = new Map<string, Func>([
    ['shared.nap', nap],
    ['shared.lock', lockKey],
    ['shared.alone', goAlone],
  ])
  return { base, own, workers, checking, alone, stripe, order, enter, leave, release, calls }
}

/** Until every worker is outside. The own one is. */
function waitForAll(func: Func, { base, workers }: Pick<Section, 'base' | 'workers'>): Code {
  const left = func.local('left', 'i32')
  const word = func.local('word', 'i32')
  const spin = func.local('spin', 'i32')
  const each = label('each')
  const again = label('again')
  const out = label('out')
  return [
    [global.get(workers), local.set(left)],
    [global.get(base), i32.const(locks.inside), i32.add, local.set(word)],
    loop(each, [
      [i32.const(spinsBeforeSleep), local.set(spin)],
      block(out, [
        loop(again, [
          [local.get(word), i32.atomic.load(), i32.eqz, br_if(out)],
          [local.get(spin), i32.const(1), i32.sub, local.tee(spin), br_if(again)],
          [local.get(word), i32.const(1), i64.const(napNanoseconds), memory.atomic.wait32(), drop],
          [i32.const(1), local.set(spin), br(again)],
        ]),
      ]),
      [local.get(word), i32.const(locks.insideBytes), i32.add, local.set(word)],
      [local.get(left), i32.const(1), i32.sub, local.tee(left), br_if(each)],
    ]),
  ]
}
