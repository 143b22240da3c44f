import assert from 'node:assert/strict'
import { test } from 'node:test'
import { observe } from '../src/engine/observe.js'
import { PacketStore } from '../src/engine/packets.js'
import { verify } from '../src/engine/verify.js'
import { eager } from '../src/strategy/balance.js'
import { hybrid } from '../src/strategy/hybrid.js'
import { rebalanced } from '../src/strategy/rebalanced.js'
import { sharded } from '../src/strategy/sharded.js'
import { bundledProgram, programNames } from './programs.js'
import { traceStore } from '../src/measure/traces.js'

const packets = 6_000
/** Heavy-tailed: buckets differ in load, so that some of them have to move. */
const store = synthetic(0)
/** One flow has most of the first half and nothing of the second: it becomes heavy, and light again. */
const elephant = joined(synthetic(0.5), store)
/** Items cost nothing, so that every key with much of the traffic is worth replicating. */
const ways = { slabPackets: 256, epoch: { packets: 500, replay: 0, balance: eager } }

for (const name of programNames) {
  const subject = bundledProgram(name)
  if (!subject.artifact.steering) continue
  test(`${name}: buckets move with their state, and the serial run cannot tell`, async () => {
    const options = { ...ways, ...(subject.rules && { rules: subject.rules }) }
    const { cases } = await verify(subject, store, { ...options, strategies: [rebalanced], cores: [2, 3, 7] })
    for (const { divergent, first, skipped } of cases) {
      assert.equal(skipped, undefined)
      assert.equal(divergent, 0, first?.what)
    }
    const found = await observe(subject.artifact, store, {
      ...options,
      strategy: rebalanced,
      cores: 3,
      virtual: true,
    })
    assert.ok(!('error' in found))
    const { migrations, entries, epochs } = found.result.rebalancing!
    assert.ok(epochs >= packets / 600 && migrations > 0, `${epochs} epochs, ${migrations} migrations`)
    // Forwarders have no state that could move, and nobody asks for names in this trace.
    if (subject.artifact.stateLayout.objects.length && name !== 'dns-flood')
      assert.ok(entries > 0, 'state moved')
  })
}

for (const name of programNames) {
  const subject = bundledProgram(name)
  if (!subject.artifact.hybrid) continue
  test(`${name}: heavy keys live on every worker, and the serial run cannot tell`, async () => {
    const options = { ...ways, ...(subject.rules && { rules: subject.rules }) }
    const { cases } = await verify(subject, elephant, { ...options, strategies: [hybrid], cores: [2, 3, 7] })
    for (const { divergent, first, skipped } of cases) {
      assert.equal(skipped, undefined)
      assert.equal(divergent, 0, first?.what)
    }
    const found = await observe(subject.artifact, elephant, {
      ...options,
      strategy: hybrid,
      cores: 3,
      virtual: true,
    })
    assert.ok(!('error' in found))
    const { promotions, demotions } = found.result.rebalancing!
    assert.ok(promotions > 0 && demotions > 0, `${promotions} promotions, ${demotions} demotions`)
    const sums = found.result.workers.map(w => w.packets)
    assert.equal(
      sums.reduce((a, b) => a + b, 0),
      elephant.count,
    )
  })
}

test('the more of a packet its state transition is, the more an item is taken to cost', () => {
  const names = ['prefix-forwarder', 'forwarder', 'port-knocking', 'token-bucket', 'connection-tracker']
  const shares = names.map(name => bundledProgram(name).artifact.replay!)
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => a - b),
  )
  assert.ok(shares[0] > 0 && shares[4] < 1, shares.join(' '))
})

test('on even traffic hybrid replays nothing, and its busiest worker has no more than under sharding', async () => {
  const { artifact } = bundledProgram('heavy-hitter')
  const even = traceStore('uniform', { law: 'uniform', flows: 200, seed: 1 }, 20_000)
  for (const cores of [2, 14]) {
    const options = { cores, virtual: true, epoch: { packets: 4_000 } }
    const [alone, mixed] = [
      await observe(artifact, even, { ...options, strategy: sharded }),
      await observe(artifact, even, { ...options, strategy: hybrid }),
    ]
    assert.ok(!('error' in alone) && !('error' in mixed))
    const busiest = (found: typeof alone): number =>
      Math.max(...found.result.workers.map(w => w.packets + w.replayed))
    assert.ok(mixed.heavy.every(h => h === 0))
    assert.ok(busiest(mixed) <= 1.02 * busiest(alone), `${busiest(mixed)} packets, sharded ${busiest(alone)}`)
  }
})

test('load is spread more evenly than by hashing alone, on threads too', async () => {
  const { artifact } = bundledProgram('heavy-hitter')
  const most: number[] = []
  for (const strategy of [sharded, rebalanced]) {
    const found = await observe(artifact, store, { ...ways, strategy, cores: 4 })
    assert.ok(!('error' in found))
    most.push(Math.max(...found.result.workers.map(w => w.packets)))
  }
  assert.ok(most[1] < most[0], `busiest worker: ${most[0]} packets sharded, ${most[1]} rebalanced`)
})

function synthetic(share: number): PacketStore {
  const law = { law: 'university-1', flows: 300, seed: 3, udp: 0.3, elephant: share }
  return traceStore('heavy-tailed trace', law, packets)
}

function joined(first: PacketStore, second: PacketStore): PacketStore {
  const both = new PacketStore('an elephant comes and goes')
  const end = first.packet(first.count - 1).timestamp
  for (const [part, later] of [
    [first, 0n],
    [second, end],
  ] as const)
    for (let n = 0; n < part.count; n++) {
      const { bytes, originalLength, timestamp, device } = part.packet(n)
      both.add(bytes, originalLength, timestamp + later, device)
    }
  return both
}
