// What a live run counts, as plain data, and the balance of its packets.

import type { FrameCounter } from '../../backend/ebpf/frame.js'
import type { Attachment } from '../../sys/xdp.js'
import type { DriverCounts } from '../kernel/driver.js'
import type { BucketFigures } from '../kernel/buckets.js'
import type { KernelRecovery, WorkerRecovery } from '../kernel/recovery.js'
import type { Passage } from './passages.js'

/** Why a frame got no verdict; `unrecoverable` is of workers with recovery that gave up. */
export type FrameReason = FrameCounter | 'unrecoverable'

/** One worker; where there are none, a CPU that packets came to. */
export interface WorkerFigures {
  readonly cpu: number
  /** Packets that got a verdict. */
  readonly packets: bigint
  /** What it counted of frames that got no verdict. */
  readonly frames: ReadonlyMap<FrameReason, bigint>
  /** The number of the last packet that its state includes. */
  readonly last?: bigint
  /** Frames with a packet that reached it. */
  readonly handled: bigint
  /** What loss recovery did, where it is on. */
  readonly recovery?: WorkerRecovery
}

/** Whether a worker's state has stopped for good. */
export const hasStopped = ({ recovery, frames }: WorkerFigures): boolean =>
  recovery ? recovery.stopped : (frames.get('gaps') ?? 0n) > 0n

export interface LiveFigures {
  /** Over all workers. */
  readonly verdicts: ReadonlyMap<string, bigint>
  readonly counters: ReadonlyMap<string, bigint>
  /** Packets that got a number; of shards, that were put to a queue; else that got a verdict. */
  readonly sequenced: bigint
  /** The kernel's monotonic clock when the first packet came, ns; before that, when the program was loaded. */
  readonly start: bigint
  /** What drivers counted since the program came, by interface. */
  readonly drivers: readonly DriverCounts[]
  readonly sequencerDrops: ReadonlyMap<string, bigint>
  /** The queue before the sequencer, where there is one. */
  readonly funnel?: Passage
  /** The queues behind it, by map. */
  readonly sprayed: readonly Passage[]
  readonly workers: readonly WorkerFigures[]
  /** Loss recovery over all workers, where it is on. */
  readonly recovery?: KernelRecovery
  /** What drivers receive are frames of a sequencer elsewhere: those without a packet are among them. */
  readonly frames?: boolean
  /** Of strategies rebalanced and hybrid. */
  readonly rebalancing?: LiveRebalancing
  /** Of a run that is recorded: packets that found no room, and what went wrong with the file. */
  readonly recording?: { readonly lost: bigint; readonly fault?: string }
}

/** Epochs that ended, changes of worker that were wished for, and what came of them. */
export interface LiveRebalancing extends BucketFigures {
  readonly epochs: number
  readonly wishes: number
  /** Of strategy hybrid: how often all workers came to have a bucket, how often one of these went home, and how many they have. */
  readonly promotions?: number
  readonly demotions?: number
  readonly spread?: number
}

/** What the command needs of a live run, whatever the strategy. All but `settle` in the namespace of the interfaces. */
export interface LiveRun {
  readonly attachments: readonly Attachment[]
  /** Everything counted so far. */
  figures(): LiveFigures
  /** Does what must be done from time to time, every few hours at least. */
  tend(): void
  /** How many parts the state of all together has, where it is not each worker's: `state` is of a part then. */
  readonly parts?: number
  /** The state block of a worker, as it is. */
  state(worker: number): Uint8Array
  /** Takes programs off their interfaces, if those are there. Harmless when repeated. */
  detach(): void
  /** After `detach`: every packet gets its verdict, and every worker is up to date. False if packets stayed away. */
  settle(): Promise<boolean>
  close(): void
}

export interface LiveBalance {
  readonly received: bigint
  readonly passed: bigint
  readonly transmitted: bigint
  readonly redirected: bigint
  /** Dropped packets by reason; docs/live.md says what each means. */
  readonly drops: ReadonlyMap<string, bigint>
  /** Received and neither dropped nor sent anywhere, as far as anybody counted. */
  readonly unaccounted: bigint
}

const sum = (numbers: readonly bigint[]): bigint => numbers.reduce((a, b) => a + b, 0n)

/** received = passed + transmitted + redirected + dropped, by reason. */
export function liveBalance(figures: LiveFigures): LiveBalance {
  const { workers, drivers, sequencerDrops, funnel, sprayed, sequenced } = figures
  const verdict = (name: string): bigint => figures.verdicts.get(name) ?? 0n
  const noMemory = sum(sprayed.map(p => p.noMemory))
  const frames = new Map<string, bigint>()
  for (const w of workers)
    for (const [name, n] of w.frames)
      if (name !== 'flushes' && name !== 'gaps') frames.set(name, (frames.get(name) ?? 0n) + n)
  const flushes = sum(workers.map(w => w.frames.get('flushes') ?? 0n))
  // Everything a worker lets go by verdict is dropped by the kernel's count too; the rest found nobody to send it.
  const released = verdict('drop') + verdict('aborted') + sum([...frames.values()]) + flushes
  const unsendable = max(0n, sum(sprayed.map(p => p.dropped)) - released)
  const lostOnWire = sum(drivers.map(d => (d.sendLost ?? 0n) + (d.transmitLost ?? 0n)))
  const unsent = unsendable + lostOnWire
  const transmitLost = min(unsent, verdict('transmit'))
  const redirectLost = min(unsent - transmitLost, verdict('redirect'))
  const handed = drivers.every(d => d.handed !== undefined) ? sum(drivers.map(d => d.handed!)) : undefined
  const drops = new Map<string, bigint>([
    ['program', verdict('drop')],
    ['aborted', verdict('aborted')],
    ...(funnel ? [['funnelQueue', funnel.full] as const] : []),
    ...sequencerDrops,
    ['queue', sum(sprayed.map(p => p.full))],
    ...frames,
    ...(figures.frames ? [['flushes', flushes] as const] : []),
    ['noMemory', noMemory],
    ['transmit', transmitLost],
    ['redirect', redirectLost],
  ])
  const sentOn = {
    passed: verdict('pass') - noMemory,
    transmitted: verdict('transmit') - transmitLost,
    redirected: verdict('redirect') - redirectLost,
  }
  const counted = sentOn.passed + sentOn.transmitted + sentOn.redirected + sum([...drops.values()])
  const received = handed ?? sequenced + sum([...sequencerDrops.values()]) + (funnel?.full ?? 0n)
  return { received, ...sentOn, drops, unaccounted: received - counted }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b)
