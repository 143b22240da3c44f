/** Live runs of strategy replicated: packets of a lab through sequencer and workers, exactly. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { liveBalance } from '../../src/engine/live/figures.js'
import { ReplicatedRun } from '../../src/engine/live/replicated-run.js'
import { readsInput } from '../../src/ir/inputs.js'
import type { Lab } from '../../src/lab/lab.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { openLiveSender } from '../../src/traffic/live.js'
import type { LiveReport } from '../../src/traffic/live.js'
import { bundledProgram, trialNames } from '../programs.js'
import type { BundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'
import { assertState } from './replicas.js'
import { knockingFrames, oneWire, stateAfter } from './wire.js'

const skip = without('liveFrames') || withoutPrograms
const seed = 1n

let lab: Lab
before(() => {
  if (!skip) lab = oneWire()
})
after(() => {
  if (!skip) lab.down()
})

interface Sent {
  readonly run: ReplicatedRun
  readonly report: LiveReport
}

interface Traffic {
  readonly packets: readonly Uint8Array[]
  readonly count: number
  readonly rate?: number
  readonly history?: 'value' | 'reference'
}

/** Sends packets through workers, and looks at what is always true; `look` at the rest. */
async function send(
  subject: BundledProgram,
  workers: number,
  traffic: Traffic,
  look: (sent: Sent) => void = () => undefined,
): Promise<void> {
  const { packets, count, rate, history = 'value' } = traffic
  const options = {
    interfaces: ['b'],
    settings: new Map<string, bigint>(),
    ...(subject.rules && { rules: subject.rules }),
    seed,
    workers,
    history,
    cpus: onlineCpus().toReversed(),
    queueSize: 2048,
    clock: 'exact',
    queue: 0,
    funnelCpu: 0,
    mode: 'native',
  } as const
  const run = lab.inNamespace('box', () => new ReplicatedRun(subject, options))
  try {
    const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', rate }))
    const report = await sender.send(count)
    sender.close()
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), 'frames stayed away')
    const figures = run.figures()
    const { received, drops, unaccounted } = liveBalance(figures)
    assert.equal(Number(received), report.sent - report.dropped)
    assert.equal(unaccounted, 0n)
    for (const reason of ['queue', 'recovering', 'stale', 'short', 'version', 'shape', 'headroom'])
      assert.equal(drops.get(reason), 0n, reason)
    assert.deepEqual(new Set(figures.workers.map(w => w.last)), new Set([figures.sequenced]))
    for (let w = 1; w < workers; w++)
      assert.ok(Buffer.compare(run.state(w), run.state(0)) === 0, `the state of worker ${w} is another`)
    look({ run, report })
  } finally {
    run.close()
  }
}

/** TCP to port 22 from 10.0.0.1: one flow. */
function elephant(): Uint8Array {
  const bytes = new Uint8Array(60)
  const view = new DataView(bytes.buffer)
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45])
  view.setUint16(16, 46)
  bytes.set([64, 6], 22)
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2], 26)
  view.setUint16(34, 40_000)
  view.setUint16(36, 22)
  bytes.set([0x50, 0x10], 46)
  return bytes
}

for (const workers of [1, 2, 4, 7])
  test(`one flow at a fixed rate over ${workers} workers: nothing lost, all alike`, { skip }, async () => {
    await send(bundledProgram('ddos-mitigator'), workers, {
      packets: [elephant()],
      count: 40_000,
      rate: 150_000,
    })
  })

for (const workers of [2, 14])
  test(`history in memory: one flow over ${workers} workers`, { skip }, async () => {
    await send(bundledProgram('ddos-mitigator'), workers, {
      packets: [elephant()],
      count: 40_000,
      rate: 150_000,
      history: 'reference',
    })
  })

test('history in memory: more than workers can take', { skip }, async () => {
  await send(
    bundledProgram('busy-forwarder'),
    3,
    { packets: [elephant()], count: 400_000, history: 'reference' },
    ({ run }) => assert.ok(liveBalance(run.figures()).drops.get('workerQueue')! > 0n),
  )
})

test('more than workers can take is dropped before it is numbered', { skip }, async () => {
  await send(
    bundledProgram('busy-forwarder'),
    2,
    { packets: [elephant()], count: 600_000 },
    ({ run, report }) => {
      const { drops } = liveBalance(run.figures())
      // As fast as possible is more than this: what was not numbered is all that is missing.
      assert.equal(run.figures().sequenced, BigInt(report.sent - report.dropped) - drops.get('workerQueue')!)
    },
  )
})

for (const name of trialNames)
  test(`${name}: a live run of 3 workers has the state of the serial run`, { skip }, async () => {
    const subject = bundledProgram(name, { ways: ['replicated'] })
    const packets = knockingFrames()
    await send(subject, 3, { packets, count: 2 * packets.length, rate: 20_000 }, ({ run }) => {
      // Times are the run's own: a recording has them (record.test.ts).
      const { slice } = subject
      if (run.workers.format.timestamp || ('extract' in slice && readsInput(slice.extract, 'timestamp')))
        return
      const twice = [...packets, ...packets]
      const serial = stateAfter(subject, twice, lab.interface('box', 'b').index, seed)
      assertState(run.state(0), serial, subject.artifact.stateLayout, name)
    })
  })
