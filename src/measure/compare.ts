/**
 * Side-by-side measurement: candidates run in turn, A B A B …, in one process and one run.
 *
 * What drifts (clock, temperature, other guests of the host) drifts for all alike, and the ratio of two samples of
 * one round is freer of it than either. A round during which foreign processes took more than 5 % of a CPU is run
 * again, as often as there are rounds; after that disturbed rounds are kept and counted.
 * Read `foreign.ts` for what can be seen of others.
 */

import { formatEnvironment, readEnvironment } from './environment.js'
import type { Environment } from './environment.js'
import { foreignSeconds, readLoad } from './foreign.js'
import type { LoadSnapshot } from './foreign.js'
import { disturbance, makeRecord } from './record.js'
import type { BenchmarkRecord, Parameters } from './record.js'
import { pairedRatio } from './statistics.js'
import type { PairedRatio } from './statistics.js'
import { formatQuantity, formatTable } from './table.js'

/** Foreign CPU time allowed during a round, as a share of one CPU; and never less than two ticks. */
const FOREIGN_SHARE = 0.05
const FOREIGN_LEAST_SECONDS = 0.02

export interface Candidate {
  readonly name: string
  /** One repetition. Returns its sample in the comparison's unit; without one, the nanoseconds it took count. */
  readonly run: () => number | void | Promise<number | void>
}

export interface CompareOptions {
  /** Rounds that count; each has one sample of every candidate. */
  readonly rounds?: number
  /** Rounds before them that do not count: compilers warm up, caches fill. */
  readonly warmup?: number
  /** Unit of the samples, and which way is better. */
  readonly unit?: string
  readonly better?: 'lower' | 'higher'
  readonly parameters?: Parameters
  readonly lossCriterion?: string
  /** Working tree whose commit goes into the record. */
  readonly folder?: string
  /** Reads the load of others; for tests. */
  readonly load?: () => LoadSnapshot | undefined
  readonly environment?: Environment
}

export interface Comparison {
  readonly environment: Environment
  /** One for each candidate, in their order. */
  readonly records: readonly BenchmarkRecord[]
  /** For every later candidate over every earlier one: ratios of samples of the same round. */
  readonly ratios: readonly { readonly name: string; readonly over: string; readonly ratio: PairedRatio }[]
}

/** Runs the candidates in turn and compares them. */
export async function compare(
  candidates: readonly Candidate[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const { rounds = 11, warmup = 2, unit = 'ns', better = 'lower', parameters = {}, load = readLoad } = options
  if (candidates.length === 0 || rounds < 1) throw new RangeError('compare needs a candidate and a round')
  const names = new Set(candidates.map(candidate => candidate.name))
  if (names.size < candidates.length) throw new RangeError('candidates need different names')
  const environment = options.environment ?? readEnvironment(options.folder)
  const samples: number[][] = candidates.map(() => [])
  for (let round = 0; round < warmup; round++) await runRound(candidates)
  let rejected = 0
  let kept = 0
  let known = true
  while (samples[0].length < rounds) {
    const before = load()
    const begun = process.hrtime.bigint()
    const taken = await runRound(candidates)
    const seconds = Number(process.hrtime.bigint() - begun) / 1e9
    const after = load()
    if (before === undefined || after === undefined) known = false
    else if (foreignSeconds(before, after) > Math.max(FOREIGN_LEAST_SECONDS, FOREIGN_SHARE * seconds)) {
      if (rejected < rounds) {
        rejected++
        continue
      }
      kept++
    }
    for (const [i, sample] of taken.entries()) samples[i].push(sample)
  }
  const { lossCriterion } = options
  const disturbed = known ? { rejected, kept } : null
  const shared = {
    unit,
    better,
    parameters,
    environment,
    disturbed,
    ...(lossCriterion === undefined ? {} : { lossCriterion }),
  }
  const records = candidates.map(({ name }, i) => makeRecord({ ...shared, name, samples: samples[i] }))
  const ratios = candidates.flatMap(({ name }, i) =>
    candidates
      .slice(0, i)
      .map((other, j) => ({ name, over: other.name, ratio: pairedRatio(samples[i], samples[j]) })),
  )
  return { environment, records, ratios }
}

async function runRound(candidates: readonly Candidate[]): Promise<number[]> {
  const samples: number[] = []
  for (const candidate of candidates) {
    const begun = process.hrtime.bigint()
    const result = await candidate.run()
    const elapsed = Number(process.hrtime.bigint() - begun)
    samples.push(result ?? elapsed)
  }
  return samples
}

/** The comparison as text: the environment, then a row for each candidate with its ratio to the first. */
export function formatComparison(comparison: Comparison): string {
  const { records, ratios, environment } = comparison
  const { unit, better, parameters, lossCriterion, disturbed, repetitions } = records[0]
  const rows = [['', unit, 'spread', 'min', 'max', `over ${records[0].name}`, '']]
  for (const record of records) {
    const { summary } = record
    const ratio = ratios.find(entry => entry.name === record.name && entry.over === records[0].name)?.ratio
    rows.push([
      record.name,
      formatQuantity(summary.median),
      `${(summary.spread * 100).toFixed(1)} %`,
      formatQuantity(summary.min),
      formatQuantity(summary.max),
      ratio === undefined ? '' : formatRatio(ratio),
      record.unstable ? 'unstable' : '',
    ])
  }
  const settings = Object.entries(parameters).map(([key, value]) => `${key}=${value}`)
  const notes = [
    `median of ${repetitions} interleaved rounds, ${better} is better`,
    ...settings,
    ...(lossCriterion === undefined ? [] : [`loss ${lossCriterion}`]),
    ...disturbance(disturbed),
  ]
  return `${formatEnvironment(environment)}\n${notes.join(', ')}\n\n${formatTable(rows, 'lrrrrll')}\n`
}

function formatRatio({ summary, interval, differs }: PairedRatio): string {
  const range = interval === undefined ? '' : ` (${interval[0].toFixed(3)} to ${interval[1].toFixed(3)})`
  const verdict = interval !== undefined && !differs ? ', no difference shown' : ''
  return `${summary.median.toFixed(3)}${range}${verdict}`
}
