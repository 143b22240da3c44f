// Runs in user space on the page of top: packets, verdicts, each worker's rate and how far they are from even, what the
// history costs, and losses by reason.

import type { RunCounts } from '../../engine/running.js'
import { grouped } from '../grid.js'
import type { Styles } from '../screen.js'
import { duration, perSecond, row } from './page-parts.js'
import type { PageOptions } from './page-parts.js'
import { rate } from './sample.js'
import type { RunChange } from './sample.js'

/** How many a second between its last counts; undefined without two of them. */
export function runRate({ now, before }: RunChange, of: (counts: RunCounts) => number): number | undefined {
  if (!before) return undefined
  return rate(BigInt(of(now.counts)), BigInt(of(before.counts)), (now.at - before.at) / 1000)
}

export function runLines(change: RunChange, { columns, namespace }: PageOptions, style: Styles): string[] {
  const elsewhere = namespace !== undefined && namespace !== change.now.namespace
  const { command, program, strategy, interfaces, process, began, at, counts, historyBytes } = change.now
  const { packets, verdicts, workers, drops, counters } = counts
  const each = (of: (counts: RunCounts) => number): string => {
    const found = runRate(change, of)
    return found === undefined ? '' : perSecond(found)
  }
  const share = (n: number): number => (packets === 0 ? 0 : n / packets)
  const rates = workers.map((_, w) => runRate(change, c => c.workers[w]?.packets ?? 0) ?? 0)
  const mean = rates.reduce((a, b) => a + b, 0) / Math.max(1, rates.length)
  const lost = Object.entries(drops).filter(([reason, n]) => n > 0 && reason !== 'program')
  const history = runRate(change, c => c.packets)
  const where = `${interfaces.join(', ')}${elsewhere ? ' in another namespace' : ''}`
  const facts = `process ${process.pid}, hairpin ${command}, up ${duration(BigInt(at - began) * 1_000_000n)}`
  return [
    `${style.bold(program)} on ${where} in user space, ${strategy}  ${style.dim(facts)}`,
    `  ${grouped(packets)} packets${each(c => c.packets) && `  ${each(c => c.packets)}/s`}`,
    ...Object.entries({ ...verdicts, dropped: drops.program ?? 0 }).map(([name, n]) =>
      row(
        name,
        grouped(n),
        each(c => (name === 'dropped' ? (c.drops.program ?? 0) : (c.verdicts[name] ?? 0))),
        share(n),
        columns,
      ),
    ),
    ...workers.map((w, k) =>
      row(
        `worker ${k}`,
        grouped(w.packets),
        each(c => c.workers[k]?.packets ?? 0),
        share(w.packets),
        columns,
      ),
    ),
    ...(workers.length > 1 && mean > 0
      ? [
          style.dim(
            `  ${workers.length} workers, busiest ${(Math.max(...rates) / mean).toFixed(2)} × the mean`,
          ),
        ]
      : []),
    ...(historyBytes === undefined
      ? []
      : [
          style.dim(
            `  history: ${historyBytes} bytes for each packet${history === undefined ? '' : `, ${perSecond(history * historyBytes)} B/s`}; ` +
              `${grouped(workers.reduce((n, w) => n + w.replayed, 0))} packets of others replayed`,
          ),
        ]),
    ...lost.map(([reason, n]) => style.yellow(`  ${reason}: ${grouped(n)} lost`)),
    ...Object.entries(counters).map(([name, n]) =>
      row(
        name,
        grouped(n),
        each(c => c.counters[name] ?? 0),
        undefined,
        columns,
      ),
    ),
  ]
}

/** A run as JSON: as it is published, with its rate. */
export const runJson = (change: RunChange): object => {
  const { command, program, strategy, interfaces, process, began, at, counts, historyBytes } = change.now
  return {
    pid: process.pid,
    command,
    program,
    strategy,
    interfaces,
    upSeconds: (at - began) / 1000,
    ...counts,
    packetsPerSecond: runRate(change, c => c.packets) ?? null,
    workers: counts.workers.map((w, k) => ({
      ...w,
      packetsPerSecond: runRate(change, c => c.workers[k]?.packets ?? 0) ?? null,
    })),
    ...(historyBytes !== undefined && { historyBytes }),
  }
}
