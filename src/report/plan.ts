/**
 * How much there is to measure for figures, so that a report can say how long it will take and how much is left.
 *
 * A unit is a packet in one round of a task in one process: its ways each run once, and replication runs every packet on
 * every worker. A task has its rounds and takes a least time for them, whichever is longer, after one that warms up.
 * What is added for records that are still uncertain is not in it (spare-time.ts).
 * What several figures share counts once, as the workbench measures it once.
 */

import type { RepetitionOptions } from '../measure/repetitions.js'
import { leastSeconds } from '../measure/rounds.js'

export interface PlanOptions extends Pick<RepetitionOptions, 'rounds' | 'processes'> {
  readonly packets: number
  readonly workers: readonly number[]
}

/** A study, or tasks of a figure alone: for each task, the units of one round. */
type Work = Readonly<Record<string, readonly number[]>>

/** Seconds that a unit took for each packet on the machine of the project, 2 CPUs (AMD EPYC), 2026. */
const secondsPerPacket = 1.65e-7
/** Seconds of a process besides its rounds: starting, making the trace. */
const starting = 0.5
/** Without repetitions in processes: figure 5, and the kernel's table as root. */
const others: Readonly<Record<string, number>> = { 'figure-5': 5, 'table-4-kernel': 20, 'figure-2': 25 }

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)

/** Threads are the last task. */
const studyOf = (workers: readonly number[]): number[] => [...workers.map(n => 4 + n), 5]

const skewed = ['university', 'backbone']
const four = ['ddos-mitigator', 'heavy-hitter', 'token-bucket', 'port-knocking']

function workOf(figure: string, workers: readonly number[]): Work {
  const study = studyOf(workers)
  const studies = (names: readonly string[]): Work => Object.fromEntries(names.map(name => [name, study]))
  const table = studies([...four.map(name => `${name} university`), 'connection-tracker hyperscaler'])
  switch (figure) {
    case 'figure-1':
      return { ...studies(['connection-tracker single flow']), 'dispatch single flow': [1] }
    case 'figure-6':
      return {
        ...studies(skewed.flatMap(trace => four.map(name => `${name} ${trace}`))),
        'dispatch university': [1],
      }
    case 'figure-7':
      return { ...studies(['connection-tracker hyperscaler']), 'dispatch hyperscaler': [1] }
    case 'figure-8':
      return { 'figure-8': [2, 4, 7].map(n => 3 + n) }
    case 'figure-9':
      return { 'figure-9': Array.from({ length: 5 }, () => 4 + sum([1, 2, 4, 7])) }
    case 'figure-10':
      return {
        ...studies(['token-bucket university']),
        recovery: workers.filter(n => n > 1).flatMap(n => [2 + n, 4 + 4 * n]),
      }
    case 'table-4':
    case 'figure-11':
      return { ...table, 'dispatch university': [1], 'dispatch hyperscaler': [1] }
    default:
      return {}
  }
}

/** Seconds that figures take where nobody disturbs them, by figure in the order given; what was measured before is 0. */
export function plannedSeconds(
  figures: readonly string[],
  { packets, workers, rounds, processes }: PlanOptions,
): number[] {
  const done = new Set<string>()
  return figures.map(figure => {
    const fresh = Object.entries(workOf(figure, workers)).filter(([name]) => !done.has(name))
    for (const [name] of fresh) done.add(name)
    const tasks = fresh.flatMap(([, units]) => units.map(n => secondsPerPacket * packets * n))
    const each = sum(tasks.map(round => round + Math.max(leastSeconds, rounds * round)))
    return (others[figure] ?? 0) + processes * (each + starting * fresh.length)
  })
}

/** `about 6 min`, `under a minute`. */
export const minutesText = (seconds: number): string =>
  seconds < 60 ? 'under a minute' : `about ${Math.round(seconds / 60)} min`
