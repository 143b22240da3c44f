/**
 * How much there is to measure for figures, so that a report can say how long it will take and how much is left.
 *
 * A unit is one round of a task in one process: its ways each run once, and replication runs every packet on every worker.
 * What several figures share counts once, as the workbench measures it once.
 */

import type { RepetitionOptions } from '../measure/repetitions.js'

export interface PlanOptions extends Pick<RepetitionOptions, 'rounds' | 'processes'> {
  readonly packets: number
  readonly workers: readonly number[]
}

/** A study, or tasks of a figure alone, by the units of one round. */
type Work = Readonly<Record<string, number>>

/** Seconds that a unit took for each packet on the machine of the project, 2 CPUs (AMD EPYC), 2026. */
const secondsPerPacket = 1.65e-7
/** Seconds of a process besides its rounds: starting, making the trace. */
const starting = 0.5
/** Without repetitions in processes: figure 5, and the kernel's table as root. */
const others: Readonly<Record<string, number>> = { 'figure-5': 5, 'table-4-kernel': 20, 'figure-2': 25 }

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)

const studyOf = (workers: readonly number[]): number => sum(workers.map(n => 4 + n)) + 8

const skewed = ['university', 'backbone']
const four = ['ddos-mitigator', 'heavy-hitter', 'token-bucket', 'port-knocking']

function workOf(figure: string, workers: readonly number[]): Work {
  const study = studyOf(workers)
  const studies = (names: readonly string[]): Work => Object.fromEntries(names.map(name => [name, study]))
  const table = studies([...four.map(name => `${name} university`), 'connection-tracker hyperscaler'])
  switch (figure) {
    case 'figure-1':
      return { ...studies(['connection-tracker single flow']), 'dispatch single flow': 5 }
    case 'figure-6':
      return {
        ...studies(skewed.flatMap(trace => four.map(name => `${name} ${trace}`))),
        'dispatch university': 5,
      }
    case 'figure-7':
      return { ...studies(['connection-tracker hyperscaler']), 'dispatch hyperscaler': 5 }
    case 'figure-8':
      return { 'figure-8': sum([2, 4, 7].map(n => 3 + n)) }
    case 'figure-9':
      return { 'figure-9': 5 * (4 + sum([1, 2, 4, 7])) }
    case 'figure-10':
      return {
        ...studies(['token-bucket university']),
        recovery: sum(workers.filter(n => n > 1).map(n => 6 + 5 * n)),
      }
    case 'table-4':
    case 'figure-11':
      return { ...table, 'dispatch university': 5, 'dispatch hyperscaler': 5 }
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
    const units = sum(fresh.map(([, n]) => n))
    const round = secondsPerPacket * packets * units
    return (others[figure] ?? 0) + processes * ((rounds + 1) * round + starting * fresh.length)
  })
}

/** `about 6 min`, `under a minute`. */
export const minutesText = (seconds: number): string =>
  seconds < 60 ? 'under a minute' : `about ${Math.round(seconds / 60)} min`
