import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../src/compile.js'
import { observe } from '../src/engine/observe.js'
import type { Observed } from '../src/engine/observe.js'
import { storeSource } from '../src/engine/packets.js'
import { plan } from '../src/engine/plan.js'
import { start } from '../src/engine/run.js'
import { verify } from '../src/engine/verify.js'
import type { VerifyOptions } from '../src/engine/verify.js'
import { context } from '../src/backend/wasm/memory.js'
import { eager } from '../src/strategy/balance.js'
import { handoverLayout, slabHandover } from '../src/strategy/handover.js'
import { hybrid } from '../src/strategy/hybrid.js'
import { rebalanced } from '../src/strategy/rebalanced.js'
import type { Strategy } from '../src/strategy/strategy.js'
import { standardTrace, traceStore } from '../src/measure/traces.js'
import { bundledProgram } from './programs.js'

const store = traceStore(
  'an elephant among mice',
  { law: 'university-1', flows: 300, seed: 3, udp: 0.3, elephant: 0.4 },
  6_000,
)
const ways = { slabPackets: 256, epoch: { packets: 500, replay: 0, balance: eager } }

async function ran(
  name: string,
  strategy: Strategy,
  options: Pick<VerifyOptions, 'threads' | 'revisions'> = {},
): Promise<Observed> {
  const virtual = options.threads !== true
  const found = await observe(bundledProgram(name).artifact, store, {
    ...ways,
    strategy,
    cores: 3,
    virtual,
    ...options,
  })
  assert.ok(!('error' in found))
  return found
}

for (const strategy of [rebalanced, hybrid])
  test(`${strategy.name}: state changes hands in the stream, at the same packets whatever the workers' speed`, async () => {
    const name = 'token-bucket'
    const [turns, threads] = [await ran(name, strategy), await ran(name, strategy, { threads: true })]
    const { handovers, pausedMilliseconds, givenUp } = turns.result.rebalancing!
    assert.deepEqual(threads.result.rebalancing!.handovers, handovers)
    assert.deepEqual(threads.verdicts, turns.verdicts)
    assert.equal(pausedMilliseconds, 0)
    assert.equal(givenUp, 0)
    const inBand = handovers.filter(h => h.asked)
    assert.ok(
      inBand.length >= 4 && inBand.every(h => h.asked!.after < h.after),
      `${inBand.length} hand-overs`,
    )
    const kept = ({ kept: all }: Observed) => inBand.map(h => all.get(h.after))
    assert.deepEqual(kept(threads), kept(turns))
    assert.ok(
      kept(turns).some(items => items!.length > 0),
      'packets came between a request and its answers',
    )
    const { cases } = await verify(bundledProgram(name), store, {
      ...ways,
      strategies: [strategy],
      cores: [3],
      threads: true,
    })
    assert.deepEqual(
      cases.map(c => [c.divergent, c.skipped]),
      [[0, undefined]],
    )
  })

/** A worker that does something else than it should wherever state changes hands. */
function wrong(
  strategy: Strategy,
  does: (words: Uint32Array, handover: number, acts: number) => void,
): Strategy {
  return {
    ...strategy,
    work(stage, worker, slab, count, seq) {
      const { words, contexts } = stage
      const of = (offset: number): number => words[(contexts[worker] + offset) >>> 2]
      if (words[(slab.header + slabHandover) >>> 2] !== 0)
        does(words, of(context.handover) >>> 2, (of(context.answer) >>> 2) + 1)
      strategy.work(stage, worker, slab, count, seq)
    },
  }
}

test('without the items that were kept, without the deletions or without the entries, workers differ', async () => {
  const mistakes: [string, Strategy][] = [
    ['nothing kept', wrong(hybrid, (words, handover) => (words[handover + handoverLayout.kept / 4] = 0))],
    ['nothing deleted', wrong(rebalanced, (words, _, acts) => (words[acts] &= ~8))],
    ['nothing taken in', wrong(rebalanced, (words, _, acts) => (words[acts] &= ~16))],
    ['light keys stay', wrong(hybrid, (words, _, acts) => (words[acts] &= ~1))],
  ]
  // Short epochs: a key that becomes light must become heavy again while its copies could still be seen.
  const epoch = { ...ways.epoch, packets: 300 }
  for (const [what, strategy] of mistakes) {
    const { cases } = await verify(bundledProgram('token-bucket'), store, {
      ...ways,
      epoch,
      strategies: [strategy],
      cores: [3],
    })
    assert.ok(cases[0].divergent > 0, what)
  }
})

