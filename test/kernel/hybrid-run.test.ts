/** Live runs of strategy hybrid: buckets that all workers have, and that come and go, with the state that one worker would have. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { liveBalance } from '../../src/engine/live/figures.js'
import { HybridRun } from '../../src/engine/live/hybrid-run.js'
import type { HybridRunOptions } from '../../src/engine/live/hybrid-run.js'
import { readBuckets } from '../../src/engine/kernel/buckets.js'
import { everybody } from '../../src/engine/kernel/places.js'
import { readsInput } from '../../src/ir/inputs.js'
import { compile } from '../../src/compile.js'
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
const workers = 3

let lab: Lab
before(() => {
  if (!skip) lab = oneWire()
})
after(() => {
  if (!skip) lab.down()
})

const divided = (name: string): BundledProgram =>
  bundledProgram(name, { ways: ['sharded', 'replicated'], slices: indirectionEntries })

function begin(subject: BundledProgram, options: Partial<HybridRunOptions> = {}): HybridRun {
  const { steer } = subject.kernel
  assert.ok(steer, `${subject.artifact.name} cannot be sharded`)
  return lab.inNamespace(
    'box',
    () =>
      new HybridRun(
        { ...subject, kernel: { ...subject.kernel, steer } },
        { ...usual(subject, seed), ...options },
      ),
  )
}

/** Gives the busiest buckets orders in turn: to everybody, and to each of the workers. */
function shuffle(run: HybridRun, turn: number): void {
  for (const { bucket } of readBuckets(run.buckets)
    .map(({ packets }, bucket) => ({ bucket, packets }))
    .filter(b => b.packets > 0n)
    .toSorted((a, b) => Number(b.packets - a.packets))
    .slice(0, 6))
    run.control.order(bucket, (bucket + turn) % 2 === 0 ? everybody : (bucket + turn) % workers)
}

const isTimed = ({ batch }: BundledProgram): boolean =>
  [batch.main, ...batch.callees].some(f => readsInput(f, 'timestamp'))

for (const name of trialNames) {
  const { artifact, kernel } = divided(name)
  if (!kernel.steer || !kernel.slice || artifact.stateLayout.size === 0) continue
  test(
    `${name}: with buckets that all have and that go home, the state is the serial run's`,
    { skip },
    async t => {
      const subject = divided(name)
      const once = knockingFrames()
      const packets = [...once, ...once, ...once]
      const run = begin(subject)
      try {
        let turn = 0
        const sent = await sendParts(lab, parts(packets, 30), 20_000, () => shuffle(run, ++turn))
        lab.inNamespace('box', () => run.detach())
        assert.ok(await run.settle(), stayedAway(run))
        const figures = run.figures()
        const { received, drops, unaccounted } = liveBalance(figures)
        const { promotions, demotions, spread, migrations, pending } = figures.rebalancing!
        t.diagnostic(
          `${received} packets, ${promotions} promotions, ${demotions} demotions, ${spread} spread, ` +
            `${migrations} migrations, ${pending} pending`,
        )
        assert.deepEqual([Number(received), unaccounted], [sent, 0n])
        for (const reason of ['queue', 'workerQueue', 'headroom', 'stale', 'recovering'])
          assert.equal(drops.get(reason), 0n)
        assert.ok(promotions! > 0 && demotions! > 0)
        if (isTimed(subject)) return
        const whole = bundledProgram(name, { ways: [] })
        const serial = stateAfter(whole, packets, lab.interface('box', 'b').index, seed)
        assert.deepEqual(
          contents(mergeDumps(slicesOf(run, subject))),
          contents(dumpsOf(serial.bytes, whole.artifact.stateLayout)),
        )
      } finally {
        run.close()
      }
    },
  )
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
    ways: ['sharded', 'replicated'],
    hybrid: true,
    slices: indirectionEntries,
  })
  assert.ok(compiled, diagnostics.map(d => d.message).join())
  return compiled
}

/** Frames of sources, each with its number as the destination: so many of sixteen are source 7's, the others anybody's. */
function elephant(count: number, sixteenths: number): Uint8Array[] {
  let state = 7
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const bytes = new Uint8Array(60 * count)
  return Array.from({ length: count }, (_, k) => {
    const source = random(16) < sixteenths ? 7 : 100 + random(300)
    const frame = bytes.subarray(60 * k, 60 * k + 60)
    const view = new DataView(bytes.buffer, 60 * k)
    view.setUint16(12, 0x0800)
    frame[14] = 0x45
    view.setUint16(16, 46)
    frame[22] = 64
    frame[23] = 17
    view.setUint32(26, 0x0a00_0000 + source)
    view.setUint32(30, k + 1)
    return frame
  })
}

/** The bucket with most packets so far. */
function busiest(run: HybridRun): number {
  const packets = readBuckets(run.buckets).map(b => b.packets)
  return packets.indexOf(packets.reduce((a, b) => (a > b ? a : b)))
}

const packetsOf = (run: HybridRun, subject: BundledProgram): Map<string, number> =>
  new Map(
    slicesOf(run, subject)
      .flatMap(contents)
      .flatMap(entries => entries as { key: string; value: { packets: string } }[])
      .map(e => [e.key, Number(e.value.packets)]),
  )

