/** From studies to series of a chart, and what can be said about a curve. */

import type { BenchmarkRecord } from '../measure/record.js'
import type { Kind, Sequencer, Study } from '../measure/study.js'
import type { Point, Series } from './chart.js'

/** The names that a reader of the paper knows strategies by. */
export const shortNames: Readonly<Record<string, string>> = {
  replicated: 'SCR (replicated)',
  sharded: 'RSS (sharded)',
  rebalanced: 'RSS++ (rebalanced)',
  hybrid: 'hybrid',
  shared: 'shared',
  single: 'one worker',
}

export function pointOf({ summary }: BenchmarkRecord, x: number): Point {
  return { x, y: summary.median, low: summary.min, high: summary.max, interval: summary.interval }
}

/** Records of a study, by number of workers. */
export function curve(
  { records }: Study,
  strategy: string,
  kind: Kind,
  sequencer: Sequencer,
): BenchmarkRecord[] {
  return records
    .filter(({ parameters: p }) => p.strategy === strategy && p.kind === kind && p.sequencer === sequencer)
    .toSorted((a, b) => Number(a.parameters.workers) - Number(b.parameters.workers))
}

export function seriesOf(
  study: Study,
  strategy: string,
  kind: Kind,
  sequencer: Sequencer,
  label = shortNames[strategy] ?? strategy,
): Series {
  const records = curve(study, strategy, kind, sequencer)
  return {
    label,
    colour: strategy,
    kind,
    points: records.map(r => pointOf(r, Number(r.parameters.workers))),
  }
}

/** Strategies that a study projected, as series without the sequencer's work; and replication with it. */
export function projectedSeries(study: Study): Series[] {
  const names = ['replicated', 'sharded', 'rebalanced', 'hybrid']
  const all = names.map(name => seriesOf(study, name, 'projected', 'hardware'))
  const software = seriesOf(study, 'replicated', 'projected', 'software', 'SCR, software seq.')
  return [...all, { ...software, colour: 'model' }].filter(s => s.points.length > 0)
}

export function measuredSeries(study: Study): Series[] {
  return ['replicated', 'sharded', 'shared', 'single']
    .map(name => seriesOf(study, name, 'measured', 'included'))
    .filter(s => s.points.length > 0)
}

export interface Growth {
  /** Rate at the most workers over the rate of one. */
  readonly gain: number
  readonly workers: number
  /** No step goes down by more than the two points' own ranges explain. */
  readonly monotone: boolean
  readonly best: number
}

/** How a curve grows; undefined without two points. */
export function growthOf(records: readonly BenchmarkRecord[]): Growth | undefined {
  const last = records.at(-1)
  if (records.length < 2 || last === undefined) return undefined
  const steps = records.slice(1).map((record, i) => [records[i].summary, record.summary] as const)
  return {
    gain: last.summary.median / records[0].summary.median,
    workers: Number(last.parameters.workers),
    monotone: steps.every(([a, b]) => b.median >= a.median * 0.97 || b.max >= a.min),
    best: Math.max(...records.map(r => r.summary.median)),
  }
}

export const times = (gain: number): string => `${gain.toFixed(gain < 10 ? 2 : 1)} times`
