/**
 * Rounds: candidates run in turn, A B A B …, and a round that others disturbed is run again.
 *
 * What drifts (clock, temperature, other guests of the host) drifts for all candidates alike. A round during which
 * foreign processes took more than 5 % of a CPU is repeated, as often as there are rounds; after that disturbed rounds are kept
 * and counted: a benchmark must end. Samples may be anything; `compare.ts` takes numbers.
 */

import { foreignSeconds, readLoad } from './foreign.js'
import type { LoadSnapshot } from './foreign.js'
import type { BenchmarkRecord } from './record.js'

/** Foreign CPU time allowed during a round, as a share of one CPU; and never less than two ticks. */
const FOREIGN_SHARE = 0.05
const FOREIGN_LEAST_SECONDS = 0.02
/**
 * Seconds of rounds that make a sample: a process goes on with a task for so long, where the rounds that were asked for are over
 * sooner. A round of 120,000 packets on one worker is 2 ms of work, and what three such give differs by 10 % from
 * process to process, what twenty give by 3 %.
 */
export const leastSeconds = 0.5
/** How many times the rounds that were asked for short ones may become. */
const mostTimes = 10

export interface RoundOptions {
  /** Rounds that count; each has one sample of every candidate. */
  readonly rounds: number
  /** Rounds before them that do not count: compilers warm up, caches fill. */
  readonly warmup: number
  /** Rounds that may be run again; as many as there are rounds if absent. */
  readonly repeats?: number
  /** Rounds that are over sooner go on until so many seconds of undisturbed ones, but not beyond ten times as many. */
  readonly seconds?: number
  /** Reads the load of others; for tests. */
  readonly load?: () => LoadSnapshot | undefined
}

export interface Rounds<T> {
  /** By candidate, then by round. */
  readonly samples: readonly (readonly T[])[]
  readonly disturbed: BenchmarkRecord['disturbed']
}

export async function takeRounds<T>(
  candidates: readonly (() => T | Promise<T>)[],
  { rounds, warmup, repeats = rounds, seconds: wanted = 0, load = readLoad }: RoundOptions,
): Promise<Rounds<T>> {
  const samples: T[][] = candidates.map(() => [])
  const once = async (): Promise<T[]> => {
    const taken: T[] = []
    for (const candidate of candidates) taken.push(await candidate())
    return taken
  }
  for (let round = 0; round < warmup; round++) await once()
  let rejected = 0
  let kept = 0
  let known = true
  let spent = 0
  const isEnough = (taken: number): boolean =>
    taken >= rounds && (spent >= wanted || taken >= rounds * mostTimes)
  let before = load()
  while (!isEnough(samples[0].length)) {
    const begun = process.hrtime.bigint()
    const taken = await once()
    const seconds = Number(process.hrtime.bigint() - begun) / 1e9
    const after = load()
    const foreign = before && after && foreignSeconds(before, after)
    before = after
    if (foreign === undefined) known = false
    else if (foreign > Math.max(FOREIGN_LEAST_SECONDS, FOREIGN_SHARE * seconds)) {
      if (rejected < repeats) {
        rejected++
        continue
      }
      kept++
    }
    spent += seconds
    for (const [i, sample] of taken.entries()) samples[i].push(sample)
  }
  return { samples, disturbed: known ? { rejected, kept } : null }
}
