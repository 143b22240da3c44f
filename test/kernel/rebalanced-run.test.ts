/** Live runs of strategy rebalanced: buckets change their worker while packets flow, with the state that one worker would have. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { compile } from '../../src/compile.js'
import { liveBalance } from '../../src/engine/live/figures.js'
import { RebalancedRun } from '../../src/engine/live/rebalanced-run.js'
import type { RebalancedRunOptions } from '../../src/engine/live/rebalanced-run.js'
import { wish } from '../../src/engine/kernel/buckets.js'
import { readsInput } from '../../src/ir/inputs.js'
import type { Lab } from '../../src/lab/lab.js'
import { mergeDumps } from '../../src/state/dump.js'
import { indirectionEntries } from '../../src/strategy/toeplitz.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { bundledProgram, trialNames } from '../programs.js'
import type { BundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'
import { contents, dumpsOf, parts, sendParts, slicesOf, stayedAway, usual } from './sliced-runs.js'
import { knockingFrames, oneWire, stateAfter } from './wire.js'

const skip = without('liveFrames') || withoutPrograms
const seed = 1n

// One receive queue: a sender that the scheduler moves to another CPU would use another one, and overtake itself.
let lab: Lab
before(() => {
  if (!skip) lab = oneWire()
})
after(() => {
  if (!skip) lab.down()
})

const sliced = (name: string): BundledProgram =>
  bundledProgram(name, { ways: ['sharded'], slices: indirectionEntries })

function begin(subject: BundledProgram, options: Partial<RebalancedRunOptions> = {}): RebalancedRun {
  const { steer } = subject.kernel
  assert.ok(steer, `${subject.artifact.name} cannot be sharded`)
  return lab.inNamespace(
    'box',
    () =>
      new RebalancedRun(
        { ...subject, kernel: { ...subject.kernel, steer } },
        { ...usual(subject, seed), ...options },
      ),
  )
}

/** Entries have the time of arrival, which is nobody else's. */
const isTimed = ({ batch }: BundledProgram): boolean =>
  [batch.main, ...batch.callees].some(f => readsInput(f, 'timestamp'))

const unshardable = ['busy-forwarder', 'key-value-cache', 'source-nat']

for (const name of trialNames) {
  if (unshardable.includes(name)) continue
  test(`${name}: with buckets that move, all slices have the state of the serial run`, { skip }, async t => {
    const subject = sliced(name)
    const packets = knockingFrames()
    const run = begin(subject)
    try {
      let turn = 0
      const sent = await sendParts(lab, parts(packets, 5), 20_000, () => {
        turn++
        for (let b = 0; b < indirectionEntries; b++) wish(run.buckets, b, (b + turn) % 3)
      })
      lab.inNamespace('box', () => run.detach())
      assert.ok(await run.settle(), stayedAway(run))
      const figures = run.figures()
      const { received, drops, unaccounted } = liveBalance(figures)
      t.diagnostic(
        `${received} packets, ${figures.rebalancing!.migrations} migrations, ${figures.rebalancing!.pending} pending`,
      )
      assert.deepEqual([Number(received), unaccounted], [sent, 0n])
      for (const reason of ['queue', 'workerQueue', 'handover']) assert.equal(drops.get(reason), 0n)
      assert.ok(figures.rebalancing!.migrations > 0n)
      if (isTimed(subject)) return
      const whole = bundledProgram(name, { ways: [] })
      const serial = stateAfter(whole, packets, lab.interface('box', 'b').index, seed)
      const dumps = slicesOf(run, subject)
      assert.deepEqual(
        contents(mergeDumps(dumps)),
        contents(dumpsOf(serial.bytes, whole.artifact.stateLayout)),
      )
    } finally {
      run.close()
    }
  })
}

/** Counts packets of a source, and those that come after one with a larger destination. */
const order = `
import { type Packet, counter, ipv4, table, u32, u64, Verdict } from 'hairpin'
const sources = table({ key: ipv4, value: { last: u32, packets: u64 }, capacity: 4096 })
const disordered = counter('packets behind a later one of their source')
const repeated = counter('packets that were there already')
export default function order(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Pass
  const source = sources.upsert(ip.source)
  if (!source) return Verdict.Pass
  const number = u32(ip.destination)
  if (number < source.last) disordered.add()
  if (number === source.last) repeated.add()
  source.last = number
  source.packets += 1n
  return Verdict.Drop
}
`

