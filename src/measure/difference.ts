/**
 * Two runs of the same benchmarks: what became better, what worse, and what cannot be told apart from noise.
 *
 * A difference counts only where the interval of the ratio excludes 1 *and* the ratio is further from 1 than either
 * run's own spread and than `least`: two runs, minutes or months apart, differ by more than the samples within one.
 * Records match when name, unit, parameters and loss criterion are equal. Machines that differ are named, not refused.
 */

import type { Environment } from './environment.js'
import { ratioOfLists } from './ranks.js'
import type { BenchmarkRecord } from './record.js'
import type { MedianInterval } from './statistics.js'

export type Verdict = 'better' | 'worse' | 'same' | 'too few samples'

/** A difference smaller than this is none, whatever the samples say. */
export const LEAST_DIFFERENCE = 0.02

export interface Difference {
  readonly before: BenchmarkRecord
  readonly after: BenchmarkRecord
  /** After over before, in the records' unit. */
  readonly ratio: number
  readonly interval: readonly [low: number, high: number] | undefined
  /** How far from 1 the ratio must be to count. */
  readonly noise: number
  readonly verdict: Verdict
  /** Whether the intervals for the medians, as the two runs printed them, have a number in common. */
  readonly agree: boolean
}

export interface Differences {
  readonly differences: readonly Difference[]
  /** Records of one side only. */
  readonly onlyBefore: readonly BenchmarkRecord[]
  readonly onlyAfter: readonly BenchmarkRecord[]
  /** What else differs between the runs: `cpu: A, then B`. */
  readonly surroundings: readonly string[]
}

/** What makes two records the same benchmark. */
export function identityOf({ name, unit, parameters, lossCriterion }: BenchmarkRecord): string {
  const settings = Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([name, unit, lossCriterion ?? null, settings])
}

/** Compares two runs. Of records of one identity the last counts, so that a ledger may stand for its latest entries. */
export function differencesOf(
  before: readonly BenchmarkRecord[],
  after: readonly BenchmarkRecord[],
  least = LEAST_DIFFERENCE,
): Differences {
  const [old, recent] = [before, after].map(list => new Map(list.map(r => [identityOf(r), r])))
  const differences = [...recent].flatMap(([identity, record]) => {
    const found = old.get(identity)
    return found ? [differenceOf(found, record, least)] : []
  })
  const surroundings = new Set(differences.flatMap(d => changes(d.before.environment, d.after.environment)))
  return {
    differences,
    onlyBefore: [...old].filter(([identity]) => !recent.has(identity)).map(([, record]) => record),
    onlyAfter: [...recent].filter(([identity]) => !old.has(identity)).map(([, record]) => record),
    surroundings: [...surroundings],
  }
}

function differenceOf(before: BenchmarkRecord, after: BenchmarkRecord, least: number): Difference {
  const { ratio, interval } = ratioOfLists(after.samples, before.samples)
  const noise = Math.max(least, before.summary.spread, after.summary.spread)
  return {
    before,
    after,
    ratio,
    interval,
    noise,
    verdict: verdictOf(ratio, interval, noise, after.better),
    agree: overlap(before.summary.interval, after.summary.interval),
  }
}

/** As a reader of the two numbers would judge it: nothing is added to what was printed. */
const overlap = (a: MedianInterval, b: MedianInterval): boolean => a.low <= b.high && b.low <= a.high

function verdictOf(
  ratio: number,
  interval: Difference['interval'],
  noise: number,
  better: BenchmarkRecord['better'],
): Verdict {
  if (interval === undefined) return 'too few samples'
  const apart = (interval[0] > 1 || interval[1] < 1) && Math.abs(Math.log(ratio)) > Math.log1p(noise)
  if (!apart) return 'same'
  return ratio > 1 === (better === 'higher') ? 'better' : 'worse'
}

/** What a reader must know before blaming a commit. */
function changes(before: Environment, after: Environment): string[] {
  const fields = ['cpu', 'cores', 'kernel', 'node', 'governor', 'virtual', 'mitigations'] as const
  return (
    fields
      // A field that an older version did not record is no difference.
      .filter(f => before[f] !== undefined && after[f] !== undefined && before[f] !== after[f])
      .map(field => `${field}: ${before[field] ?? 'unknown'}, then ${after[field] ?? 'unknown'}`)
  )
}
