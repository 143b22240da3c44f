import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../src/compile.js'
import { observe } from '../src/engine/observe.js'
import type { Observed } from '../src/engine/observe.js'
import { Unreachable } from '../src/engine/messages.js'
import type { PacketStore } from '../src/engine/packets.js'
import { randomLoss } from '../src/engine/transport.js'
import type { Loss } from '../src/engine/transport.js'
import { verify } from '../src/engine/verify.js'
import { standardTrace, traceStore } from '../src/measure/traces.js'
import { context } from '../src/backend/wasm/memory.js'
import { eager } from '../src/strategy/balance.js'
import { act, answerLayout, slabHandover } from '../src/strategy/handover.js'
import { lossyStrategies, strategyWith } from '../src/strategy/strategies.js'
import type { Strategy } from '../src/strategy/strategy.js'
import { bundledProgram, programNames } from './programs.js'

// Strategies whose workers have queues of their own that lose frames: light packets are lost with their frame, heavy ones are
// recovered as items, and messages about state that changes hands come again until they have arrived.

const hybrid = strategyWith('hybrid', { recovery: true })!
const steered = lossyStrategies.filter(s => s.steered)
const store = herd(3, 3_000)
// One elephant after the other: its key becomes heavy and light again.
for (let n = 0, other = herd(4, 2_000); n < other.count; n++) {
  const { bytes, originalLength, timestamp, device } = other.packet(n)
  store.add(bytes, originalLength, timestamp + store.packet(2_999).timestamp, device)
}
const ways = { slabPackets: 128, epoch: { packets: 400, replay: 0, balance: eager } }
const subjects = programNames.map(name => {
  const { program, rules } = bundledProgram(name)
  return { name, program, artifact: assemble(program, { recovery: true, hybrid: true }).artifact, rules }
})
const named = (name: string) => subjects.find(s => s.name === name)!

for (const { name, program, artifact, rules } of subjects)
  test(`${name}: shards and heavy keys under loss from 0 to 10 %`, async () => {
    for (const [rate, workers] of [
      [0, 3],
      [0.01, 2],
      [0.1, 7],
    ]) {
      const { cases } = await verify({ program, artifact }, store, {
        ...ways,
        epoch: { ...ways.epoch, packets: 1_500 },
        strategies: rate === 0.1 ? steered : [hybrid],
        cores: [workers],
        loss: randomLoss(7, rate),
        ...(rules && { rules }),
      })
      for (const { strategy, cores, divergent, first, recovery, lost, skipped } of cases) {
        if (skipped !== undefined) assert.ok(!artifact.steering || !artifact.item, skipped)
        assert.equal(divergent, 0, `${strategy}, ${rate}, ${cores} workers: ${first?.what}`)
        if (skipped !== undefined || rate < 0.1) continue
        assert.ok(lost! > 400 && lost! < 600)
        if (strategy === 'hybrid')
          assert.equal(recovery!.recovered + recovery!.lostEverywhere, recovery!.detected)
      }
    }
  })

test('keys become heavy and light and buckets move while frames are lost, and all that was missing is decided', async () => {
  const { result, heavy, verdicts } = await run(hybrid, randomLoss(1, 0.1))
  const { migrations, promotions, demotions, givenUp, flushes, pausedMilliseconds } = result.rebalancing!
  assert.ok(migrations > 10 && promotions > 2 && demotions > 1, `${migrations}, ${promotions}, ${demotions}`)
  assert.equal(givenUp, 0)
  assert.ok(flushes.length > 3 && pausedMilliseconds > 0)
  const { recovered, detected, lostEverywhere, drops, lost } = result.recovery!
  assert.ok(recovered > 50)
  assert.equal(detected, recovered + lostEverywhere)
  assert.ok(heavy.filter(h => h === 1).length > 500)
  const sum = result.verdicts.reduce((total, { packets }) => total + packets, 0)
  assert.equal(sum, store.count)
  const byReason = (reason: number): number => verdicts.filter(word => word === (1 | (reason << 8))).length
  assert.deepEqual([byReason(1), byReason(2)], [lost, drops.recovering])
})

