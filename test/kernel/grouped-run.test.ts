/** Live runs in groups: shards of flows that have a sequencer and replicas each, from all receive queues of a veth pair. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { liveBalance } from '../../src/engine/live/figures.js'
import { GroupedRun } from '../../src/engine/live/grouped-run.js'
import { readsInput } from '../../src/ir/inputs.js'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { dumpState, dumpToJson, mergeDumps } from '../../src/state/dump.js'
import type { Dump } from '../../src/state/dump.js'
import { stateMemory } from '../../src/state/memory.js'
import { hashInput } from '../../src/strategy/rss-suite.js'
import { indirectionEntries, standardKey, symmetricKey, toeplitz } from '../../src/strategy/toeplitz.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { main } from '../cli/hairpin.js'
import { bundledProgram } from '../programs.js'
import type { BundledProgram } from '../programs.js'
import { beginOn } from './live-child.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'
import { datagrams, handedByQueue } from './queues.js'
import { knockingFrames, stateAfter } from './wire.js'

const skip = without('liveFrames') || withoutPrograms
const seed = 1n
const queues = 4

let lab: Lab
before(() => {
  if (skip) return
  const end = (address: string, device: string, namespace: string) => ({
    namespace,
    device,
    addresses: [`${address}/24`],
  })
  const ends = [
    { ...end('10.9.1.1', 'a', 'gen'), xdp: 'drop' as const },
    end('10.9.1.2', 'b', 'box'),
  ] as const
  lab = up({ namespaces: { gen: {}, box: {} }, pairs: [{ queues, staticNeighbours: true, ends }] })
})
after(() => {
  if (!skip) lab.down()
})

const groupOf = (bytes: Uint8Array, { artifact }: BundledProgram, groups: number): number => {
  const key = artifact.steering!.symmetric ? symmetricKey : standardKey
  const hash = toeplitz(key, Uint8Array.from(hashInput(bytes, artifact.steering!)))
  return (hash % indirectionEntries) % groups
}

const both = (name: string): BundledProgram => bundledProgram(name, { ways: ['replicated', 'sharded'] })

interface Shape {
  readonly groups: number
  readonly workers: number
  readonly history?: 'value' | 'reference'
  readonly recovery?: boolean
  readonly queueSize?: number
}

function start(subject: BundledProgram, { groups, workers, ...rest }: Shape): GroupedRun {
  const { steer } = subject.kernel
  assert.ok(steer, `${subject.artifact.name} cannot be sharded`)
  return lab.inNamespace(
    'box',
    () =>
      new GroupedRun(
        { ...subject, kernel: { ...subject.kernel, steer } },
        {
          interfaces: ['b'],
          settings: new Map(),
          ...(subject.rules && { rules: subject.rules }),
          seed,
          groups,
          workers,
          cpus: onlineCpus().toReversed(),
          sequencerCpus: onlineCpus(),
          queueSize: 2048,
          clock: 'exact',
          mode: 'native',
          ...rest,
        },
      ),
  )
}

/** What is always true once packets have ended: they are balanced, and replicas of a group are alike. */
function look(run: GroupedRun): ReturnType<typeof liveBalance> {
  const figures = run.figures()
  const balance = liveBalance(figures)
  assert.equal(balance.unaccounted, 0n)
  for (const reason of ['queue', 'recovering', 'stale', 'short', 'version', 'shape', 'headroom'])
    assert.equal(balance.drops.get(reason), 0n, reason)
  let k = 0
  for (const [g, group] of run.groups.entries())
    for (let w = 0; w < group.seats.length; w++) {
      assert.equal(figures.workers[k++].last, group.sequenced, `worker ${w} of group ${g} is not up to date`)
      assert.ok(Buffer.compare(group.state(w), group.state(0)) === 0, `worker ${w} of group ${g} differs`)
    }
  return balance
}

const contents = (dumps: readonly Dump[]): unknown[] =>
  dumps.map(dumpToJson).map(d => ('entries' in d ? d.entries : d))

/** The union of the groups' states is what the interpreter comes to over the same packets, in whatever order of groups. */
function assertUnion(run: GroupedRun, subject: BundledProgram, packets: readonly Uint8Array[]): void {
  const { stateLayout } = subject.artifact
  const dumpsOf = (bytes: Uint8Array): Dump[] => {
    const memory = stateMemory(new ArrayBuffer(stateLayout.size))
    memory.bytes.set(bytes)
    return dumpState(memory, 0, stateLayout, 0n)
  }
  const serial = stateAfter(subject, packets, lab.interface('box', 'b').index, seed)
  assert.deepEqual(
    contents(mergeDumps(run.groups.map((_, g) => dumpsOf(run.state(g))))),
    contents(mergeDumps([dumpsOf(serial.bytes)])),
  )
}

/** Programs that can be sharded and have no times in their state. */
const subjects = ['ddos-mitigator', 'port-knocking', 'heavy-hitter', 'connection-tracker']
const shapes: readonly Shape[] = [
  { groups: 2, workers: 2 },
  { groups: 4, workers: 1 },
  { groups: 3, workers: 4, history: 'reference' },
  { groups: 2, workers: 3, recovery: true },
]

