/**
 * The benchmark record: one measured quantity with all that is needed to doubt it.
 *
 * A record is plain JSON. It cannot be made, read or printed without its environment, repetitions and samples; a
 * number that travels alone is the mistake this format exists to prevent.
 */

import { formatEnvironment, isEnvironment } from './environment.js'
import type { Environment } from './environment.js'
import { INTERVAL_LEVEL, intervalWidth, summarise } from './statistics.js'
import type { Summary } from './statistics.js'
import { formatQuantity, formatTable } from './table.js'

export const RECORD_FORMAT = 'hairpin-benchmark-1'

/** Where the interval for the median is wider than this share of the median, a record is called unstable. */
export const UNSTABLE_WIDTH = 0.05

/**
 * Whether what is printed is not known well: the interval for the median is too wide, or one sample says nothing of it. Fewer than six
 * samples are judged by all of them, at the lower level that the interval states.
 */
export const isUnstable = (summary: Summary): boolean =>
  summary.count < 2 || intervalWidth(summary) > UNSTABLE_WIDTH

/** Whether a record of these samples would be sure: not unstable, with 95 %. */
export function isSettled(samples: readonly number[]): boolean {
  const summary = summarise(samples)
  return summary.interval.level >= INTERVAL_LEVEL && !isUnstable(summary)
}

export type Parameters = Readonly<Record<string, string | number | boolean>>

export interface BenchmarkRecord {
  readonly format: typeof RECORD_FORMAT
  readonly name: string
  /** Unit of the samples, such as `ns/packet` or `Mpps`. */
  readonly unit: string
  readonly better: 'lower' | 'higher'
  readonly parameters: Parameters
  readonly environment: Environment
  readonly repetitions: number
  /** In the order in which they were taken. */
  readonly samples: readonly number[]
  readonly summary: Summary
  readonly unstable: boolean
  /** Repetitions thrown away because others used the CPUs, and those kept in spite of it; null: could not tell. */
  readonly disturbed: { readonly rejected: number; readonly kept: number } | null
  /** For rates: the loss up to which a trial counts as passed, such as `< 4 %`. */
  readonly lossCriterion?: string
}

export interface Measured {
  readonly name: string
  readonly unit: string
  readonly better: 'lower' | 'higher'
  readonly parameters: Parameters
  readonly environment: Environment
  readonly samples: readonly number[]
  readonly disturbed: BenchmarkRecord['disturbed']
  readonly lossCriterion?: string
}

/** Makes a record. Throws where there is no sample, a sample is no number, or the environment is missing. */
export function makeRecord(measured: Measured): BenchmarkRecord {
  const record = {
    format: RECORD_FORMAT,
    name: measured.name,
    unit: measured.unit,
    better: measured.better,
    parameters: measured.parameters,
    environment: measured.environment,
    repetitions: measured.samples.length,
    samples: measured.samples,
    summary: summarise(measured.samples),
    unstable: false,
    disturbed: measured.disturbed,
    ...(measured.lossCriterion === undefined ? {} : { lossCriterion: measured.lossCriterion }),
  } as const
  const problem = problemOf(record)
  if (problem !== undefined) throw new Error(`benchmark record '${measured.name}': ${problem}`)
  return { ...record, unstable: isUnstable(record.summary) }
}

/**
 * Reads records from JSON text: one record, a list, an object with `records`, or a ledger of one record a line. The
 * summary is computed again from the samples.
 */
export function parseRecords(text: string): readonly BenchmarkRecord[] | { readonly problem: string } {
  const list = listIn(text)
  if ('problem' in list) return list
  const records: BenchmarkRecord[] = []
  for (const [i, entry] of list.entries()) {
    const problem = problemOf(entry)
    if (problem !== undefined) return { problem: `record ${i}: ${problem}` }
    records.push(makeRecord(entry as BenchmarkRecord))
  }
  return records
}

