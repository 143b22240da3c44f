/** Live runs whose frames really get lost between sequencer and worker: replicas are alike, and the serial run's. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveBalance } from '../../src/engine/live/figures.js'
import { ReplicatedRun } from '../../src/engine/live/replicated-run.js'
import { until } from '../../src/engine/live/until.js'
import { SequencedRun } from '../../src/engine/live/sequenced-run.js'
import { up } from '../../src/lab/lab.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { bundledProgram } from '../programs.js'
import { Losing, lostOf, survivors } from './losing.js'
import { beginOn } from './live-child.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'
import { assertState } from './replicas.js'
import { oneWire, stateAfter } from './wire.js'

const skip = without('liveFrames') || withoutPrograms
const seed = 1n
const settings = new Map<string, bigint>()
const cpus = onlineCpus().toReversed()

/** TCP from 256 sources to ports of a knocking sequence. */
const packets = Array.from({ length: 256 }, (_, k) => {
  const bytes = new Uint8Array(60)
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6])
  bytes.set([10, 0, 0, k % 7, 10, 0, 0, 2, 0x9c, 0x40, 0x1b, 0x59 + (k % 3)], 26)
  bytes[46] = 0x50
  return bytes
})
/** Those that were sent in turn, without what was lost everywhere. */
const carried = (survived: readonly boolean[]): (Uint8Array | false)[] =>
  survived.map((there, k) => there && packets[k % packets.length])

const base = {
  interfaces: ['b'],
  settings,
  seed,
  cpus,
  queueSize: 2048,
  clock: 'exact',
  queue: 0,
  funnelCpu: 0,
  mode: 'native',
  recovery: true,
} as const

for (const [name, workers] of [
  ['port-knocking', 2],
  ['ddos-mitigator', 4],
] as const)
  test(`${name}: frames lost before ${workers} workers`, { skip }, async t => {
    const lab = oneWire()
    const subject = bundledProgram(name, { ways: ['replicated'] })
    const losses = { one: 53, period: 499, burst: workers + 3 }
    const losing: Losing[] = []
    const before = (worker: Losing['program']): Losing['program'] => {
      losing.push(new Losing(losses, worker))
      return losing.at(-1)!.program
    }
    const run = lab.inNamespace('box', () => new ReplicatedRun(subject, { ...base, workers, before }))
    try {
      const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', rate: 20_000 }))
      const report = await sender.send(20_000)
      sender.close()
      lab.inNamespace('box', () => run.detach())
      assert.ok(await run.settle(), 'frames stayed away')
      const figures = run.figures()
      const { received, drops, unaccounted } = liveBalance(figures)
      assert.equal(Number(received), report.sent - report.dropped)
      assert.equal(drops.get('workerQueue'), 0n)
      const end = Number(figures.sequenced)
      const lost = lostOf(losses, end)
      assert.equal(
        losing.reduce((n, l) => n + l.lost, 0),
        lost,
      )
      // What was lost on purpose nobody counts.
      assert.equal(Number(unaccounted), lost)
      const given = figures.workers.reduce((n, w) => n + w.packets, 0n)
      assert.equal(Number(given + drops.get('recovering')! + drops.get('unrecoverable')!) + lost, end)
      const { detected, recovered, lostEverywhere, unrecoverable, pending } = figures.recovery!
      t.diagnostic(JSON.stringify(figures.recovery))
      assert.equal(detected, recovered + lostEverywhere)
      assert.deepEqual([unrecoverable, pending], [0, 0])
      const survived = survivors(losses, end, workers - 1)
      assert.equal(lostEverywhere, workers * survived.filter(s => !s).length)
      assert.ok(recovered > 0 && lostEverywhere > 0)
      const device = lab.interface('box', 'b').index
      const memory = stateAfter(subject, carried(survived), device, seed)
      for (let w = 0; w < workers; w++) {
        assert.equal(figures.workers[w].last, figures.sequenced)
        assertState(run.state(w), memory, subject.artifact.stateLayout, `worker ${w}`)
      }
    } finally {
      run.close()
      for (const l of losing) l.close()
      lab.down()
    }
  })

