// What a run has to say: for people and for machines (docs/json.md has the shapes).

import type { Fault } from '../../device/fault.js'
import { verdictNumber } from '../../device/slab.js'
import type { Artifact } from '../../engine/artifact.js'
import type { Plan } from '../../engine/plan.js'
import type { Chosen } from './auto.js'
import type { RebalancingReport } from '../../engine/rebalance.js'
import type { RecoveryReport } from '../../engine/recovery.js'
import { sharingText } from '../../strategy/shared.js'
import type { RunResult } from '../../engine/run.js'
import { dumpToJson } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import { bytesText, grid, grouped, paragraph, percent } from '../grid.js'
import { stateText } from './state.js'

export interface Report {
  readonly artifact: Artifact
  readonly plan: Plan
  readonly result: RunResult
  /** Packets whose time stepped back. */
  readonly clamped: number
  /** Oddities of the capture that did not stop the reading. */
  readonly notes: readonly string[]
  /** CPUs that threads can run on. */
  readonly cpus: number
  /** What went wrong with captures, read or written. */
  readonly faults: readonly Fault[]
  /** The state at the end, where it was asked for. */
  readonly state: readonly Dump[] | undefined
  readonly interrupted: boolean
  /** Changes of rules and parameters that took place, if any were asked for. */
  readonly changes?: number
  /** How the strategy was chosen, if it was not named. */
  readonly auto?: Chosen
}

/** True if the workers had a CPU each, so that a rate means something. */
export const ratesCount = ({ plan, cpus }: Report): boolean =>
  plan.crew === 'inline' || (plan.crew === 'threads' && plan.workers <= cpus)

const packetsWith = (result: RunResult, verdict: keyof typeof verdictNumber): number =>
  result.verdicts[verdictNumber[verdict]].packets

/** Received packets that no verdict accounts for; anything but 0 is a fault of hairpin. */
export function unaccounted(result: RunResult): number {
  return result.received - result.verdicts.reduce((sum, v) => sum + v.packets, 0)
}

export function reportJson(report: Report): object {
  const { result } = report
  const rate = ratesCount(report)
  return {
    program: report.artifact.name,
    strategy: report.plan.strategy,
    cores: report.plan.workers,
    ...(report.auto && {
      auto: {
        why: report.auto.why,
        estimates: report.auto.estimates.map(e => ({
          strategy: e.strategy,
          workers: e.workers,
          frontNanoseconds: e.front,
          slowestWorkerNanoseconds: e.slowest,
          largestShare: e.largestShare,
        })),
      },
    }),
    mode: report.plan.crew,
    ...(report.plan.history && { history: report.plan.history }),
    ...(report.plan.sharing && { sharing: report.plan.sharing }),
    ...(report.plan.map.steering && { fields: steeringNames(report.artifact) }),
    received: result.received,
    verdicts: {
      drop: packetsWith(result, 'drop'),
      pass: packetsWith(result, 'pass'),
      transmit: packetsWith(result, 'transmit'),
      redirect: packetsWith(result, 'redirect'),
    },
    drops: dropsOf(result),
    unaccounted: unaccounted(result),
    counters: Object.fromEntries(Object.entries(result.counters).map(([name, n]) => [name, Number(n)])),
    clamped: report.clamped,
    seconds: result.seconds,
    mpps: rate ? result.received / result.seconds / 1e6 : null,
    gbps: rate ? (8 * result.receivedBytes) / result.seconds / 1e9 : null,
    workers: result.workers.map(w => ({
      packets: w.packets,
      replayed: w.replayed,
      busySeconds: w.busyMilliseconds / 1000,
    })),
    ...(report.changes !== undefined && { changes: report.changes }),
    ...(result.rebalancing && { rebalancing: rebalancingJson(result.rebalancing) }),
    ...(result.recovery && { recovery: recoveryJson(result.recovery) }),
    ...(result.reordering && { reordering: result.reordering }),
    interrupted: report.interrupted,
    notes: report.notes,
    faults: report.faults,
    ...(report.state && { state: report.state.map(dumpToJson) }),
  }
}