test('a change of settings between a request and its answers has the request given up', async () => {
  const { handovers } = (await ran('token-bucket', hybrid)).result.rebalancing!
  const { asked } = handovers.find(h => h.asked)!
  const revisions = [{ after: asked!.after + 3, settings: new Map([['rate', 7n]]) }]
  const found = await ran('token-bucket', hybrid, { revisions })
  assert.ok(found.result.rebalancing!.givenUp >= 1)
  const { cases } = await verify(bundledProgram('token-bucket'), store, {
    ...ways,
    revisions,
    strategies: [rebalanced, hybrid],
    cores: [2, 3],
  })
  for (const { divergent, first } of cases) assert.equal(divergent, 0, first?.what)
})

const counting = (capacity: number): string => `
import { type Packet, Verdict, table, u32 } from 'hairpin'
const seen = table({ key: u32, value: u32, capacity: ${capacity} })
export default function count(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Pass
  seen.set(ip.source, (seen.get(ip.source) ?? 0) + 1)
  return Verdict.Transmit
}
`

test('a key is not copied to where there may be no room for it', async () => {
  for (const [capacity, fits] of [
    [2_000, true],
    [100, false],
  ] as const) {
    const { compiled } = compile('count.ts', counting(capacity), { hybrid: true })
    assert.ok(compiled)
    const { cases } = await verify(compiled, store, { ...ways, strategies: [hybrid], cores: [2, 3] })
    for (const { divergent, first } of cases) assert.equal(divergent, 0, first?.what)
    const found = await observe(compiled.artifact, store, {
      ...ways,
      strategy: hybrid,
      cores: 3,
      virtual: true,
    })
    assert.ok(!('error' in found))
    const { promotions } = found.result.rebalancing!
    assert.equal(promotions > 0, fits, `${promotions} promotions with room for ${capacity}`)
  }
})

test('a program without items moves its buckets at barriers', async () => {
  const subject = bundledProgram('heavy-hitter', { hybrid: false })
  const { cases } = await verify(subject, store, { ...ways, strategies: [rebalanced], cores: [3] })
  assert.equal(cases[0].divergent, 0, cases[0].first?.what)
  const found = await observe(subject.artifact, store, {
    ...ways,
    strategy: rebalanced,
    cores: 3,
    virtual: true,
  })
  assert.ok(!('error' in found))
  const { handovers, migrations } = found.result.rebalancing!
  assert.ok(migrations > 0 && handovers.every(h => !h.asked))
})

test('where all packets are of heavy keys, workers replicate them and agree with the serial run', async () => {
  const flow = traceStore('single flow', { law: 'single', flows: 1, seed: 2 }, 5_000)
  const subject = bundledProgram('connection-tracker')
  const options = { epoch: { packets: 800, replay: 0.3 } }
  for (const threads of [false, true]) {
    const { cases } = await verify(subject, flow, {
      ...options,
      strategies: [hybrid],
      cores: [2, 7],
      threads,
    })
    for (const { divergent, first, skipped } of cases) {
      assert.equal(skipped, undefined)
      assert.equal(divergent, 0, first?.what)
    }
  }
  const found = await observe(subject.artifact, flow, {
    ...options,
    strategy: hybrid,
    cores: 7,
    virtual: true,
  })
  assert.ok(!('error' in found))
  assert.ok(found.heavy.subarray(1_000).every(h => h === 1))
  assert.ok(found.result.workers.every(w => w.replayed > 3_000))
})

test('keys that have paid stay heavy for one epoch in which they do not', async () => {
  // Nine and seven of sixteen packets of the third epoch are the two directions'; before and after it is mostly two thirds and one.
  const packets = 131_072
  const flow = traceStore('single flow', { seed: 1, ...standardTrace('single flow', packets) }, packets)
  const { artifact } = bundledProgram('heavy-hitter')
  const planned = plan(artifact, { strategy: hybrid, cores: 7, virtual: true })
  assert.ok(!('error' in planned))
  const { rebalancing } = await start(artifact, planned, hybrid, {
    open: storeSource(flow),
    epoch: { packets: 16_384 },
  })
  const { epochs, promotions, demotions } = rebalancing!
  assert.deepEqual([epochs, promotions, demotions], [8, 2, 0])
})