const totalOf = (run: HybridRun, subject: BundledProgram): number =>
  [...packetsOf(run, subject).values()].reduce((a, b) => a + b, 0)

const statesOf = (run: HybridRun): Uint8Array[] => Array.from({ length: run.parts }, (_, b) => run.state(b))

for (const [traffic, sixteenths] of [
  ['one flow alone', 16],
  ['one flow among many', 10],
] as const)
  test(`${traffic}: comes and goes many times, and each slice is what it is without`, { skip }, async t => {
    const subject = orderProgram()
    const all = elephant(40_000, sixteenths)
    const states: Uint8Array[][] = []
    for (const moves of [false, true]) {
      // Nothing may find a queue full here, and this CPU may do something else for a quarter of a second.
      const run = begin(subject, { queueSize: 16_384 })
      let turn = 0
      const moving =
        moves &&
        setInterval(() => {
          const to = turn % 2 === 0 ? everybody : (turn >> 1) % workers
          if (run.control.order(busiest(run), to)) turn++
          shuffle(run, turn)
        }, 2)
      try {
        const sent = await sendParts(lab, [all], 50_000, () => {})
        if (moving) clearInterval(moving)
        lab.inNamespace('box', () => run.detach())
        assert.ok(await run.settle(), stayedAway(run))
        const figures = run.figures()
        const { received, drops, unaccounted } = liveBalance(figures)
        const { promotions, demotions, migrations, pending } = figures.rebalancing!
        t.diagnostic(
          `${promotions} promotions, ${demotions} demotions, ${migrations} migrations, ${pending} pending`,
        )
        assert.deepEqual([sent, Number(received), unaccounted], [40_000, 40_000, 0n])
        for (const reason of ['queue', 'workerQueue', 'headroom', 'stale', 'recovering'])
          assert.equal(drops.get(reason), 0n)
        assert.deepEqual([...figures.counters.values()], [0n, 0n])
        assert.equal(totalOf(run, subject), 40_000)
        if (moves) assert.ok(promotions! >= 20 && demotions! >= 19, `${promotions}, ${demotions}`)
        states.push(statesOf(run))
      } finally {
        if (moving) clearInterval(moving)
        run.close()
      }
    }
    assert.deepEqual(states[1], states[0])
  })

test('a heavy flow is found by its load, and all workers have their share of it', { skip }, async t => {
  const subject = orderProgram()
  const run = begin(subject, { queueSize: 16_384 })
  try {
    const sent = await sendParts(lab, parts(elephant(40_000, 10), 10), 50_000, () => run.control.endEpoch())
    const heavy = readBuckets(run.buckets).flatMap((b, k) => (b.owner === everybody ? [k] : []))
    lab.inNamespace('box', () => run.detach())
    assert.ok(await run.settle(), stayedAway(run))
    const figures = run.figures()
    const { received, unaccounted } = liveBalance(figures)
    const shares = figures.workers.map(w => Number(w.packets) / sent)
    t.diagnostic(`shares ${shares.map(s => s.toFixed(2))}; ${JSON.stringify(figures.rebalancing, String)}`)
    assert.deepEqual([Number(received), unaccounted], [sent, 0n])
    assert.deepEqual(heavy, [busiest(run)])
    assert.equal(figures.rebalancing!.promotions, 1)
    // Alone, its owner would have five eighths and more.
    assert.ok(Math.max(...shares) < 0.5, shares.join())
    assert.deepEqual([...figures.counters.values()], [0n, 0n])
    assert.equal(totalOf(run, subject), sent)
  } finally {
    run.close()
  }
})

test(
  'more than workers can do: buckets come and go all the same, losses are accounted for',
  { skip },
  async t => {
    const subject = orderProgram()
    const run = begin(subject, { queueSize: 512 })
    let turn = 0
    const moving = setInterval(() => {
      if (run.control.order(busiest(run), turn % 2 === 0 ? everybody : (turn >> 1) % workers)) turn++
      shuffle(run, turn)
    }, 1)
    try {
      const packets = elephant(400_000, 10)
      const sender = lab.inNamespace('gen', () => openLiveSender({ packets, device: 'a' }))
      const { sent, dropped } = await sender.send(packets.length)
      clearInterval(moving)
      sender.close()
      lab.inNamespace('box', () => run.detach())
      assert.ok(await run.settle(), stayedAway(run))
      const figures = run.figures()
      const { received, drops, unaccounted } = liveBalance(figures)
      const { promotions, demotions, migrations } = figures.rebalancing!
      t.diagnostic(
        `${received} received; ${promotions} promotions, ${demotions} demotions, ${migrations} migrations; ` +
          `workerQueue ${drops.get('workerQueue')}`,
      )
      assert.ok(Number(received) <= sent - dropped)
      assert.equal(unaccounted, 0n)
      for (const reason of ['queue', 'stale', 'recovering']) assert.equal(drops.get(reason), 0n)
      assert.ok(drops.get('workerQueue')! > 0n, 'no queue was full')
      assert.ok(promotions! >= 10 && demotions! >= 9, `${promotions}, ${demotions}`)
      const given = [...figures.verdicts.values()].reduce((a, b) => a + b, 0n)
      assert.equal(BigInt(totalOf(run, subject)), given)
      assert.deepEqual([...figures.counters.values()], [0n, 0n])
    } finally {
      clearInterval(moving)
      run.close()
    }
  },
)