test('without loss nothing is dropped or missing', async () => {
  const { result } = await run(hybrid, () => false)
  const { detected, drops, lost } = result.recovery!
  assert.deepEqual([detected, lost, drops], [0, 0, { recovering: 0, unrecoverable: 0, late: 0 }])
})

for (const strategy of steered)
  test(`${strategy.name} on threads, which really run at the same time`, async () => {
    const { program, artifact } = named('token-bucket')
    const { cases } = await verify({ program, artifact }, store, {
      ...ways,
      strategies: [strategy],
      cores: [2, 3],
      threads: true,
      loss: randomLoss(3, 0.05),
    })
    for (const { divergent, first, skipped } of cases) {
      assert.equal(skipped, undefined)
      assert.equal(divergent, 0, first?.what)
    }
  })

test('where no message arrives, hand-overs are given up before they have begun', async () => {
  const { result } = await run(hybrid, sequence => sequence < 0n)
  const { givenUp, promotions, migrations } = result.rebalancing!
  assert.ok(givenUp > 3)
  assert.deepEqual([promotions, migrations], [0, 0])
})

test('where one half of a hand-over never arrives, the run ends and says so', async () => {
  // The first three messages arrive, which is all that the first hand-over begins with, and no other.
  await assert.rejects(
    run(hybrid, sequence => sequence < -9n),
    (error: unknown) => error instanceof Unreachable && /worker 0, 1, 2 took none of/.test(error.message),
  )
})

/** A worker that does not do what a message says. */
const deaf = (bits: number): Strategy => ({
  ...hybrid,
  work(stage, worker, slab, count, seq) {
    const answer = stage.words[(stage.contexts[worker] + context.answer) >>> 2]
    if (worker === 1 && stage.words[(slab.header + slabHandover) >>> 2] !== 0)
      stage.words[(answer + answerLayout.acts) >>> 2] &= ~bits
    hybrid.work(stage, worker, slab, count, seq)
  },
})
for (const [what, bits] of [
  ['takes nothing in', act.takeIn],
  ['deletes no bucket that has moved', act.dropMoved],
  ['keeps keys that are light again', act.dropLight],
] as const)
  test(`verify sees a worker that ${what}`, async () => {
    const { program, artifact } = named('token-bucket')
    const { cases } = await verify({ program, artifact }, store, {
      ...ways,
      strategies: [deaf(bits)],
      cores: [3],
      loss: randomLoss(1, 0.05),
    })
    assert.ok(cases[0].divergent > 0)
  })

test('verify sees a lost packet that is processed, and one that is dropped without cause', async () => {
  const { program, artifact } = named('heavy-hitter')
  const loss = randomLoss(1, 0.05)
  let asked = 0
  // The transport loses other frames than verify is told.
  const fickle: Loss = sequence => loss(sequence) && sequence > 0n && ++asked > 3
  const options = { ...ways, cores: [3], strategies: [hybrid] }
  const { cases } = await verify({ program, artifact }, store, { ...options, loss: fickle })
  assert.ok(cases[0].divergent > 0)
})

function herd(seed: number, packets: number): PacketStore {
  return traceStore(
    `herd ${seed}`,
    { law: 'university-1', flows: 200, seed, udp: 0.3, elephant: 0.4 },
    packets,
  )
}

async function run(strategy: Strategy, loss: Loss): Promise<Observed> {
  const { artifact } = named('token-bucket')
  const found = await observe(artifact, store, { ...ways, strategy, cores: 3, virtual: true, loss })
  assert.ok(!('error' in found))
  return found
}

test('slabs are short enough for the logs whatever the traffic', async () => {
  const one = traceStore('single flow', { seed: 1, ...standardTrace('single flow', 4_000) }, 4_000)
  const { program, artifact } = named('port-knocking')
  const { cases } = await verify({ program, artifact }, one, {
    epoch: ways.epoch,
    strategies: [hybrid],
    cores: [2, 14],
    loss: randomLoss(2, 0.1),
  })
  for (const { divergent, first, recovery } of cases) {
    assert.equal(divergent, 0, first?.what)
    assert.equal(recovery!.unrecoverable, 0)
  }
})
