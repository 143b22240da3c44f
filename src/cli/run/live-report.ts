// What a live run has to say: at its start, every second, and at its end; for people and as JSON (docs/json.md).

import type { LiveBalance, LiveFigures, LiveRebalancing } from '../../engine/live/figures.js'
import { hasStopped, liveBalance } from '../../engine/live/figures.js'
import { dumpToJson } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import { grid, grouped } from '../grid.js'
import { recoveryJson, recoveryLines } from '../recovery.js'
import { migrationsText, perSecond } from '../top/page-parts.js'
import { stateText } from './state.js'

/** What was begun. */
export interface Started {
  readonly program: string
  readonly strategy: string
  readonly interfaces: readonly string[]
  readonly mode: string
  /** What keeps CPUs apart that share one state. */
  readonly sharing?: string
  /** Of replicated: bytes in front of each packet, CPUs of workers in turn, and the CPU of the queue before the sequencer. */
  readonly headerBytes?: number
  readonly workers?: readonly number[]
  readonly funnel?: number
  /** Of replicated in groups: CPUs of the sequencers in turn; of the workers as many each are of a group. */
  readonly sequencers?: readonly number[]
  /** The receive queue that the card's table has all packets come by. */
  readonly steered?: number
  /** How packets of several queues come to the sequencer, in words. */
  readonly sources?: string
  /** File that packets are recorded in. */
  readonly record?: string
  /** The interface that frames leave by for workers elsewhere. */
  readonly to?: string
  /** Of replicated: whether items are in front of packets, or in memory. */
  readonly history?: 'value' | 'reference'
  /** Of workers that take frames: whether they recover from lost ones. */
  readonly recovery?: boolean
  /** Of rebalanced and hybrid: milliseconds between two looks at the load. */
  readonly epoch?: number
  /** Receive queues that have a worker each, of frames that come from a sequencer elsewhere. */
  readonly queues?: number
}

export function startText(started: Started, why?: string): string {
  const { program, strategy, interfaces, mode, workers, headerBytes, funnel, sharing } = started
  const where = `${program} on ${interfaces.join(' and ')}, ${mode} mode: ${strategy}`
  const because = why === undefined ? '' : ` (auto: ${why})`
  if (started.to !== undefined)
    return (
      `${where}; frames with ${headerBytes} bytes of history leave by ${started.to}, for workers elsewhere` +
      `${started.sources === undefined ? '' : `\n${started.sources}`}`
    )
  if (started.queues !== undefined)
    return `${where}; frames come sequenced, and receive queues 0 to ${started.queues - 1} have a worker each${recovers(started)}`
  if (!workers) {
    const sources = started.sources === undefined ? '' : `\n${started.sources}`
    return `${where}${sharing ? `, ${sharing}` : ''}${because}${sources}`
  }
  const seats = `${workers.length} worker${workers.length === 1 ? '' : 's'} on CPU ${workers.join(', ')}${because}`
  if (started.epoch !== undefined && headerBytes !== undefined)
    return (
      `${where}, ${seats}\n${started.sources === undefined ? '' : `${started.sources}\n`}` +
      `packets go to workers by a hash of their flow, ${headerBytes} bytes in front of each; every ${started.epoch} ms buckets of ` +
      'flows may go from busy workers to idle ones, or to all'
    )
  if (headerBytes === undefined)
    return (
      `${where}, ${seats}\npackets go to workers by a hash of their flow, from any receive queue` +
      `${started.epoch === undefined ? '' : `; every ${started.epoch} ms buckets of flows may go from busy workers to idle ones`}`
    )
  const one = started.sequencers
    ? `${started.sequencers.length} groups of ${workers.length / started.sequencers.length}: packets go by a hash of their ` +
      `flow to sequencers on CPU ${started.sequencers.join(', ')}, from any receive queue`
    : funnel === undefined
      ? 'one sequencer in the driver'
      : `one sequencer for all on CPU ${funnel}, behind a queue of its own`
  return (
    `${where}, ${seats}\n${started.sources === undefined ? '' : `${started.sources}\n`}` +
    `${one}; ${
      started.history === 'reference'
        ? `history in memory, ${headerBytes} bytes in front of each packet; a lost frame takes no history with it`
        : `${headerBytes} bytes of history in front of each packet, in frames to workers only${recovers(started)}`
    }`
  )
}

const recovers = ({ recovery }: Started): string => (recovery ? '; lost frames are recovered from logs' : '')

const numbers = (counts: ReadonlyMap<string, bigint>): Record<string, number> =>
  Object.fromEntries([...counts].map(([name, n]) => [name, Number(n)]))

/** Packets of others that a worker's state has taken in, from their items. */
const replayed = (last: bigint | undefined, packets: bigint): bigint | undefined =>
  last === undefined ? undefined : last - packets

export const figuresJson = (figures: LiveFigures) => ({
  sequenced: Number(figures.sequenced),
  verdicts: numbers(figures.verdicts),
  counters: numbers(figures.counters),
  drops: numbers(liveBalance(figures).drops),
  workers: figures.workers.map(({ cpu, packets, last, frames }) => ({
    cpu,
    packets: Number(packets),
    ...(last !== undefined && {
      replayed: Number(replayed(last, packets)),
      last: Number(last),
      gaps: Number(frames.get('gaps') ?? 0n),
    }),
  })),
  ...(figures.recovery && { recovery: recoveryJson(figures.recovery) }),
  ...(figures.rebalancing && { rebalancing: liveRebalancingJson(figures.rebalancing) }),
})

const liveRebalancingJson = ({ migrations, ...rest }: LiveRebalancing) => ({
  ...rest,
  migrations: Number(migrations),
})

