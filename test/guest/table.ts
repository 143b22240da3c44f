// hairpin run on the card: all packets by one queue, by its indirection table, which is as before afterwards.

import { setTimeout as pause } from 'node:timers/promises'
import { scaling, statistics } from '../../src/sys/ethtool.js'
import { check, equal } from './checks.js'
import { Command } from './command.js'
import type { Event } from './command.js'
import { byQueue, knocks } from './kernel-workers.js'
import { send } from './orders.js'

const workers = 7
const count = 4000
/** One queue's ring holds 256. */
const portion = 200
const args = ['run', 'programs/port-knocking.ts', '--iface', 'eth0', '--cores', `${workers}`]

const table = (): readonly number[] => scaling('eth0')?.indirection ?? []

/** Packets of all kinds by queue. */
const receivedByQueue = (): number[] =>
  [...statistics('eth0')].flatMap(([name, n]) => (/^rx_queue_\d+_packets$/.test(name) ? [Number(n)] : []))

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** How many queues packets of many flows come by. */
async function queuesUsed(counts: () => number[]): Promise<number> {
  const before = counts()
  await send(knocks(), 800, () => sum(counts()))
  return counts().filter((n, k) => n > before[k]).length
}

/** Traffic through a run, from its start to its end. */
async function through(...flags: string[]): Promise<{ started: Event; last: Event; queues: number }> {
  const run = new Command(...args, ...flags)
  const started = await run.until(e => e.event === 'started')
  const before = byQueue()
  await send(knocks(), count, () => sum(byQueue()), portion)
  const queues = byQueue().filter((n, k) => n > before[k]).length
  const { code, last } = await run.end('SIGINT')
  equal(code, 130, `${flags.join(' ')} ended by Ctrl-C`)
  return { started, last: last!, queues }
}

/** Whatever way packets came: all were numbered, and all workers have all of them. */
function isWhole(how: string, last: Event): void {
  const drops = last.drops as Readonly<Record<string, number>>
  const of = last.workers as { last: number; gaps: number }[]
  equal(
    [(last.received as number) >= count, last.unaccounted, last.sequenced, drops.otherQueue ?? 0],
    [true, 0, last.received, 0],
    `${how}: all received, unaccounted, numbered, by another queue`,
  )
  equal(
    [of.length, of.every(w => w.last === last.sequenced && w.gaps === 0)],
    [workers, true],
    `${how}: workers, and all have all packets`,
  )
}

export async function tableSteering(): Promise<void> {
  const before = table()
  equal(await queuesUsed(receivedByQueue), 8, 'queues that packets come by, before')

  const steered = await through()
  equal(
    [steered.started.steered, steered.started.funnel ?? 'no funnel'],
    [0, 'no funnel'],
    'steered to queue, and funnel',
  )
  console.log(`# ${String(steered.started.sources)}`)
  equal(steered.queues, 1, 'queues that packets come by, steered by the table')
  isWhole('table', steered.last)
  equal(table(), before, 'the table afterwards')
  equal(await queuesUsed(receivedByQueue), 8, 'queues that packets come by, afterwards')

  const funnelled = await through('--steer', 'funnel')
  equal([funnelled.started.steered ?? 'not steered', funnelled.started.funnel], ['not steered', 0], 'funnel')
  equal(funnelled.queues, 8, 'queues that packets come by, funnelled')
  isWhole('funnel', funnelled.last)

  const killed = new Command(...args)
  await killed.until(e => e.event === 'started')
  check(
    table().every(q => q === 0),
    'all places of the table are queue 0',
  )
  await killed.end('SIGKILL')
  for (let k = 0; k < 60 && table().join() !== before.join(); k++) await pause(200)
  equal(table(), before, 'the table after SIGKILL')
  await pause(1500)
  equal(await queuesUsed(receivedByQueue), 8, 'queues that packets come by, after SIGKILL')
}
