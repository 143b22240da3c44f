import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundledProgram } from '../../test/programs.js'
import { readingMemory } from '../engine/packets.js'
import { single } from '../strategy/single.js'
import { memoryTrials } from './memory-trial.js'
import { chunkPackets, PacedDevice } from './paced-source.js'
import { lossOf } from './search.js'
import { standardTrace, traceStore } from './traces.js'

const store = traceStore('uniform', standardTrace('uniform', 2000), 2000)

/** Takes everything; `pause` milliseconds after each chunk. */
function drain(rate: number | undefined, packets: number, queue: number, pause = 0) {
  const { memory, slab } = readingMemory()
  const device = new PacedDevice(store)
  const source = device.open({ rate, packets, queue })(memory)
  let count = 0
  for (let end = false; !end;) {
    const batch = source.read(slab)
    count += batch.count
    end = batch.end
    const until = performance.now() + pause
    while (performance.now() < until);
  }
  return { count, ...device.counts, memory, slab }
}

test('chunks are the packets of the store', () => {
  const { memory, slab } = drain(undefined, chunkPackets, 1024)
  const view = new DataView(memory.buffer)
  for (const k of [0, 100, chunkPackets - 1]) {
    const at = view.getUint32(slab.descriptors + 32 * k, true)
    const length = view.getUint32(slab.descriptors + 32 * k + 4, true)
    assert.deepEqual(new Uint8Array(memory.buffer).slice(at, at + length), store.packet(k).bytes)
  }
})

test('packets arrive at their rate, and what is not taken in time is lost', () => {
  const fast = drain(100_000, 20 * chunkPackets, 100_000)
  assert.deepEqual([fast.count, fast.lost], [20 * chunkPackets, 0])
  assert.ok(fast.seconds >= 0.0512 * 0.99, `${fast.seconds} s`)
  // Two chunks arrive while one is taken, and the queue holds two.
  const slow = drain(100_000, 60 * chunkPackets, 2 * chunkPackets, 5.2)
  assert.equal(slow.count + slow.lost, slow.arrived)
  assert.ok(
    slow.lost > 0.3 * slow.arrived && slow.lost < 0.9 * slow.arrived,
    `${slow.lost} of ${slow.arrived}`,
  )
})

test('a trial accounts for every packet', async () => {
  const subject = bundledProgram('forwarder')
  const trials = memoryTrials(subject, subject, store, single, 1, 65_536)
  assert.ok((await trials.calibrate(0.01)) > 100_000)
  const trial = await trials.run(50_000, 0.05)
  assert.equal(trial.sent, Math.ceil(2500 / chunkPackets) * chunkPackets)
  assert.ok(lossOf(trial) < 1)
})
