/**
 * One program on one trace, by every strategy and number of workers: the records behind a scaling curve, and what the
 * model of appendix A makes of them.
 *
 * Records say by their parameters what they are: `kind` projected or measured, `sequencer` software, hardware (left out)
 * or included. Read scaling.ts for what these mean.
 */

import { availableParallelism } from 'node:os'
import { hybrid } from '../strategy/hybrid.js'
import { rebalanced } from '../strategy/rebalanced.js'
import { replicatedByValue } from '../strategy/replicated-by-value.js'
import { replicated } from '../strategy/replicated.js'
import { shared, sharedForms } from '../strategy/shared.js'
import { sharded } from '../strategy/sharded.js'
import { single } from '../strategy/single.js'
import type { Strategy } from '../strategy/strategy.js'
import type { Environment } from './environment.js'
import { fitModel, modelError } from './model.js'
import type { CostPoint, ModelParameters } from './model.js'
import { makeRecord } from './record.js'
import { timing } from './pieces.js'
import type { BenchmarkRecord } from './record.js'
import type { TraceKey } from './repetition.js'
import { projections, rates } from './repetitions.js'
import type { Repetitions } from './repetitions.js'
import type { Projection, Subject, Way } from './scaling.js'
import { median } from './statistics.js'
import type { WorkClock } from './thread-clock.js'

export type Kind = 'projected' | 'measured'
export type Sequencer = 'software' | 'hardware' | 'included'

export interface StudyOptions {
  readonly repetitions: Repetitions
  /** What projections are timed by. */
  readonly clock: WorkClock
  readonly workers: readonly number[]
  readonly environment: Environment
  /** Only these strategies, by name; all that the program allows if absent. */
  readonly strategies?: readonly string[]
  /** Measures threads too. */
  readonly threads: boolean
}

export interface Study {
  readonly program: string
  readonly trace: string
  readonly packets: number
  readonly records: readonly BenchmarkRecord[]
  /** Busy shares of the workers, by `strategy workers`. */
  readonly shares: ReadonlyMap<string, readonly number[]>
  /** What a packet costs a worker of the replicated strategy, by number of workers. */
  readonly costs: readonly CostPoint[]
}

/** Strategies of which a projection says something, as far as the program allows them. */
export function projectable({ artifact }: Subject, only?: readonly string[]): Strategy[] {
  const all = [
    ...(artifact.steering ? [sharded, rebalanced] : []),
    ...(artifact.steering && artifact.item ? [hybrid] : []),
    ...(artifact.item ? [replicatedByValue] : []),
  ]
  return all.filter(s => only === undefined || only.includes(s.name))
}

/** Strategies that are measured on threads. */
function measurable({ artifact }: Subject, only?: readonly string[]): Strategy[] {
  const [form] = artifact.sharing.forms
  const all = [
    ...(artifact.item ? [replicated] : []),
    ...(artifact.steering ? [sharded] : []),
    form === undefined ? shared : sharedForms[form],
  ]
  return all.filter(s => only === undefined || only.includes(s.name))
}

/**
 * Numbers of workers that are measured: one takes turns with reading and sequencing on one thread; more have threads of their own
 * and need a CPU each beside that of the thread that reads and sequences.
 */
export const threadedWorkers = (workers: readonly number[], cpus = availableParallelism()): number[] =>
  workers.filter(n => n === 1 || n < cpus)

/** Runs a study. */
export async function study(
  program: string,
  subject: Subject,
  trace: TraceKey,
  options: StudyOptions,
): Promise<Study> {
  const { workers, repetitions, clock, environment, strategies: only } = options
  const about = { program, trace: trace.name, packets: trace.packets }
  const records: BenchmarkRecord[] = []
  const shares = new Map<string, readonly number[]>()
  const costs: CostPoint[] = []
  const ways = projectable(subject, only)
  const add = (
    way: Way,
    kind: Kind,
    sequencer: Sequencer,
    samples: readonly number[],
    disturbed: BenchmarkRecord['disturbed'],
  ): void => {
    const { name, history, sharing } = way.strategy
    const form = history ?? (kind === 'measured' && name === 'replicated' ? 'reference' : undefined)
    records.push(
      makeRecord({
        name: 'scaling',
        unit: 'Mpps',
        better: 'higher',
        parameters: {
          ...about,
          strategy: name,
          ...(form !== undefined && { history: form }),
          ...(sharing !== undefined && { sharing }),
          workers: way.workers,
          kind,
          sequencer,
          ...timing(kind === 'projected' || way.workers === 1 ? clock : undefined),
        },
        environment,
        samples,
        disturbed,
      }),
    )
  }
  const projected = ways.length > 0 ? workers.map(n => ways.map(strategy => ({ strategy, workers: n }))) : []
  const counts = threadedWorkers(workers)
  const measured = [
    { strategy: single, workers: 1 },
    ...measurable(subject, only).flatMap(strategy => counts.map(n => ({ strategy, workers: n }))),
  ]
  const found = await repetitions.trials(trace, [
    ...projected.map(list => ({ kind: 'project' as const, subject, ways: list })),
    ...(options.threads ? [{ kind: 'measure' as const, subject, ways: measured }] : []),
  ])
  for (const p of projected.flatMap((list, i) => projections(list, found[i]))) {
    add(p.way, 'projected', 'software', p.software, p.disturbed)
    add(p.way, 'projected', 'hardware', p.hardware, p.disturbed)
    shares.set(`${p.way.strategy.name} ${p.way.workers}`, p.shares)
    if (p.way.strategy === replicatedByValue) costs.push(costOf(p))
  }
  if (options.threads) {
    const mpps = rates(found[projected.length])
    measured.forEach((way, i) => add(way, 'measured', 'included', mpps[i], found[projected.length].disturbed))
  }
  return { ...about, records, shares, costs }
}

/** The cost of one of its own packets to a worker, as the rate of the slowest gives it. */
const costOf = ({ way, hardware }: Projection): CostPoint => ({
  workers: way.workers,
  nanoseconds: (1e3 * way.workers) / median(hardware),
})

export interface ModelFit {
  readonly parameters: ModelParameters
  /** Numbers of workers that the parameters come from, and those that the model is judged on. */
  readonly fitted: readonly number[]
  readonly judged: readonly number[]
  readonly error: { readonly mean: number; readonly most: number }
}

/** Fits the model on at most 4 workers, and judges it on more; undefined with fewer than two costs to fit. */
export function modelOf({ costs }: Pick<Study, 'costs'>, d: number, fitUpTo = 4): ModelFit | undefined {
  const few = costs.filter(c => c.workers <= fitUpTo)
  if (few.length < 2) return undefined
  const many = costs.filter(c => c.workers > fitUpTo)
  const parameters = fitModel(few, d)
  const rates = many.map(({ workers, nanoseconds }) => ({ workers, mpps: (1e3 * workers) / nanoseconds }))
  return {
    parameters,
    fitted: few.map(c => c.workers),
    judged: many.map(c => c.workers),
    error: modelError(parameters, rates),
  }
}

/** The record of a study, by what it is about. */
export function recordOf(
  records: readonly BenchmarkRecord[],
  want: {
    readonly strategy: string
    readonly workers: number
    readonly kind: Kind
    readonly sequencer: Sequencer
  },
): BenchmarkRecord | undefined {
  return records.find(({ parameters: p }) => Object.entries(want).every(([name, value]) => p[name] === value))
}
