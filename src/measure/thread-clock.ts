/**
 * A clock of work: milliseconds that this thread has run, so that waiting for a CPU that others use is not in it.
 *
 * Linux only; elsewhere it is the time of day, and whoever prints figures says which. It leaves preemption out, not the
 * caches, memory bandwidth and clock speed that others take.
 */

import { threadTime } from '../sys/thread-time.js'

export type ClockKind = 'processor time' | 'wall clock'

export interface WorkClock {
  readonly kind: ClockKind
  /** Milliseconds from some moment on. */
  readonly now: () => number
}

/** The best clock of work that this machine has. */
export function workClock(): WorkClock {
  try {
    threadTime()
    return { kind: 'processor time', now: () => Number(threadTime()) / 1e6 }
  } catch {
    return { kind: 'wall clock', now: () => performance.now() }
  }
}
