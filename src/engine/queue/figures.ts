// What was done with packets of AF_XDP queues, as numbers: packets by verdict and by reason of loss, and the program's own counters.

import { socket as field } from '../../backend/wasm/rings/memory.js'
import type { XdpSocketStatistics } from '../../sys/af-xdp.js'
import type { Artifact } from '../artifact.js'
import type { LivePlan } from './program.js'
import { mostQueues } from './steering.js'
import type { Steering } from './steering.js'

/** Packets that XDP handed over and no worker ever saw. */
export interface Losses {
  readonly frameMissing: number
  readonly receiveRingFull: number
  /** Times the kernel found a FILL ring empty; not packets. */
  readonly fillRingEmpty: number
}

export const noLosses: Losses = { frameMissing: 0, receiveRingFull: 0, fillRingEmpty: 0 }

export const addLosses = (a: Losses, b: XdpSocketStatistics): Losses => ({
  frameMissing: a.frameMissing + Number(b.dropped),
  receiveRingFull: a.receiveRingFull + Number(b.receiveRingFull),
  fillRingEmpty: a.fillRingEmpty + Number(b.fillRingEmpty),
})

export interface QueueFigures {
  /** Packets that XDP handed over, by queue where there were any, and in all. */
  readonly queues: readonly { readonly queue: number; readonly taken: number; readonly elsewhere: number }[]
  readonly taken: number
  /** Packets that matched on queues that are not bypassed, which the kernel has. */
  readonly elsewhere: number
  readonly received: number
  /** The same by socket of a queue, which are workers where each has sockets of its own. */
  readonly receivedBy: readonly number[]
  readonly receivedBytes: number
  readonly passed: number
  readonly transmitted: number
  readonly redirected: number
  /** Packets that went nowhere, by reason. */
  readonly drops: Readonly<Record<DropReason, number>>
  readonly fillRingEmpty: number
  /** Packets that the kernel sent by hp0, and those of them that found no room on the way out. */
  readonly fromKernel: { readonly received: number; readonly sent: number; readonly dropped: number }
  /** taken less everything above: packets of the batch in hand while it runs, 0 at the end. */
  readonly unaccounted: number
  readonly counters: Readonly<Record<string, number>>
}

export type DropReason =
  'program' | 'aborted' | 'sendRingFull' | 'noKernel' | 'noTarget' | 'frameMissing' | 'receiveRingFull'

/** Adds up the blocks of all sockets of the first `slots` pools. */
export function figuresOf(
  view: DataView,
  { layout, plan }: Pick<LivePlan, 'layout' | 'plan'>,
  artifact: Artifact,
  slots: number,
  steering: readonly Steering[],
  losses: Losses,
): QueueFigures {
  const blocks = layout.places.slice(0, slots).flatMap(p => p.sockets.map(s => s.block))
  const read = (at: number): number => Number(view.getBigUint64(at, true))
  const places = layout.places.slice(0, slots)
  const receivedBy = (places[0]?.sockets ?? []).map((_, s) =>
    places.reduce((n, p) => n + read(p.sockets[s].block + field.received), 0),
  )
  const sum = (offset: number): number => blocks.reduce((n, block) => n + read(block + offset), 0)
  const fromKernel = (offset: number): number =>
    layout.places.slice(slots).reduce((n, p) => n + read(p.sockets[0].block + offset), 0)
  const queues = Array.from({ length: mostQueues }, (_, queue) => {
    const counts = steering.map(each => each.counts(queue))
    const add = (of: 'taken' | 'elsewhere'): number => counts.reduce((n, c) => n + c[of], 0)
    return { queue, taken: add('taken'), elsewhere: add('elsewhere') }
  }).filter(q => q.taken + q.elsewhere > 0)
  const taken = queues.reduce((n, q) => n + q.taken, 0)
  const [passed, transmitted, redirected] = [sum(field.passed), sum(field.transmitted), sum(field.redirected)]
  const drops = {
    program: sum(field.dropped),
    aborted: sum(field.aborted),
    sendRingFull: sum(field.sendRingFull),
    noKernel: sum(field.noKernel),
    noTarget: sum(field.noTarget),
    frameMissing: losses.frameMissing,
    receiveRingFull: losses.receiveRingFull,
  }
  const dropped = Object.values(drops).reduce((a, b) => a + b, 0)
  return {
    queues,
    taken,
    elsewhere: queues.reduce((n, q) => n + q.elsewhere, 0),
    received: sum(field.received),
    receivedBy,
    receivedBytes: sum(field.receivedBytes),
    passed,
    transmitted,
    redirected,
    drops,
    fillRingEmpty: losses.fillRingEmpty,
    fromKernel: {
      received: fromKernel(field.received),
      sent: fromKernel(field.redirected),
      dropped: fromKernel(field.sendRingFull) + fromKernel(field.aborted),
    },
    unaccounted: taken - passed - transmitted - redirected - dropped,
    counters: Object.fromEntries(
      artifact.counters.map(({ name }, i) => [
        name,
        plan.map.counters.reduce((n, at) => n + read(at + 8 * i), 0),
      ]),
    ),
  }
}
