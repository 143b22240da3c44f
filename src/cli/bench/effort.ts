// Flags that say how much is measured, the same for all benchmarks; and what is told while they run.

import { workClock } from '../../measure/thread-clock.js'
import type { Effort } from '../../measure/scaling.js'
import type { Flags, Io } from '../command.js'
import { integer, numberList, text } from '../flags.js'

export const effortFlags = ['packets', 'rounds', 'processes', 'workers'] as const

export interface Amount extends Effort {
  readonly packets: number
  readonly workers: readonly number[]
  /** Processes that repeat a measurement, and as many as there may be for what they leave uncertain. */
  readonly processes: number
  readonly most: number
}

/** What is measured where flags say nothing. */
export interface Standard {
  readonly packets: number
  readonly rounds: number
  readonly processes: number
  readonly most: number
  readonly workers: string
}

export function amountOf(flags: Flags, standard: Standard): Amount {
  const given = integer(flags, 'processes', { least: 1, most: 100 })
  const processes = given ?? standard.processes
  return {
    processes,
    // Who says how many gets as many.
    most: given ?? standard.most,
    packets: integer(flags, 'packets', { least: 1000, most: 4_000_000 }) ?? standard.packets,
    rounds: integer(flags, 'rounds', { least: 1, most: 1000 }) ?? standard.rounds,
    workers: numberList(text(flags, 'workers') ?? standard.workers, '--workers', { least: 1, most: 16 }),
    clock: workClock(),
  }
}

/** A line on a terminal that says what is under way. */
export function teller(io: Io): { tell(what: string, left?: string): void; clear(): void } {
  const began = performance.now()
  let shown = false
  return {
    tell(what, left = '') {
      if (!io.terminal) return
      shown = true
      io.err(
        `\r\x1b[2K${((performance.now() - began) / 1000).toFixed(0)} s${left && `, ${left} left`}  ${what}`,
      )
    },
    clear() {
      if (shown) io.err('\r\x1b[2K')
    },
  }
}
