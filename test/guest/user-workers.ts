// Seven WebAssembly workers behind AF_XDP sockets on all queues of the card, replicated, with one sequencer.

import { runLive } from '../../src/engine/queue/live-run.js'
import { interfaces } from '../../src/sys/interfaces.js'
import { strategyWith } from '../../src/strategy/strategies.js'
import { check, equal } from './checks.js'
import { byQueue, knocks } from './kernel-workers.js'
import type { Subjects } from './many.js'
import { send } from './orders.js'

const cores = 7
const count = 20_000

export async function userWorkers(subjects: Subjects): Promise<void> {
  const { artifact } = subjects.get('port-knocking')!
  const before = byQueue()
  let stop = false
  let received = 0
  let opened = (): void => {}
  const ready = new Promise<void>(resolve => (opened = resolve))
  const running = runLive({
    devices: ['eth0'],
    artifact,
    run: { strategy: strategyWith('replicated', { history: 'reference' })!, cores },
    mode: 'either',
    xdp: 'native',
    frames: 2048,
    batch: 256,
    busyPoll: 0,
    stopped: () => stop,
    ready: () => opened(),
    progress: figures => (received = figures.received),
    everyMilliseconds: 50,
  })
  running.catch(() => {})
  await Promise.race([ready, running])
  const { sent, dropped } = await send(knocks(), count, () => received)
  stop = true
  const { run, figures, blocks } = await running
  const queues = byQueue().map((n, k) => n - before[k])
  check(queues.filter(n => n > 0).length === 8, 'packets came by all queues', queues.join(' '))
  const { drops } = figures
  equal(
    [dropped, figures.received >= sent, figures.unaccounted],
    [0, true, 0],
    'dropped on the wire, all received, unaccounted',
  )
  equal(
    [drops.frameMissing, drops.receiveRingFull, drops.sendRingFull],
    [0, 0, 0],
    'no ring was full, no frame missing',
  )
  const packets = run.workers.map(w => w.packets)
  equal(
    [packets.length, packets.reduce((a, b) => a + b, 0)],
    [cores, figures.received],
    `workers and their packets (${packets.join(' ')})`,
  )
  check(
    run.workers.every(w => w.packets + w.replayed === figures.received),
    'each has handled or replayed every packet',
  )
  const bytes = new Uint8Array(run.memory.buffer)
  const state = (k: number): Uint8Array => bytes.subarray(blocks[k], blocks[k] + artifact.stateLayout.size)
  check(
    blocks.length === cores && blocks.every((_, k) => Buffer.compare(state(k), state(0)) === 0),
    'all replicas are equal, byte for byte',
    `${artifact.stateLayout.size} bytes`,
  )
  equal(
    interfaces().map(i => `${i.name}${i.xdp.length}`),
    ['lo0', 'eth00', 'eth10'],
    'interfaces are as before, without programs',
  )
}
