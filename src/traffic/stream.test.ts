import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checksum } from './testing.js'
import { defaultStream, streamPackets } from './stream.js'

test('packets have the size, the addresses and right checksums', () => {
  for (const udp of [true, false])
    for (const size of [64, 65, 128, 1518]) {
      const packets = streamPackets({ ...defaultStream, udp, size, flows: 5, sources: 2 })
      assert.equal(packets.length, 5)
      for (const [k, packet] of packets.entries()) {
        assert.equal(packet.length, size - 4)
        const view = new DataView(packet.buffer, packet.byteOffset)
        assert.equal(view.getUint32(26), defaultStream.source + (k % 2))
        assert.equal(view.getUint16(34), 1024 + Math.floor(k / 2))
        assert.equal(packet[23], udp ? 17 : 6)
        const ip = packet.subarray(14, 34)
        assert.equal(checksum([ip]), 0)
        const total = view.getUint16(16)
        const segment = packet.subarray(34, 14 + total)
        const pseudo = Uint8Array.of(...packet.subarray(26, 34), 0, packet[23], 0, total - 20)
        pseudo[10] = (total - 20) >> 8
        assert.equal(checksum([pseudo, segment]), 0)
      }
    }
})

test('flows differ', () => {
  const packets = streamPackets({ ...defaultStream, flows: 1000, sources: 100 })
  assert.equal(new Set(packets.map(p => Buffer.from(p.subarray(26, 38)).toString('hex'))).size, 1000)
})