/** The values of a JSON text that may be a list, an object with a list of records, or one value a line. */
function listIn(text: string): unknown[] | { readonly problem: string } {
  try {
    const value = JSON.parse(text) as unknown
    if (Array.isArray(value)) return value
    const { records } = (value ?? {}) as { readonly records?: unknown }
    return Array.isArray(records) ? records : [value]
  } catch (error) {
    const lines = text.split('\n').filter(line => line.trim() !== '')
    try {
      if (lines.length > 1) return lines.map(line => JSON.parse(line) as unknown)
    } catch {
      // Then it is neither, and what is wrong with it as one value says more.
    }
    return { problem: `no JSON: ${(error as Error).message}` }
  }
}

/** The records as text: their environment (once, where it is the same), then a row for each. */
export function formatRecords(records: readonly BenchmarkRecord[]): string {
  const blocks: string[] = []
  let rows: string[][] = []
  const flush = () => {
    if (rows.length > 1) blocks.push(formatTable(rows, 'lrllrrrrl'))
  }
  let environment = ''
  for (const record of records) {
    const problem = problemOf(record)
    if (problem !== undefined)
      throw new Error(`benchmark record '${record.name}' cannot be shown: ${problem}`)
    const own = formatEnvironment(record.environment)
    if (own !== environment) {
      flush()
      blocks.push(own)
      environment = own
      rows = [['', 'median', '', 'interval', 'spread', 'min', 'max', 'runs', '']]
    }
    rows.push(rowOf(record))
  }
  flush()
  return `${blocks.join('\n\n')}\n`
}

function rowOf(record: BenchmarkRecord): string[] {
  const { name, unit, summary, parameters } = record
  const settings = Object.entries(parameters).map(([key, value]) => `${key}=${value}`)
  const notes = [
    ...(record.lossCriterion === undefined ? [] : [`loss ${record.lossCriterion}`]),
    ...(record.unstable ? ['unstable'] : []),
    ...disturbance(record.disturbed),
  ]
  return [
    [name, ...settings].join(' '),
    formatQuantity(summary.median),
    unit,
    intervalText(summary),
    `${(summary.spread * 100).toFixed(1)} %`,
    formatQuantity(summary.min),
    formatQuantity(summary.max),
    `${record.repetitions}`,
    notes.join(', '),
  ]
}

/** `11.9 to 12.4 (97 %)`: the interval for the median, with the level that it has. */
export const intervalText = ({ interval: { low, high, level } }: Summary): string =>
  `${formatQuantity(low)} to ${formatQuantity(high)} (${Math.floor(100 * level)} %)`

/** What to say about foreign load. */
export function disturbance(disturbed: BenchmarkRecord['disturbed']): string[] {
  if (disturbed === null) return ['foreign load unknown']
  const { rejected, kept } = disturbed
  return [
    ...(rejected > 0 ? [`${rejected} disturbed runs repeated`] : []),
    ...(kept > 0 ? [`${kept} disturbed runs kept`] : []),
  ]
}

/** Why something is no benchmark record; undefined if it is one. */
function problemOf(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object') return 'no object'
  const record = value as Record<string, unknown>
  if (record.format !== RECORD_FORMAT) return `format is not '${RECORD_FORMAT}'`
  if (typeof record.name !== 'string' || record.name === '') return 'it has no name'
  if (typeof record.unit !== 'string' || record.unit === '') return 'it has no unit'
  if (record.better !== 'lower' && record.better !== 'higher') return `'better' is neither lower nor higher`
  if (!isEnvironment(record.environment)) return 'it has no environment, and numbers without one say nothing'
  const { samples, parameters } = record
  if (!Array.isArray(samples) || samples.length === 0) return 'it has no samples'
  if (!samples.every(sample => typeof sample === 'number' && Number.isFinite(sample)))
    return 'a sample is no number'
  if (parameters === null || typeof parameters !== 'object') return 'it has no parameters'
  return undefined
}
