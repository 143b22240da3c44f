import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCapture } from '../src/device/capture.js'
import { assemble } from '../src/compile.js'
import { observe } from '../src/engine/observe.js'
import type { Observed } from '../src/engine/observe.js'
import { loadPackets } from '../src/engine/packets.js'
import type { PacketStore } from '../src/engine/packets.js'
import type { Loss } from '../src/engine/transport.js'
import { survivorsOf } from '../src/engine/survivors.js'
import { runSerial, verify } from '../src/engine/verify.js'
import { randomLoss } from '../src/engine/transport.js'
import { diffStates } from '../src/state/diff.js'
import { stateMemory } from '../src/state/memory.js'
import { strategyWith } from '../src/strategy/strategies.js'
import { root } from '../tools/sources.js'
import { bundledProgram, programNames } from './programs.js'

const recovering = strategyWith('replicated', { recovery: true })!
const store = loadPackets((memory, workspace) =>
  openCapture(join(root, 'programs/demo/knocking.pcap'), { memory, workspace }),
)
const subjects = programNames.map(name => {
  const { program, rules } = bundledProgram(name)
  return { name, program, artifact: assemble(program, { recovery: true }).artifact, rules }
})
const knocking = subjects.find(({ name }) => name === 'port-knocking')!

for (const { name, program, artifact, rules } of subjects)
  test(`${name}: replicas agree under loss from 0 to 10 %`, async () => {
    for (const rate of [0, 0.01, 0.1]) {
      const { cases } = await verify({ program, artifact }, store, {
        strategies: [recovering],
        cores: [2, 7, 16],
        loss: randomLoss(7, rate),
        ...(rules && { rules }),
      })
      for (const { cores, divergent, first, recovery, skipped } of cases) {
        assert.equal(skipped, undefined)
        assert.equal(divergent, 0, `${rate}, ${cores} workers: ${first?.what}`)
        assert.equal(recovery!.recovered + recovery!.lostEverywhere, recovery!.detected)
        if (rate === 0) assert.equal(recovery!.detected + recovery!.drops.recovering, 0)
        if (rate === 0.1) assert.ok(recovery!.recovered > 0)
      }
    }
  })

test('on threads, which really run at the same time', async () => {
  const { cases } = await verify(knocking, repeated(store, 8), {
    strategies: [recovering],
    cores: [2, 3],
    threads: true,
    loss: randomLoss(3, 0.02),
  })
  for (const { divergent, first, recovery } of cases) {
    assert.equal(divergent, 0, first?.what)
    assert.ok(recovery!.recovered > 0)
  }
})

test('a gap longer than the logs ends its worker, loudly, in the state it had before', async () => {
  const many = repeated(store, 4)
  const entries = 1024
  // Worker 1 of 3 gets nothing for longer than a log; the others lose nothing.
  const loss: Loss = s => s > 300n && s < 2800n && s % 3n === 1n
  const found = await run(many, 3, loss, entries)
  const { stopped, unrecoverable, drops } = found.result.recovery!
  assert.deepEqual(
    stopped.map(({ worker }) => worker),
    [1],
  )
  assert.ok(unrecoverable > 0 && drops.unrecoverable > 0)
  const survived = survivorsOf(
    Array.from({ length: many.count }, (_, n) => !loss(BigInt(n) + 1n)),
    3,
  )
  assert.ok(survived.every(Boolean))
  const all = Array.from({ length: many.count }, (_, n) => n)
  const memory = stateMemory(found.result.memory.buffer)
  found.blocks.forEach((base, worker) => {
    const upTo = worker === 1 ? Number(stopped[0].last) : many.count
    const { machine } = runSerial(knocking, many, { strategies: [], cores: [] }, all.slice(0, upTo))
    const { equal } = diffStates(
      { memory, base },
      { memory: machine.memory, base: 0 },
      knocking.artifact.stateLayout,
      1,
    )
    assert.ok(equal, `worker ${worker}`)
  })
})

test('received packets are verdicts and drops by reason, whatever is lost', async () => {
  for (const rate of [0.01, 0.5, 1]) {
    const { result, verdicts } = await run(store, 4, randomLoss(5, rate))
    const { lost, drops } = result.recovery!
    const sum = result.verdicts.reduce((total, { packets }) => total + packets, 0)
    assert.equal(sum, store.count)
    const byReason = (reason: number): number => verdicts.filter(word => word === (1 | (reason << 8))).length
    assert.deepEqual(
      [byReason(1), byReason(2), byReason(3), byReason(4)],
      [lost, drops.recovering, drops.unrecoverable, drops.late],
    )
    if (rate === 1) assert.equal(lost, store.count)
  }
})

async function run(packets: PacketStore, cores: number, loss: Loss, logEntries = 1024): Promise<Observed> {
  const found = await observe(knocking.artifact, packets, {
    strategy: recovering,
    cores,
    virtual: true,
    loss,
    logEntries,
    slabPackets: 64,
  })
  assert.ok(!('error' in found))
  return found
}

function repeated(packets: PacketStore, times: number): PacketStore {
  const many = loadPackets((memory, workspace) =>
    openCapture(join(root, 'programs/demo/knocking.pcap'), { memory, workspace }),
  )
  const last = packets.packet(packets.count - 1).timestamp
  for (let k = 1; k < times; k++)
    for (let n = 0; n < packets.count; n++) {
      const { bytes, originalLength, timestamp, device } = packets.packet(n)
      many.add(bytes, originalLength, timestamp + BigInt(k) * last, device)
    }
  return many
}
