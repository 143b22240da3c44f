import assert from 'node:assert/strict'
import { test } from 'node:test'
import { descriptorBytes } from '../device/slab.js'
import { readingMemory, storeSource } from '../engine/packets.js'
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
