import assert from 'node:assert/strict'
import { test } from 'node:test'
import { carveSlab, slabBytes } from '../../device/slab.js'
import { memorySource } from '../../device/memory.js'
import { randomPacket } from '../../../test/views/packets.js'
import { dissect } from '../../wire/frame.js'
import { ipProtocols } from '../../wire/ipv4.js'
import { Census } from './census.js'
import { flowOf } from './flows.js'

/** The two ends and the protocol of a packet as the plain views have them; undefined where they see no IP. */
function flowByViews(bytes: Uint8Array): string | undefined {
  const frame = dissect(bytes)
  const ip = frame.ipv4 ?? frame.ipv6
  if (!ip) return undefined
  const t = frame.transport
  const l4 = t?.tcp ?? t?.udp ?? t?.sctp
  const protocol = frame.ipv4 ? frame.ipv4.fields.protocol : frame.protocol!
  const [p, q] = l4 ? [l4.fields.sourcePort, l4.fields.destinationPort] : [0, 0]
  return [`${ip.fields.source} ${p}`, `${ip.fields.destination} ${q}`].toSorted().join(' ') + ` ${protocol}`
}

test('packets of one flow by the plain views are one flow here, and the other way round', () => {
  const theirs = new Map<string, string>()
  let seen = 0
  for (let seed = 1; seed <= 4000; seed++) {
    const packet = randomPacket(seed, true)
    const expected = flowByViews(packet)
    const { flow } = flowOf(Buffer.from(packet), 0, packet.length)
    if (expected === undefined || flow === undefined) continue
    seen++
    const known = theirs.get(flow)
    if (known === undefined) theirs.set(flow, expected)
    else assert.equal(known, expected, `seed ${seed}`)
  }
  assert.ok(seen > 1000, `${seen} packets with flows`)
  assert.equal(new Set(theirs.values()).size, theirs.size)
})

test('any bytes have a protocol and no throw', () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const packet = Buffer.from(randomPacket(seed))
    for (const length of [0, 13, 14, 20, 34, packet.length])
      assert.ok(flowOf(packet, 0, Math.min(length, packet.length)).protocol.length > 0)
  }
})

/** A TCP packet between two hosts, of `length` bytes. */
function tcp(from: number, to: number, fromPort: number, toPort: number, length = 60): Uint8Array {
  const bytes = Buffer.alloc(length)
  bytes.writeUInt16BE(0x0800, 12)
  bytes[14] = 0x45
  bytes[23] = ipProtocols.Tcp
  bytes.writeUInt32BE(from, 26)
  bytes.writeUInt32BE(to, 30)
  bytes.writeUInt16BE(fromPort, 34)
  bytes.writeUInt16BE(toPort, 36)
  return bytes
}

test('a census adds up: sizes, rates, both directions, shares', () => {
  const there = Array.from({ length: 30 }, () => tcp(1, 2, 1000, 80))
  const back = Array.from({ length: 20 }, () => tcp(2, 1, 80, 1000, 100))
  const others = Array.from({ length: 50 }, (_, i) => tcp(10 + i, 2, 1000, 80, 1000))
  const packets = [...there, ...back, ...others].map((bytes, i) => ({
    bytes,
    timestamp: BigInt(i) * 40_000_000n,
    original: bytes.length === 1000 ? 1500 : bytes.length,
  }))
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true })
  const slab = carveSlab(65_536, 4096, 2 ** 20)
  assert.ok(65_536 + slabBytes(4096, 2 ** 20) <= 64 * 65_536)
  const census = new Census()
  const { count } = memorySource(memory, packets).read(slab)
  census.take(memory, slab, count)
  const found = census.summary()
  assert.equal(found.packets, 100)
  assert.equal(found.bytes, 30 * 60 + 20 * 100 + 50 * 1000)
  assert.equal(found.wireBytes, 30 * 60 + 20 * 100 + 50 * 1500)
  assert.equal(found.cut, 50)
  assert.equal(found.seconds, 3.96)
  assert.equal(found.packetsPerSecond, 25)
  assert.deepEqual(found.busiest, { second: 0, packets: 25, bits: 25 * 60 * 8 })
  assert.deepEqual(found.frames, { min: 60, p50: 100, p90: 1500, p99: 1500, max: 1500 })
  assert.deepEqual(found.protocols, [{ name: 'IPv4 Tcp', packets: 100, bytes: found.wireBytes }])
  const { flows } = found
  assert.equal(flows.count, 51)
  assert.equal(flows.packetShares.top, 0.5)
  assert.equal(flows.packetShares.topTen, 0.59)
  assert.equal(flows.packetsPerFlow.max, 50)
  assert.deepEqual(flows.ccdf.slice(0, 2), [
    [1, 1 / 51],
    [2, 1 / 51],
  ])
})