/** Drops by reason. */
function dropsOf(result: RunResult): Record<string, number> {
  const lost = result.recovery?.lost ?? result.lost
  const others: Record<string, number> = {
    ...(lost !== undefined && { lost }),
    ...result.recovery?.drops,
  }
  const program = packetsWith(result, 'drop') - Object.values(others).reduce((sum, n) => sum + n, 0)
  return { program, aborted: packetsWith(result, 'aborted'), ...others }
}

const recoveryJson = ({ detected, recovered, lostEverywhere, unrecoverable, stopped }: RecoveryReport) => ({
  detected,
  recovered,
  lostEverywhere,
  unrecoverable,
  stopped: stopped.map(({ worker, last }) => ({ worker, last: String(last) })),
})

const rebalancingJson = (r: RebalancingReport) => ({
  epochs: r.epochs,
  migrations: r.migrations,
  promotions: r.promotions,
  demotions: r.demotions,
  entries: r.entries,
  givenUp: r.givenUp,
  pausedSeconds: r.pausedMilliseconds / 1000,
})

/** What changed hands between workers. */
function rebalancingText({ plan }: Report, r: RebalancingReport): string[] {
  const heavy =
    plan.strategy === 'hybrid'
      ? `, ${grouped(r.promotions)} keys became heavy and ${grouped(r.demotions)} light again`
      : ''
  const paused =
    r.pausedMilliseconds > 0 ? `in ${r.pausedMilliseconds.toFixed(1)} ms` : 'while packets flowed'
  const givenUp = r.givenUp > 0 ? `; ${grouped(r.givenUp)} hand-overs given up for want of room or time` : ''
  return paragraph(
    `rebalancing: ${grouped(r.epochs)} epochs, ${grouped(r.migrations)} buckets changed their worker${heavy}; ` +
      `${grouped(r.entries)} entries moved or were copied, ${paused}${givenUp}`,
    2,
    92,
  )
}

/** What was lost, and what became of it. */
export function recoveryText(recovery: RecoveryReport): string[] {
  const { detected, recovered, lostEverywhere, unrecoverable } = recovery
  return paragraph(
    `recovery: workers found ${grouped(detected)} packets missing: ${grouped(recovered)} recovered from other workers, ` +
      `${grouped(lostEverywhere)} lost everywhere, ${grouped(unrecoverable)} unrecoverable`,
    2,
    92,
  )
}

export function reportText(report: Report): string {
  const { artifact, plan, result } = report
  const { received } = result
  const rows = (Object.keys(verdictNumber) as (keyof typeof verdictNumber)[])
    .map(name => ({ name, ...result.verdicts[verdictNumber[name]] }))
    .filter(({ name, packets }) => packets > 0 || (name !== 'aborted' && name !== 'redirect'))
    .map(({ name, packets, bytes }) => [name, grouped(packets), percent(packets, received), bytesText(bytes)])
  const workers = `${plan.workers} ${plan.crew === 'virtual' ? 'virtual ' : ''}worker${plan.workers === 1 ? '' : 's'}`
  const parts = [
    `${artifact.name}: ${grouped(received)} packets, strategy ${strategyText(report)}, ${workers}`,
    '',
    grid(
      [
        { title: 'verdict' },
        { title: 'packets', right: true },
        { title: 'share', right: true },
        { title: 'bytes', right: true },
      ],
      rows,
    ),
    `  received ${grouped(received)} = sum of verdicts, unaccounted ${grouped(unaccounted(result))}`,
  ]
  if (result.recovery || result.lost !== undefined) {
    const drops = Object.entries(dropsOf(result)).filter(([, n]) => n > 0)
    const list = drops.map(([reason, n]) => `${reason} ${grouped(n)}`)
    if (list.length) parts.push(`  dropped: ${list.join(', ')}`)
    if (result.recovery) parts.push(...recoveryText(result.recovery))
  }
  if (report.changes)
    parts.push(
      `  ${grouped(report.changes)} change${report.changes === 1 ? '' : 's'} of parameters and rules took place`,
    )
  if (result.rebalancing) parts.push(...rebalancingText(report, result.rebalancing))
  const counters = Object.entries(result.counters).map(([name, count]) => [name, grouped(count)])
  if (counters.length) parts.push('', grid([{ title: 'counter' }, { title: 'count', right: true }], counters))
  if (plan.workers > 1) parts.push('', workersText(report), ...reorderingText(report))
  if (report.clamped)
    parts.push('', `  ${grouped(report.clamped)} packets were older than the one before; their time was held`)
  for (const note of report.notes) parts.push('', `  note: ${note}`)
  parts.push('', `  ${rateText(report)}`)
  for (const dump of report.state ?? []) parts.push('', stateText(dump))
  parts.push('')
  return parts.join('\n')
}

