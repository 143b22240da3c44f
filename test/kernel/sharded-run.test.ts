/** Live runs of strategy sharded: packets of a lab, steered in the kernel, with the state that one worker would have. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { capturesMissing, indexedCaptures } from '../../src/device/development.js'
import { liveBalance } from '../../src/engine/live/figures.js'
import { ShardedRun } from '../../src/engine/live/sharded-run.js'
import { readsInput } from '../../src/ir/inputs.js'
import type { Lab } from '../../src/lab/lab.js'
import { dumpState, dumpToJson, mergeDumps } from '../../src/state/dump.js'
import type { Dump } from '../../src/state/dump.js'
import { stateMemory } from '../../src/state/memory.js'
import { hashInput } from '../../src/strategy/rss-suite.js'
import { indirectionEntries, standardKey, symmetricKey, toeplitz } from '../../src/strategy/toeplitz.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { bundledProgram, trialNames } from '../programs.js'
import type { BundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'
import { framesOf, knockingFrames, oneWire, stateAfter } from './wire.js'

const skip = without('liveFrames') || withoutPrograms
const seed = 1n

let lab: Lab
before(() => {
  if (!skip) lab = oneWire(4)
})
after(() => {
  if (!skip) lab.down()
})

const workerOf = (bytes: Uint8Array, { artifact }: BundledProgram, workers: number): number => {
  const key = artifact.steering!.symmetric ? symmetricKey : standardKey
  const hash = toeplitz(key, Uint8Array.from(hashInput(bytes, artifact.steering!)))
  return (hash % indirectionEntries) % workers
}

const sharded = (name: string): BundledProgram => bundledProgram(name, { ways: ['sharded'] })

const base = ({ rules }: BundledProgram) => ({
  interfaces: ['b'],
  settings: new Map<string, bigint>(),
  ...(rules && { rules }),
  seed,
  cpus: onlineCpus().toReversed(),
})

/** Sends packets once, in order, to so many workers; conservation is exact, and `look` sees the rest. */
async function send(
  subject: BundledProgram,
  workers: number,
  packets: readonly Uint8Array[],
  look: (run: ShardedRun) => void,
): Promise<void> {
  const { steer } = subject.kernel
  assert.ok(steer, `${subject.artifact.name} cannot be sharded`)
  const shardable = { ...subject, kernel: { ...subject.kernel, steer } }
  const options = { ...base(subject), workers, queueSize: 4096, mode: 'native' } as const
  const run = lab.inNamespace('box', () => new ShardedRun(shardable, options))
  try {
    const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', rate: 20_000 }))
    const report = await sender.send(packets.length)
    sender.close()
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), 'packets stayed away')
    const figures = run.figures()
    const { received, drops, unaccounted } = liveBalance(figures)
    assert.equal(Number(received), report.sent - report.dropped)
    assert.equal(report.sent - report.dropped, packets.length)
    assert.equal(unaccounted, 0n)
    assert.equal(drops.get('queue'), 0n)
    const expected = Array.from({ length: workers }, () => 0)
    for (const p of packets) expected[workerOf(p, subject, workers)]++
    assert.deepEqual(
      figures.workers.map(w => Number(w.packets)),
      expected,
    )
    look(run)
  } finally {
    run.close()
  }
}

/** Programs with state that all flows have in common: a cell, a cache of names, a pool of ports. */
const unshardable = ['busy-forwarder', 'key-value-cache', 'source-nat']

for (const name of trialNames) {
  if (unshardable.includes(name)) continue
  test(`${name}: three live shards together have the state of the serial run`, { skip }, async () => {
    const subject = sharded(name)
    const packets = knockingFrames()
    const { stateLayout } = subject.artifact
    await send(subject, 3, packets, run => {
      // Entries have the time of arrival, which is nobody else's.
      if ([subject.batch.main, ...subject.batch.callees].some(f => readsInput(f, 'timestamp'))) return
      const dumpsOf = (bytes: Uint8Array): Dump[] => {
        const memory = stateMemory(new ArrayBuffer(stateLayout.size))
        memory.bytes.set(bytes)
        return dumpState(memory, 0, stateLayout, 0n)
      }
      const serial = stateAfter(subject, packets, lab.interface('box', 'b').index, seed)
      const contents = (dumps: readonly Dump[]): unknown[] =>
        dumps.map(dumpToJson).map(d => ('entries' in d ? d.entries : d))
      assert.deepEqual(
        contents(mergeDumps([0, 1, 2].map(w => dumpsOf(run.state(w))))),
        contents(mergeDumps([dumpsOf(serial.bytes)])),
      )
    })
  })
}

test(`no shards: ${unshardable.join(', ')}`, () => {
  assert.deepEqual(
    unshardable.filter(name => sharded(name).kernel.steer),
    [],
  )
})

test('IPv4, IPv6, tags, fragments and what is no IP go where the plain hash says', { skip }, async t => {
  if (capturesMissing) return t.skip(capturesMissing)
  const packets = indexedCaptures()
    .filter(c => c.links === '1' && c.damage === '')
    .flatMap(c => framesOf(c.path, 12))
    .slice(0, 3000)
  assert.ok(packets.length > 1000)
  assert.ok(packets.some(p => p[12] === 0x86 && p[13] === 0xdd))
  for (const name of ['heavy-hitter', 'ddos-mitigator', 'connection-tracker'])
    await send(sharded(name), 7, packets, () => undefined)
})

test(
  'queues that overflow, of drivers and in generic mode: each packet is accounted for',
  { skip },
  async t => {
    // Without a program in the driver a veth pair takes live frames only while it merges packets.
    await lab.run('box', ['ethtool', '-K', 'b', 'gro', 'on'])
    const subject = sharded('ddos-mitigator')
    const { steer } = subject.kernel
    for (const mode of ['native', 'generic'] as const) {
      const run = lab.inNamespace(
        'box',
        () =>
          new ShardedRun(
            { ...subject, kernel: { ...subject.kernel, steer: steer! } },
            { ...base(subject), workers: 2, queueSize: 32, mode },
          ),
      )
      try {
        const packets = knockingFrames()
        const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a' }))
        const { sent, dropped } = await sender.send(200_000)
        sender.close()
        lab.inNamespace('box', () => run.detach())
        assert.ok(await run.settle(), 'packets stayed away')
        const { received, drops, unaccounted } = liveBalance(run.figures())
        t.diagnostic(`${mode}: ${received} received, ${drops.get('queue')} found a full queue`)
        assert.ok(drops.get('queue')! > 0n, 'no queue was full')
        assert.ok(received > 0n && Number(received) <= sent - dropped)
        assert.equal(unaccounted, 0n)
      } finally {
        run.close()
      }
    }
  },
)
