// What a bypass tells: how it was set up, a line each second, and where all packets went. As text and as JSON.

import type { Bypass, OpenedQueue } from '../../engine/queue/bypass.js'
import type { QueueFigures } from '../../engine/queue/figures.js'
import type { Pool } from '../../engine/queue/pool.js'
import { grouped } from '../grid.js'

/** Whether packets are polled for; that they are not though it was asked for is said with the reason. */
function pollingText({ mode, options }: Pick<Pool, 'mode' | 'options'>): string {
  if (mode.busyPoll > 0) return `busy polling ${mode.busyPoll} µs`
  if (options.busyPoll === 0) return 'interrupts'
  return 'interrupts (no busy polling: the driver has named nothing to poll, as veth never does since Linux 6.13)'
}

/** How one queue is taken, in words. */
export function openedText({ device }: Bypass, { queue, pool, isolation }: OpenedQueue): string {
  const { mode } = pool
  const parts = [
    mode.zeroCopy ? 'zero-copy' : 'copy mode',
    mode.needWakeup ? 'woken on demand' : 'woken every time',
    pollingText(pool),
  ]
  const steering =
    isolation.steering === 'rules'
      ? `${device.name} steers what matches to it (rule ${isolation.rules.join(', ')})`
      : `${device.name} cannot steer by rules, so XDP takes what matches from this queue`
  const table = isolation.indirection
    ? `; out of the indirection table: ${[...new Set(isolation.indirection)].toSorted((a, b) => a - b).join(', ')} are left`
    : ''
  return `queue ${queue}: ${parts.join(', ')}; ${steering}${table}`
}

export const openedJson = (bypass: Bypass, { queue, pool, isolation }: OpenedQueue) => ({
  event: 'opened',
  interface: bypass.device.name,
  queue,
  xdp: bypass.attachment.mode,
  zeroCopy: pool.mode.zeroCopy,
  needWakeup: pool.mode.needWakeup,
  busyPoll: pool.mode.busyPoll,
  steering: isolation.steering,
  rules: isolation.rules,
  indirection: isolation.indirection ?? null,
})

const dropText = ({ drops }: QueueFigures): string => {
  const reasons = Object.entries(drops).filter(([, n]) => n > 0)
  const sum = reasons.reduce((a, [, n]) => a + n, 0)
  return `${grouped(BigInt(sum))} dropped${reasons.length ? ` (${reasons.map(([r, n]) => `${r} ${grouped(BigInt(n))}`).join(', ')})` : ''}`
}

/** One line: packets a second, and what became of those of this second. */
export function secondText(now: QueueFigures, before: QueueFigures, seconds: number): string {
  const rate = (a: number, b: number): string => grouped(BigInt(Math.round((a - b) / seconds)))
  const parts: [string, number, number][] = [
    ['dropped', now.drops.program + now.drops.aborted, before.drops.program + before.drops.aborted],
    ['passed', now.passed, before.passed],
    ['transmitted', now.transmitted, before.transmitted],
    ['lost', lost(now), lost(before)],
    ['on other queues', now.elsewhere, before.elsewhere],
  ]
  const told = parts.filter(([name, a, b]) => a > b || name === 'dropped' || name === 'passed')
  return `${rate(now.taken, before.taken)} pps: ${told.map(([name, a, b]) => `${rate(a, b)} ${name}`).join(', ')}`
}

/** Packets that were to go somewhere and did not, or that nobody saw. */
export const lost = ({ drops }: QueueFigures): number =>
  drops.frameMissing + drops.receiveRingFull + drops.sendRingFull + drops.noKernel + drops.noTarget

export const figuresJson = (figures: QueueFigures) => ({
  taken: figures.taken,
  elsewhere: figures.elsewhere,
  received: figures.received,
  verdicts: {
    passed: figures.passed,
    transmitted: figures.transmitted,
    redirected: figures.redirected,
  },
  drops: figures.drops,
  fillRingEmpty: figures.fillRingEmpty,
  fromKernel: figures.fromKernel,
  counters: figures.counters,
  queues: figures.queues,
})

/** What a run says of itself to others; of workers, what came by the sockets of each. */
export const countsOf = ({
  taken,
  passed,
  transmitted,
  redirected,
  drops,
  counters,
  receivedBy,
}: QueueFigures) => ({
  packets: taken,
  verdicts: { passed, transmitted, redirected },
  drops,
  counters,
  workers: receivedBy.map(packets => ({ packets, replayed: 0 })),
})

/** taken = passed + transmitted + redirected + dropped; what is left is told. */
export function balanceText(figures: QueueFigures): string {
  const n = (x: number): string => grouped(BigInt(x))
  const rest = figures.unaccounted === 0 ? '' : ` + ${n(figures.unaccounted)} unaccounted`
  const counters = Object.entries(figures.counters).filter(([, count]) => count > 0)
  return [
    `${n(figures.taken)} taken = ${n(figures.passed)} passed + ${n(figures.transmitted)} transmitted + ` +
      `${n(figures.redirected)} redirected + ${dropText(figures)}${rest}`,
    ...(counters.length ? [counters.map(([name, count]) => `${name} ${n(count)}`).join(', ')] : []),
    ...(figures.fromKernel.received > 0
      ? [
          `${n(figures.fromKernel.received)} sent by the kernel = ${n(figures.fromKernel.sent)} out + ${n(figures.fromKernel.dropped)} dropped`,
        ]
      : []),
    ...(figures.elsewhere > 0
      ? [`${n(figures.elsewhere)} that matched came in on other queues; the kernel has them`]
      : []),
  ].join('\n')
}