/** What came of the looks at the load. */
const rebalancingLines = (r: LiveRebalancing | undefined): string[] =>
  r === undefined ? [] : [`${migrationsText(r)}, in ${grouped(r.epochs)} epochs`]

export const endJson = (
  figures: LiveFigures,
  balance: LiveBalance,
  seconds: number,
  dumps: readonly Dump[] | undefined,
) => ({
  seconds,
  received: Number(balance.received),
  ...figuresJson(figures),
  unaccounted: Number(balance.unaccounted),
  ...(figures.recording && { recordLost: Number(figures.recording.lost) }),
  ...(dumps && { state: dumps.map(dumpToJson) }),
})

/** The screen: totals, verdicts, what each worker does, and drops by reason. */
export function pageOf(
  started: Started,
  now: LiveFigures,
  before: LiveFigures,
  seconds: number,
  columns: number,
): string[] {
  const rate = (a: bigint, b: bigint): string => perSecond(seconds > 0 ? Number(a - b) / seconds : 0)
  const [balance, earlier] = [liveBalance(now), liveBalance(before)]
  const lines = [
    `hairpin run  ${started.program} on ${started.interfaces.join(', ')}  ${started.strategy}, ${started.mode}  q ends`,
    '',
    `  received     ${grouped(balance.received).padStart(16)}  ${rate(balance.received, earlier.received)}/s`,
    ...[...now.verdicts].flatMap(([name, n]) =>
      n === 0n
        ? []
        : [`  ${name.padEnd(12)} ${grouped(n).padStart(16)}  ${rate(n, before.verdicts.get(name) ?? 0n)}/s`],
    ),
    '',
    ...workerRows(started, now, before, rate).split('\n'),
    '',
    ...[...balance.drops].flatMap(([name, n]) =>
      n === 0n || name === 'program'
        ? []
        : [`  dropped: ${name} ${grouped(n)}, ${rate(n, earlier.drops.get(name) ?? 0n)}/s`],
    ),
    ...(started.headerBytes === undefined || started.epoch !== undefined
      ? []
      : [historyCost(started.headerBytes, balance, earlier, seconds)]),
    ...recoveryLines(now.recovery).map(line => `  ${line}`),
    ...rebalancingLines(now.rebalancing).map(line => `  ${line}`),
  ]
  return lines.map(line => line.slice(0, columns))
}

/** What the history costs: bytes that go in front of packets. */
function historyCost(headerBytes: number, now: LiveBalance, before: LiveBalance, seconds: number): string {
  const packets = seconds > 0 ? Number(now.received - before.received) / seconds : 0
  return `  history: ${headerBytes} bytes a packet, ${perSecond(packets * headerBytes)} B/s`
}

const noWorkers = (started: Started): string =>
  started.to === undefined ? '  no packet yet' : '  workers are elsewhere'

function workerRows(
  started: Started,
  now: LiveFigures,
  before: LiveFigures,
  rate: (a: bigint, b: bigint) => string,
): string {
  if (now.workers.length === 0) return noWorkers(started)
  const mean = Number(now.workers.reduce((sum, w) => sum + w.packets, 0n)) / now.workers.length
  const rows = now.workers.map((w, k) => [
    started.workers || started.queues ? String(k) : '',
    started.queues ? '' : String(w.cpu),
    grouped(w.packets),
    `${rate(w.packets, before.workers.find((b, j) => (started.workers || started.queues ? j === k : b.cpu === w.cpu))?.packets ?? 0n)}/s`,
    mean > 0 ? (Number(w.packets) / mean).toFixed(2) : '-',
    w.last === undefined ? '' : grouped(w.last),
    hasStopped(w) ? (w.recovery ? 'gave up' : 'stopped at a gap') : '',
  ])
  return grid(
    [
      { title: 'worker', right: true },
      { title: 'cpu', right: true },
      { title: 'packets', right: true },
      { title: 'rate', right: true },
      { title: '× mean', right: true },
      { title: 'up to packet', right: true },
      { title: '' },
    ],
    rows,
  )
}

/** The balance, and who did what. */
export function endText(
  started: Started,
  figures: LiveFigures,
  balance: LiveBalance,
  seconds: number,
  dumps: readonly Dump[] | undefined,
): string {
  const { received, passed, transmitted, redirected, drops, unaccounted } = balance
  const dropped = [...drops.values()].reduce((a, b) => a + b, 0n)
  const reasons = [...drops].filter(([, n]) => n > 0n).map(([reason, n]) => `${reason} ${grouped(n)}`)
  const counters = [...figures.counters].map(([name, n]) => `${name} ${grouped(n)}`)
  const rate = (a: bigint): string => perSecond(Number(a) / seconds)
  const nothing = { ...figures, workers: [] }
  return [
    `${grouped(received)} received in ${seconds.toFixed(1)} s = ${grouped(passed)} passed + ${grouped(transmitted)} ` +
      `transmitted + ${grouped(redirected)} redirected + ${grouped(dropped)} dropped` +
      `${reasons.length ? ` (${reasons.join(', ')})` : ''}`,
    `unaccounted ${grouped(unaccounted)}`,
    ...(counters.length ? [`counters: ${counters.join(', ')}`] : []),
    workerRows(started, figures, nothing, rate),
    ...recoveryLines(figures.recovery),
    ...rebalancingLines(figures.rebalancing),
    ...(figures.recording
      ? [
          figures.recording.lost === 0n
            ? `${started.record} has every packet that got a number; hairpin verify ${started.program} --in it`
            : `${started.record} misses ${grouped(figures.recording.lost)} packets: verify cannot come to the same`,
        ]
      : []),
    ...(dumps ? ['', 'state', ...dumps.map(d => stateText(d))] : []),
  ].join('\n')
}
