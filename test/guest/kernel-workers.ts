// A sequencer in XDP and seven workers on CPUs of their own, of an order-dependent program on traffic of all queues.

import { openCapture } from '../../src/device/capture.js'
import { liveBalance } from '../../src/engine/live/figures.js'
import { ReplicatedRun } from '../../src/engine/live/replicated-run.js'
import { loadPackets } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { statistics } from '../../src/sys/ethtool.js'
import { check, equal } from './checks.js'
import { datagram, syn } from './frames.js'
import type { Subjects } from './many.js'
import { send } from './orders.js'

const workers = 7
const count = 20_000
const sources = 400
const seed = 1n

/** Knocks of many sources, of which one in three knocks right: what a source may do depends on the order of its packets. */
export const knocks = (): Uint8Array[] =>
  Array.from({ length: 2000 }, (_, k) => {
    const source = k % sources
    const step = Math.floor(k / sources)
    return syn(source, source % 3 === 0 ? 7001 + (step % 4) : 7001 + ((step * source) % 5))
  })

/** Datagrams of many flows, which exhaust their tokens. */
const datagrams = (): Uint8Array[] =>
  Array.from({ length: sources }, (_, k) => datagram(k, 4000, new Uint8Array(200)))

/** Packets that the driver handed to XDP, by queue. */
export const byQueue = (): number[] =>
  [...statistics('eth0')].flatMap(([name, n]) => (/^rx_queue_\d+_xdp_packets$/.test(name) ? [Number(n)] : []))

export async function kernelWorkers(subjects: Subjects): Promise<void> {
  for (const [name, frames] of [
    ['port-knocking', knocks()],
    ['token-bucket', datagrams()],
  ] as const) {
    const subject = subjects.get(name)!
    const { stateLayout, rulesLayout } = subject.artifact
    const record = `/tmp/${name}.pcapng`
    const before = byQueue()
    const run = new ReplicatedRun(subject, {
      interfaces: ['eth0'],
      settings: new Map(),
      ...(subject.rules && { rules: subject.rules }),
      seed,
      workers,
      cpus: onlineCpus().toReversed(),
      queueSize: 2048,
      clock: 'exact',
      queue: undefined,
      funnelCpu: 0,
      mode: 'native',
      record,
    })
    try {
      const { sent, dropped } = await send(frames, count, () => run.figures().sequenced)
      run.detach()
      check(await run.settle(), `${name}: every frame came out of its queue`)
      const figures = run.figures()
      const balance = liveBalance(figures)
      const queues = byQueue().map((n, k) => n - before[k])
      check(queues.filter(n => n > 0).length === 8, `${name}: packets came by all queues`, queues.join(' '))
      equal(
        [dropped, balance.received >= sent, balance.unaccounted],
        [0, true, 0],
        `${name}: dropped on the wire, all received, unaccounted`,
      )
      equal(figures.sequenced, balance.received, `${name}: all packets got a number`)
      const packets = figures.workers.map(w => Number(w.packets))
      equal(
        [packets.length, packets.reduce((a, b) => a + b, 0)],
        [workers, Number(figures.sequenced)],
        `${name}: workers and their packets (${packets.join(' ')})`,
      )
      equal(
        figures.workers.map(w => w.frames.get('gaps')),
        packets.map(() => 0n),
        `${name}: no gap`,
      )
      equal(
        new Set(figures.workers.map(w => w.last)).size,
        1,
        `${name}: all up to packet ${figures.workers[0].last}`,
      )
      const first = run.state(0)
      const others = packets.map((_, w) => Buffer.compare(run.state(w), first) === 0)
      check(others.every(Boolean), `${name}: all replicas are equal, byte for byte`, `${first.length} bytes`)
      equal(Number(figures.recording?.lost), 0, `${name}: recorded without loss`)
      run.close()
      const store = loadPackets((memory, workspace) => openCapture(record, { memory, workspace }))
      const serial = new Serial(subject.program, {
        stateLayout,
        rulesLayout,
        seed,
        settings: new Map(),
        ...(subject.rules && { rules: subject.rules }),
      })
      for (let k = 0; k < store.count; k++) serial.process(store.packet(k))
      equal(store.count, Number(figures.sequenced), `${name}: packets in the record`)
      check(
        Buffer.compare(first, serial.memory.bytes) === 0,
        `${name}: their state is the interpreter's over the recorded packets`,
      )
    } finally {
      run.close()
    }
  }
}