/** The header fields that pick the worker. */
const steeringNames = ({ steering }: Artifact): string[] =>
  Object.entries(steering ?? {})
    .filter(([name, used]) => used && name !== 'symmetric')
    .map(([name]) => name)

function strategyText({ plan, artifact }: Report): string {
  if (plan.recovery) return `${plan.strategy} (history by value, loss recovery)`
  if (plan.sharing) return `shared (${sharingText[plan.sharing]})`
  if (plan.history === 'value') return 'replicated (history by value)'
  return plan.map.steering ? `${plan.strategy} (by ${steeringNames(artifact).join(', ')})` : plan.strategy
}

function reorderingText({ result, plan }: Report): string[] {
  const { reordering } = result
  if (!reordering || reordering.sampled === 0 || plan.workers === 1) return []
  const { sampled, reordered, extent } = reordering
  const what =
    reordered === 0
      ? 'none finished after a later one'
      : `${percent(reordered, sampled)} finished after a later one, by up to ${grouped(extent)} packets`
  return paragraph(
    `reordering: of ${grouped(sampled)} packets looked at that go on, ${what}; captures written by --out are in order`,
    2,
    92,
  )
}

function workersText({ plan, result }: Report): string {
  const replicated = plan.strategy === 'replicated' || plan.strategy === 'hybrid'
  const most = Math.max(...result.workers.map(w => w.packets))
  const mean = result.received / result.workers.length
  const table = grid(
    [
      { title: 'worker', right: true },
      { title: 'packets', right: true },
      { title: 'share', right: true },
      { title: 'fast-forwarded', right: true },
      { title: 'busy', right: true },
    ],
    result.workers.map((w, i) => [
      String(i),
      grouped(w.packets),
      percent(w.packets, result.received),
      replicated ? grouped(w.replayed) : '-',
      `${w.busyMilliseconds.toFixed(1)} ms`,
    ]),
  )
  return mean > 0 ? `${table}\n  the busiest worker has ${(most / mean).toFixed(2)} times the mean` : table
}

/** Seconds below which a rate says more about starting than about running. */
const shortRun = 0.05

function rateText(report: Report): string {
  const { result, plan, cpus } = report
  if (!ratesCount(report)) {
    const virtual = plan.crew === 'virtual'
    const why = virtual
      ? 'virtual workers take turns on one CPU'
      : `${plan.workers} workers share ${cpus} CPUs`
    return `correctness only: ${why}, so no rate is given`
  }
  const mpps = result.received / result.seconds / 1e6
  const gbps = (8 * result.receivedBytes) / result.seconds / 1e9
  const rate = `${mpps.toFixed(2)} Mpps, ${gbps.toFixed(2)} Gbit/s`
  const short = result.seconds < shortRun ? ' (too short a run to go by)' : ''
  return `${result.seconds.toFixed(3)} s, ${rate}, reading the capture included${short}`
}
