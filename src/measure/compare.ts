/**
 * Side-by-side measurement: candidates run in turn, A B A B …, in one process and one run.
 *
 * What drifts (clock, temperature, other guests of the host) drifts for all alike, and the ratio of two samples of
 * one round is freer of it than either. Read `rounds.ts` for what happens to a disturbed round, `foreign.ts` for what can
 * be seen of others, `difference.ts` for two runs that are apart.
 */

import { formatEnvironment, readEnvironment } from './environment.js'
import type { Environment } from './environment.js'
import { readLoad } from './foreign.js'
import type { LoadSnapshot } from './foreign.js'
import { disturbance, intervalText, makeRecord } from './record.js'
import type { BenchmarkRecord, Parameters } from './record.js'
import { takeRounds } from './rounds.js'
import { pairedRatio } from './statistics.js'
import type { PairedRatio } from './statistics.js'
import { formatQuantity, formatTable } from './table.js'

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
  const { samples, disturbed } = await takeRounds(candidates.map(timed), { rounds, warmup, load })
  const { lossCriterion } = options
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

/** A candidate's sample, or the time it took. */
const timed =
  ({ run }: Candidate) =>
  async (): Promise<number> => {
    const begun = process.hrtime.bigint()
    const result = await run()
    const elapsed = Number(process.hrtime.bigint() - begun)
    return result ?? elapsed
  }

/** The comparison as text: the environment, then a row for each candidate with its ratio to the first. */
export function formatComparison(comparison: Comparison): string {
  const { records, ratios, environment } = comparison
  const { unit, better, parameters, lossCriterion, disturbed, repetitions } = records[0]
  const rows = [['', unit, 'interval', 'spread', 'min', 'max', `over ${records[0].name}`, '']]
  for (const record of records) {
    const { summary } = record
    const ratio = ratios.find(entry => entry.name === record.name && entry.over === records[0].name)?.ratio
    rows.push([
      record.name,
      formatQuantity(summary.median),
      intervalText(summary),
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
  return `${formatEnvironment(environment)}\n${notes.join(', ')}\n\n${formatTable(rows, 'lrlrrrll')}\n`
}

function formatRatio({ summary, interval, differs }: PairedRatio): string {
  const range = interval === undefined ? '' : ` (${interval[0].toFixed(3)} to ${interval[1].toFixed(3)})`
  const verdict = interval !== undefined && !differs ? ', no difference shown' : ''
  return `${summary.median.toFixed(3)}${range}${verdict}`
}
