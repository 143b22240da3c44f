import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readerWorkspaceBytes } from './control.js'
import { CaptureReader } from './capture.js'
import { everyPacket } from './device.js'
import { lossy } from './lossy.js'
import { collect, memorySink, memorySource, type MemoryPacket } from './memory.js'
import { nullSink } from './null.js'
import { record } from './record.js'
import { carveSlab, descriptor, descriptorBytes, minimumDataBytes, type Slab } from './slab.js'
import { bytesSource } from './source.js'
import { bytesTarget } from './target.js'
import { packetText, trace } from './trace.js'
import { CaptureWriter, writerWorkspaceBytes } from './writer.js'

const memory = new WebAssembly.Memory({ initial: 32, maximum: 32, shared: true })
const view = new DataView(memory.buffer)
const workspace = readerWorkspaceBytes
const base = workspace + writerWorkspaceBytes

function slabOf(capacity: number): Slab {
  return carveSlab(base, capacity, minimumDataBytes)
}

function numbered(count: number): MemoryPacket[] {
  return Array.from({ length: count }, (_, index) => ({
    bytes: Uint8Array.of(index & 255, index >>> 8),
    timestamp: BigInt(index),
  }))
}

function numbers(packets: readonly { bytes: Uint8Array }[]): number[] {
  return packets.map(({ bytes }) => bytes[0] + bytes[1] * 256)
}

function frame(text: string): DataView {
  const bytes = Uint8Array.from(Buffer.from(text.replace(/[^0-9a-f]/g, ''), 'hex'))
  return new DataView(bytes.buffer)
}

test('packets of an array come out of slabs of any size', () => {
  for (const capacity of [1, 7, 1000]) {
    const packets = collect(memorySource(memory, numbered(100)), memory, slabOf(capacity))
    assert.deepEqual(numbers(packets), numbers(numbered(100)))
    assert.deepEqual(
      packets.map(packet => packet.timestamp),
      numbered(100).map(packet => packet.timestamp),
    )
  }
})

test('a lossy source loses the same packets whatever the batches are, and counts them', () => {
  const runs = [1, 7, 1000].map(capacity => {
    const source = lossy(memorySource(memory, numbered(1000)), memory, 42, 0.25)
    const packets = collect(source, memory, slabOf(capacity))
    assert.equal(packets.length + source.lost, 1000)
    assert.deepEqual(
      packets.map(packet => Number(packet.timestamp)),
      numbers(packets),
    )
    return numbers(packets)
  })
  assert.deepEqual(runs[1], runs[0])
  assert.deepEqual(runs[2], runs[0])
  assert.ok(runs[0].length > 700 && runs[0].length < 800, `${runs[0].length} left`)
})

test('a lossy source corrects the bytes of its batches', () => {
  const source = lossy(memorySource(memory, numbered(100)), memory, 1, 0.5)
  const batch = source.read(slabOf(100))
  assert.equal(batch.bytes, batch.count * 2)
  assert.equal(batch.wireBytes, batch.count * 2)
})

test('rate 0 loses nothing, rate 1 everything', () => {
  for (const [rate, left] of [
    [0, 50],
    [1, 0],
  ]) {
    const source = lossy(memorySource(memory, numbered(50)), memory, 7, rate)
    assert.equal(collect(source, memory, slabOf(10)).length, left)
  }
})

/** Puts five packets with verdicts 1, 2, 3, redirect(7), redirect(9) into the slab. */
function fiveVerdicts(slab: Slab): number[] {
  memorySource(memory, numbered(5)).read(slab)
  const verdicts = [1, 2, 3, 4 | (7 << 8), 4 | (9 << 8)]
  for (const [index, verdict] of verdicts.entries()) {
    view.setUint32(slab.descriptors + index * descriptorBytes + descriptor.verdict, verdict, true)
  }
  return verdicts
}