function orderProgram(): BundledProgram {
  const { compiled, diagnostics } = compile('order.ts', order, {
    ways: ['sharded'],
    slices: indirectionEntries,
  })
  assert.ok(compiled, diagnostics.map(d => d.message).join())
  return compiled
}

/** Frames of sources, each with its number as the destination: in every part a few others have most of the packets. */
function skewed(count: number, partsOf: number): Uint8Array[][] {
  const random = randomOf(7)
  const bytes = new Uint8Array(60 * count)
  let number = 0
  return Array.from({ length: partsOf }, () => {
    const heavy = Array.from({ length: 6 }, () => random(300))
    return Array.from({ length: count / partsOf }, () => {
      const source = random(4) === 0 ? random(300) : heavy[random(heavy.length)]
      const frame = bytes.subarray(60 * number, 60 * number + 60)
      const view = new DataView(bytes.buffer, 60 * number)
      view.setUint16(12, 0x0800)
      frame[14] = 0x45
      view.setUint16(16, 46)
      frame[22] = 64
      frame[23] = 17
      view.setUint32(26, 0x0a00_0000 + source)
      view.setUint32(30, ++number)
      return frame
    })
  })
}

/** Whole numbers below a bound, the same every time. */
function randomOf(start: number): (below: number) => number {
  let state = start
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const packetsOf = (run: RebalancedRun, subject: BundledProgram): Map<string, number> =>
  new Map(
    slicesOf(run, subject)
      .flatMap(contents)
      .flatMap(entries => entries as { key: string; value: { packets: string } }[])
      .map(e => [e.key, Number(e.value.packets)]),
  )

test('traffic that changes: buckets move, each packet counts once and in order', { skip }, async t => {
  const subject = orderProgram()
  // Nothing may find a queue full here, and this CPU may do something else for a quarter of a second.
  const run = begin(subject, { queueSize: 16_384 })
  try {
    const all = skewed(40_000, 10)
    const sent = await sendParts(lab, all, 50_000, () => run.endEpoch())
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), stayedAway(run))
    const figures = run.figures()
    const { received, drops, unaccounted } = liveBalance(figures)
    const { migrations, wishes, pending } = figures.rebalancing!
    t.diagnostic(`${wishes} wishes, ${migrations} migrations, ${pending} pending`)
    assert.deepEqual([Number(received), unaccounted], [sent, 0n])
    assert.equal(sent, 40_000)
    assert.equal(drops.get('workerQueue')! + drops.get('handover')! + drops.get('queue')!, 0n)
    assert.deepEqual([...figures.counters.values()], [0n, 0n])
    assert.ok(migrations >= 20n, `${migrations} migrations`)
    const expected = new Map<string, number>()
    for (const frame of all.flat()) {
      const source = frame.subarray(26, 30).join('.')
      expected.set(source, (expected.get(source) ?? 0) + 1)
    }
    const found = packetsOf(run, subject)
    assert.deepEqual([...found].toSorted(), [...expected].toSorted())
  } finally {
    run.close()
  }
})

test('more than workers can do: buckets move all the same, losses are accounted for', { skip }, async t => {
  const subject = orderProgram()
  const run = begin(subject, { queueSize: 512 })
  try {
    const packets = skewed(400_000, 1).flat()
    const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a' }))
    let turn = 0
    const moving = setInterval(() => {
      turn++
      for (let bucket = 0; bucket < indirectionEntries; bucket++)
        wish(run.buckets, bucket, (bucket + turn) % 3)
    }, 1)
    const { sent, dropped } = await sender.send(packets.length)
    clearInterval(moving)
    sender.close()
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), stayedAway(run))
    const figures = run.figures()
    const { received, drops, unaccounted } = liveBalance(figures)
    const { migrations } = figures.rebalancing!
    t.diagnostic(
      `${received} received; ${turn} times other wishes, ${migrations} migrations; ` +
        `workerQueue ${drops.get('workerQueue')}, handover ${drops.get('handover')}`,
    )
    assert.ok(Number(received) <= sent - dropped)
    assert.equal(unaccounted, 0n)
    assert.equal(drops.get('queue'), 0n)
    assert.ok(drops.get('workerQueue')! > 0n, 'no queue was full')
    assert.ok(migrations > BigInt(turn), `${migrations} migrations`)
    const given = [...figures.verdicts.values()].reduce((a, b) => a + b, 0n)
    const counted = [...packetsOf(run, subject).values()].reduce((a, b) => a + b, 0)
    assert.equal(BigInt(counted), given)
    assert.deepEqual([...figures.counters.values()], [0n, 0n])
  } finally {
    run.close()
  }
})