test('queues that overflow behind the sequencer: what they lose is recovered', { skip }, async t => {
  const lab = oneWire()
  const subject = bundledProgram('ddos-mitigator', { ways: ['replicated'] })
  // One source, so that its count says how many packets a state has seen.
  const options = { ...base, workers: 2, queueSize: 32, admitted: 512 }
  const run = lab.inNamespace('box', () => new ReplicatedRun(subject, options))
  try {
    const sender = lab.inNamespace('gen', () => openLiveSender({ packets: [packets[1]], device: 'a' }))
    await sender.send(200_000)
    sender.close()
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), 'frames stayed away')
    const figures = run.figures()
    const { drops, unaccounted } = liveBalance(figures)
    t.diagnostic(`${figures.sequenced} numbered, ${drops.get('queue')} found a full queue`)
    assert.equal(unaccounted, 0n)
    assert.ok(drops.get('queue')! > 0n, 'no queue was full')
    assert.deepEqual(figures.recovery!.stopped, [])
    const { detected, recovered, lostEverywhere, pending } = figures.recovery!
    assert.deepEqual([detected, pending], [recovered + lostEverywhere, 0])
    assert.ok(detected > 0)
    assert.ok(Buffer.compare(run.state(0), run.state(1)) === 0)
    const everywhere = figures.workers.map(w => w.recovery!.lostEverywhere)
    assert.equal(everywhere[0], everywhere[1])
    const survived = Array.from({ length: Number(figures.sequenced) - everywhere[0] }, () => packets[1])
    const device = lab.interface('box', 'b').index
    const memory = stateAfter(subject, survived, device, seed)
    assertState(run.state(0), memory, subject.artifact.stateLayout, 'state')
  } finally {
    run.close()
    lab.down()
  }
})

test('a wire that loses frames between two hosts, and the flush of one worker', { skip }, async t => {
  const lab = up({
    namespaces: { gen: {}, switch: {}, middle: {}, box: {} },
    pairs: [
      {
        ends: [
          { namespace: 'gen', device: 'a', xdp: 'drop' },
          { namespace: 'switch', device: 'in' },
        ],
      },
      {
        queues: 2,
        mtu: 1600,
        ends: [
          { namespace: 'switch', device: 'out' },
          { namespace: 'middle', device: 'from' },
        ],
      },
      {
        queues: 2,
        mtu: 1600,
        ends: [
          { namespace: 'middle', device: 'to' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })
  const subject = bundledProgram('port-knocking', { ways: ['replicated'] })
  const workers = 2
  const losses = { one: 31, period: 997, burst: 9 }
  const made: { close(): void }[] = []
  const keep = <T extends { close(): void }>(object: T): T => {
    made.push(object)
    return object
  }
  try {
    const common = { settings, seed, workers, mode: 'native' } as const
    const there = lab.inNamespace('box', () =>
      keep(new SequencedRun(subject, { ...common, interfaces: ['b'], recovery: true })),
    )
    const losing = keep(new Losing(losses, lab.interface('middle', 'to').index, 1))
    const middle = lab.inNamespace('middle', () => attachXdp(losing.program, 'from', 'native'))
    keep({ close: () => middle.detach() })
    const knocking = 'programs/port-knocking.ts'
    const sequencer = await beginOn(lab, 'switch', knocking, '--iface', 'in', '--to', 'out', '-c', '2')
    const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', rate: 15_000 }))
    await sender.send(15_000)
    sender.close()
    const { last } = await sequencer.end('SIGINT')
    assert.equal(last.unaccounted, 0, sequencer.errors())
    const end = last.sequenced
    const lost = lostOf(losses, end)
    // The sequencer has ended when its frames are sent: on a busy machine the last ones are still on their way through two hosts.
    const came = (): bigint => lab.inNamespace('box', () => liveBalance(there.figures()).received)
    await until(() => losing.lost === lost + 1 && Number(came()) === end - lost + 1)
    lab.inNamespace('box', () => there.detach())
    await there.settle()
    assert.equal(losing.lost, lost + 1)
    const figures = lab.inNamespace('box', () => there.figures())
    const { received, drops, unaccounted } = liveBalance(figures)
    t.diagnostic(JSON.stringify([end, lost, figures.recovery, figures.workers.map(w => Number(w.packets))]))
    assert.equal(unaccounted, 0n)
    assert.equal(Number(received), end - lost + 1)
    assert.equal(drops.get('flushes'), 1n)
    assert.deepEqual([figures.recovery!.pending, figures.recovery!.unrecoverable], [0, 0])
    assert.ok(figures.workers.every(w => Number(w.last) === end))
    assert.ok(Buffer.compare(there.state(0), there.state(1)) === 0)
    // The one flush that came has the last packet's item.
    const survived = survivors(losses, end, workers - 1)
    const device = lab.interface('switch', 'in').index
    const memory = stateAfter(subject, carried(survived), device, seed)
    assertState(there.state(0), memory, subject.artifact.stateLayout, 'state')
  } finally {
    for (const object of made.toReversed()) object.close()
    lab.down()
  }
})
