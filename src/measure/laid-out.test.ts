import assert from 'node:assert/strict'
import { test } from 'node:test'
import { descriptor, descriptorBytes } from '../device/slab.js'
import { PacketStore, readingMemory, storeSource } from '../engine/packets.js'
import { laidOut } from './laid-out.js'
import { standardTrace, traceStore } from './traces.js'

test('a store that is laid out gives what the store gives, at any address, again and again', () => {
  const store = traceStore('uniform', standardTrace('uniform', 1000), 1000)
  const open = laidOut(store)()
  for (const capacity of [256, 4096])
    for (const shift of [0, 4096]) {
      const [one, two] = [readingMemory(), readingMemory()]
      const slab = { ...one.slab, capacity, data: one.slab.data + shift, dataBytes: 2 ** 19 }
      const [plain, laid] = [storeSource(store)(one.memory), open(two.memory)]
      for (let end = false, slabs = 0; !end; slabs++) {
        const [a, b] = [plain.read(slab), laid.read(slab)]
        assert.deepEqual(b, a)
        assert.ok(slabs < 5 && a.count > 0)
        const [x, y] = [one.memory, two.memory].map(m => Buffer.from(m.buffer))
        const used = slab.descriptors + a.count * descriptorBytes
        assert.ok(x.subarray(slab.descriptors, used).equals(y.subarray(slab.descriptors, used)))
        assert.ok(
          x.subarray(slab.data, slab.data + a.bytes).equals(y.subarray(slab.data, slab.data + a.bytes)),
        )
        end = a.end
      }
    }
})

test('each pass comes after the one before, with time stamps that go on and other bytes as they were', () => {
  const store = traceStore('uniform', standardTrace('uniform', 300), 300)
  const view = (memory: WebAssembly.Memory, at: number): bigint =>
    new DataView(memory.buffer).getBigUint64(at + descriptor.timestamp, true)
  const { memory, slab } = readingMemory()
  const source = laidOut(store)(3)(memory)
  const times: bigint[] = []
  for (let end = false; !end;) {
    const batch = source.read({ ...slab, capacity: 128 })
    for (let i = 0; i < batch.count; i++) times.push(view(memory, slab.descriptors + i * descriptorBytes))
    end = batch.end
  }
  assert.equal(times.length, 900)
  const first = store.packet(0).timestamp
  for (const [k, time] of times.entries())
    assert.equal(time, store.packet(k % 300).timestamp + BigInt(Math.floor(k / 300)) * store.period)
  assert.ok(times[300] > times[299] && times[300] - times[299] < store.period / 100n)
  assert.ok(times[899] - first > 2n * store.period)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
  )
})

test('time stamps carry into their upper half', () => {
  const store = new PacketStore('two')
  for (const time of [2n ** 32n - 5n, 2n ** 32n - 3n]) store.add(new Uint8Array(60), 60, time, 0)
  const { memory, slab } = readingMemory()
  const source = storeSource(store, undefined, 2)(memory)
  source.read(slab)
  source.read(slab)
  const view = new DataView(memory.buffer)
  const times = [0, 1].map(i => view.getBigUint64(slab.descriptors + i * descriptorBytes + 16, true))
  assert.deepEqual(times, [2n ** 32n - 1n, 2n ** 32n + 1n])
})
