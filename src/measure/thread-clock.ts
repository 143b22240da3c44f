/**
 * A clock of work: milliseconds that this thread has run, so that waiting for a CPU that others use is not in it.
 *
 * Linux only; elsewhere it is the time of day, and whoever prints figures says which. It leaves preemption out, not the
 * caches, memory bandwidth and clock speed that others take.
 */

import type { BusyClock } from '../engine/crew.js'
import { threadTime } from '../sys/thread-time.js'
import { median } from './statistics.js'

export type ClockKind = 'processor time' | 'wall clock'

export interface WorkClock extends BusyClock {
  readonly kind: ClockKind
}

/** The best clock of work that this machine has. */
export function workClock(): WorkClock {
  try {
    threadTime()
    return clockOf('processor time', () => Number(threadTime()) / 1e6)
  } catch {
    return clockOf('wall clock', () => performance.now())
  }
}

const readings = 2_000

/** A system call takes a microsecond where mitigations are on, a fifth of what a worker does to 1,024 packets of others. */
function clockOf(kind: ClockKind, now: () => number): WorkClock {
  const times = Array.from({ length: readings }, now)
  const between = times.slice(1).map((time, k) => time - times[k])
  // Compiled code by then.
  return { kind, now, cost: median(between.slice(readings / 2)) }
}