test('a lossy sink leaves the slab as it was', () => {
  const slab = slabOf(10)
  const verdicts = fiveVerdicts(slab)
  const inner = memorySink(memory)
  const sink = lossy(inner, memory, 3, 0.5)
  const before = Buffer.from(memory.buffer, slab.descriptors, 5 * descriptorBytes).toString('hex')
  let taken = 0
  for (let round = 0; round < 20; round++) taken += sink.write(slab, 5, { verdicts: 1 << 4 })
  assert.equal(Buffer.from(memory.buffer, slab.descriptors, 5 * descriptorBytes).toString('hex'), before)
  assert.equal(inner.packets.length, taken)
  assert.equal(taken + sink.lost, 40)
  assert.ok(taken > 5 && sink.lost > 5)
  assert.ok(inner.packets.every(packet => verdicts.slice(3).includes(packet.verdict)))
})

test('sinks take what the selection names', () => {
  const slab = slabOf(10)
  fiveVerdicts(slab)
  const [sink, nothing] = [memorySink(memory), nullSink(memory)]
  for (const selection of [{ verdicts: 1 << 2 }, { verdicts: 1 << 4, redirect: 9 }, everyPacket]) {
    assert.equal(sink.write(slab, 5, selection), nothing.write(slab, 5, selection))
  }
  assert.deepEqual(numbers(sink.packets), [1, 4, 0, 1, 2, 3, 4])
  assert.equal(nothing.packets, 7)
})

test('a recording source gives its packets and writes them', () => {
  const target = bytesTarget()
  const file = new CaptureWriter('record', target, { memory, workspace })
  const source = record(memorySource(memory, numbered(20)), file)
  assert.deepEqual(numbers(collect(source, memory, slabOf(7))), numbers(numbered(20)))
  source.close()
  const reader = new CaptureReader('record', bytesSource(target.bytes()), { memory, workspace: 0 })
  assert.deepEqual(numbers(collect(reader, memory, slabOf(7))), numbers(numbered(20)))
})

test('wrappers nest, and keep name, interfaces and faults', () => {
  const lines: string[] = []
  const broken = new CaptureReader('cut.pcap', bytesSource(Uint8Array.of(0xd4)), { memory, workspace: 0 })
  const source = trace(lossy(broken, memory, 1, 0), memory, line => lines.push(line))
  assert.equal(source.name, 'trace(lossy(cut.pcap))')
  assert.equal(source.fault?.kind, 'format')
  assert.deepEqual(source.interfaces, [])
  assert.ok(source.read(slabOf(1)).end)
  assert.deepEqual(lines, [])
})

test('a trace has one line for each packet, with verdicts behind a sink', () => {
  const lines: string[] = []
  const print = (line: string) => lines.push(line)
  const slab = slabOf(4)
  const packet = { bytes: new Uint8Array(60), original: 90, device: 2, timestamp: 1_500_000_000n }
  collect(trace(memorySource(memory, [packet]), memory, print), memory, slab)
  view.setUint32(slab.descriptors + descriptor.verdict, 4 | (7 << 8), true)
  trace(nullSink(memory), memory, print).write(slab, 1, everyPacket)
  assert.deepEqual(lines, [
    '#0 1.500000000 dev 2 60 of 90 B llc',
    '#0 1.500000000 dev 2 60 of 90 B llc redirect(7)',
  ])
})

test('packets in a few words', () => {
  const macs = '010203040506 0a0b0c0d0e0f'
  const ipv4 = '45000028 00004000 40060000 0a000001 c0a80002 1f90 0050'
  assert.equal(packetText(frame(`${macs} 0800 ${ipv4}`)), 'tcp 10.0.0.1:8080 > 192.168.0.2:80')
  assert.equal(
    packetText(frame(`${macs} 8100 0064 0800 ${ipv4}`)),
    'vlan 100 tcp 10.0.0.1:8080 > 192.168.0.2:80',
  )
  const fragment = ipv4.replace('00004000', '00000001')
  assert.equal(packetText(frame(`${macs} 0800 ${fragment}`)), 'tcp 10.0.0.1 > 192.168.0.2 fragment')
  const ipv6 = '60000000 0000 3a40 20010db8000000000000000000000001 00000000000000000000000000000000'
  assert.equal(packetText(frame(`${macs} 86dd ${ipv6}`)), 'icmpv6 [2001:db8::1] > [::]')
  assert.equal(packetText(frame(`${macs} 0806`)), 'arp')
  assert.equal(packetText(frame(`${macs} 0800 45`)), 'ipv4, short')
  assert.equal(packetText(frame('0102')), 'short')
})