subjects.forEach((name, k) => {
  const shape = shapes[k % shapes.length]
  test(
    `${name} in ${shape.groups} groups of ${shape.workers}: each alike, together the serial run`,
    { skip },
    async () => {
      const subject = both(name)
      const run = start(subject, shape)
      try {
        const packets = knockingFrames()
        const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a', rate: 20_000 }))
        const report = await sender.send(packets.length)
        sender.close()
        lab.inNamespace('box', () => run.detach())
        assert.ok(await run.settle(), 'packets stayed away')
        const { received } = look(run)
        assert.equal(Number(received), packets.length)
        assert.equal(report.dropped, 0)
        const expected = run.groups.map(() => 0n)
        for (const p of packets) expected[groupOf(p, subject, shape.groups)]++
        assert.deepEqual(
          run.groups.map(g => g.sequenced),
          expected,
        )
        const main = [subject.batch.main, ...subject.batch.callees]
        if (!main.some(f => readsInput(f, 'timestamp'))) assertUnion(run, subject, packets)
      } finally {
        run.close()
      }
    },
  )
})

test('flows on all queues: each has one sequencer, and its count is whole', { skip }, async () => {
  const [flows, each] = [160, 25]
  const subject = both('heavy-hitter')
  const run = start(subject, { groups: 2, workers: 2 })
  try {
    await lab.run('gen', datagrams('10.9.1.2', flows, each))
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), 'packets stayed away')
    const { received } = look(run)
    assert.ok(Number(received) >= flows * each)
    const queued = lab.inNamespace('box', () => handedByQueue('b'))
    assert.ok(
      queued.every(n => n > 0),
      `packets by queue: ${JSON.stringify(queued)}`,
    )
    assert.ok(run.groups.every(g => g.sequenced > 0n))
    const { stateLayout } = subject.artifact
    const counts = run.groups.map((_, g) => {
      const memory = stateMemory(new ArrayBuffer(stateLayout.size))
      memory.bytes.set(run.state(g))
      const [dump] = dumpState(memory, 0, stateLayout, 0n).map(dumpToJson)
      return (dump as { entries: { key: object; value: { bytes: number | string } }[] }).entries
    })
    // Of one byte, behind headers of IPv4 and UDP.
    const all = counts.flat().filter(({ value }) => Number(value.bytes) === each * (20 + 8 + 1))
    assert.equal(new Set(all.map(({ key }) => JSON.stringify(key))).size, flows)
    assert.equal(all.length, flows)
  } finally {
    run.close()
  }
})

test('more than sequencers and workers take: each packet is accounted for', { skip }, async () => {
  const run = start(both('heavy-hitter'), { groups: 2, workers: 2, queueSize: 64 })
  try {
    const sender = lab.inNamespace('gen', () => openLiveSender({ packets: knockingFrames(), device: 'a' }))
    const { sent, dropped } = await sender.send(300_000)
    sender.close()
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), 'packets stayed away')
    const { received, drops } = look(run)
    assert.equal(Number(received), sent - dropped)
    assert.ok(drops.get('funnelQueue')! + drops.get('workerQueue')! > 0n, 'no queue was full')
  } finally {
    run.close()
  }
})

test('groups have the rules and settings of the first, and one beginning of time', { skip }, () => {
  const run = start(both('token-bucket'), { groups: 3, workers: 2 })
  try {
    const [first, ...others] = run.groups
    const settings = first.workers.workers[0].maps.get('.settings')!
    for (const other of others)
      for (const { maps } of other.workers.workers) assert.equal(maps.get('.settings'), settings)
    assert.deepEqual(
      run.groups.map(g => g.start),
      run.groups.map(() => run.figures().start),
    )
  } finally {
    run.close()
  }
})

test('run --groups: what it says, its state, and what it refuses', { skip }, async () => {
  const args = ['--iface', 'b', '--groups', '2', '--cores', '4']
  const live = await beginOn(lab, 'box', 'programs/heavy-hitter.ts', ...args, '--state')
  await lab.run('gen', datagrams('10.9.1.2', 40, 5))
  const { code, last } = await live.end('SIGINT')
  assert.equal(code, 130, live.errors())
  const [started] = live.events as unknown as { sequencers: number[]; workers: number[] }[]
  assert.deepEqual([started.sequencers.length, started.workers.length], [2, 4])
  assert.ok(last.received >= 200)
  assert.deepEqual([last.unaccounted, last.sequenced], [0, last.received])
  const [flows] = last.state as unknown as { entries: { value: { bytes: number | string } }[] }[]
  assert.equal(flows.entries.filter(({ value }) => Number(value.bytes) === 5 * 29).length, 40)
  for (const [program, wrong, why] of [
    ['busy-forwarder', [], /cannot be split into groups, because it cannot be sharded/],
    ['heavy-hitter', ['--record', 'x.pcapng'], /--record is of one sequencer/],
    ['heavy-hitter', ['--cores', '3'], /take a multiple of 2/],
    ['heavy-hitter', ['-s', 'sharded'], /--groups is of strategy replicated/],
  ] as const) {
    const command = [
      process.execPath,
      main,
      'run',
      `programs/${program}.ts`,
      ...args,
      ...wrong,
      '--seconds',
      '1',
    ]
    assert.match((await lab.run('box', command)).stderr, why)
  }
})
