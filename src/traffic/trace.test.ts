import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { checksum, readTrace } from './testing.js'
import type { ParsedFrame } from './testing.js'
import { DESCRIPTOR_BYTES, makeTrace } from './trace.js'
import type { TraceSpecification } from './specification.js'

const mixed: TraceSpecification = {
  law: 'university-1',
  flows: 300,
  packets: 8000,
  active: 40,
  ipv6: 0.3,
  udp: 0.2,
  resets: 0.2,
  knockers: 4,
  seed: 11,
}

function hashOf(specification: TraceSpecification, regionBytes: number): string {
  const trace = makeTrace(specification)
  const hash = createHash('sha256')
  const region = new Uint8Array(regionBytes)
  const descriptors = new Uint8Array(DESCRIPTOR_BYTES)
  while (trace.writeTo(region, descriptors, 1) === 1) {
    hash.update(descriptors.subarray(4))
    hash.update(region.subarray(0, trace.captured))
  }
  assert.ok(trace.finished)
  return hash.digest('hex')
}

test('the same seed gives the same bytes, another seed others', () => {
  assert.equal(hashOf(mixed, 2048), hashOf({ ...mixed }, 4096))
  assert.notEqual(hashOf(mixed, 2048), hashOf({ ...mixed, seed: 12 }, 2048))
})

test('the bytes are those of every other machine and of the versions before', () => {
  // A change here changes every trace that a record names by its specification: say so in the change log.
  const hash = hashOf(
    { law: 'backbone', flows: 500, packets: 5000, ipv6: 0.1, elephant: 0.1, arrival: 'poisson' },
    2048,
  )
  assert.equal(hash, 'ec9cddf9afd996c55c7dda290813d0b1e2100e346ed8b0733f5c1ea842843c30')
})

test('packets do not depend on how many are fetched at once', () => {
  const one = readTrace(mixed, 1)
  const many = readTrace(mixed, 997)
  assert.equal(one.length, 8000)
  assert.deepEqual(one, many)
})

test('exactly the packets and flows that were asked for', () => {
  const cases: TraceSpecification[] = [
    mixed,
    { law: 'uniform', flows: 1000, packets: 12_345 },
    { law: 'campus', packets: 10_000, elephant: 0.4, flood: 0.1 },
    { law: 'backbone', flows: 500, packets: 9000, flood: 0.2, floodKind: 'udp' },
    { law: 'single', packets: 777 },
    { law: 'uniform', flows: 2, knockers: 40, active: 3 },
    { law: 'uniform', flows: 1, packets: 50, elephant: 0.001 },
    { law: { unit: 'bytes', uniform: [100, 30_000] }, flows: 200, knockers: 3, elephant: 0.2, flood: 0.1 },
  ]
  for (const specification of cases) {
    const trace = makeTrace(specification)
    const frames = readTrace(specification, 512)
    assert.equal(frames.length, trace.packets)
    if (specification.packets) assert.equal(trace.packets, specification.packets)
    const keys = new Set(frames.filter(f => !isFlood(f)).map(flowKey))
    const knockers = specification.knockers ?? 0
    const knocks = frames.filter(f => f.destinationPort >= 7001 && f.destinationPort <= 7003).length
    assert.equal(knocks, 3 * knockers)
    // Each knock has a 5-tuple of its own.
    assert.equal(keys.size, trace.flows + knocks)
    const elephants = specification.elephant ?? 0
    if (specification.flows)
      assert.equal(trace.flows, specification.flows + knockers + (elephants > 0 ? 1 : 0))
    const flooded = frames.filter(isFlood).length
    const share = specification.flood ?? 0
    assert.ok(Math.abs(flooded - share * trace.packets) <= 1, `${flooded} of ${trace.packets}`)
  }
})

function isFlood(frame: ParsedFrame): boolean {
  return frame.source.startsWith('100.')
}

function flowKey(frame: ParsedFrame): string {
  const ends = [`${frame.source}|${frame.sourcePort}`, `${frame.destination}|${frame.destinationPort}`]
  return `${frame.protocol} ${ends.toSorted().join(' ')}`
}

test('checksums are right and lengths agree', () => {
  for (const specification of [
    mixed,
    { ...mixed, frameLimit: 192 },
    { ...mixed, segment: 8900, frameMinimum: 60 },
  ]) {
    for (const frame of readTrace(specification, 100)) {
      assert.equal(frame.captured, frame.length)
      assert.ok(frame.length >= (specification.frameMinimum ?? 64))
      if (specification.frameLimit) assert.ok(frame.length <= 192)
      if (frame.version === 4) assert.equal(checksum([frame.ipHeader]), 0)
      assert.equal(checksum([frame.pseudoHeader, frame.segment]), 0)
      assert.ok(
        frame.bytes.subarray(frame.end).every(byte => byte === 0),
        'padding',
      )
      assert.ok(frame.end === frame.length || frame.length === (specification.frameMinimum ?? 64))
    }
  }
})

test('snap keeps the beginning of the same packets', () => {
  const whole = readTrace(mixed, 100)
  const cut = readTrace({ ...mixed, snap: 96 }, 100)
  for (const [i, frame] of cut.entries()) {
    assert.equal(frame.captured, Math.min(96, whole[i].length))
    assert.equal(frame.length, whole[i].length)
    assert.deepEqual(frame.bytes, whole[i].bytes.subarray(0, frame.captured))
    assert.equal(frame.time, whole[i].time)
  }
})

test('times ascend at the given rate', () => {
  const constant = readTrace({ ...mixed, rate: 14_880_952 }, 100)
  for (const [i, frame] of constant.entries()) assert.equal(frame.time, Math.round((i * 1e9) / 14_880_952))
  const poisson = readTrace({ ...mixed, rate: 1000, arrival: 'poisson' }, 100)
  const gaps = poisson.slice(1).map((frame, i) => frame.time - poisson[i].time)
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  assert.ok(Math.abs(mean - 1e6) < 5e4, `${mean}`)
  const longerThanMean = gaps.filter(gap => gap > 1e6).length / gaps.length
  assert.ok(Math.abs(longerThanMean - Math.exp(-1)) < 0.03, `${longerThanMean}`)
})

test('descriptors lie in the region and packets do not overlap', () => {
  const memory = new Uint8Array(new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }).buffer)
  const region = memory.subarray(4096, 4096 + 300_000)
  const descriptors = new Uint8Array(DESCRIPTOR_BYTES * 500)
  const trace = makeTrace(mixed)
  const count = trace.writeTo(region, descriptors)
  assert.ok(count > 100 && count <= 500)
  const view = new DataView(descriptors.buffer)
  let end = 4096
  for (let i = 0; i < count; i++) {
    const address = view.getUint32(i * 32, true)
    assert.ok(address >= end && address % 16 === 0)
    end = address + view.getUint32(i * 32 + 4, true)
    assert.equal(view.getUint32(i * 32 + 12, true), 0)
    assert.equal(view.getBigUint64(i * 32 + 16, true), BigInt(i * 1000))
    assert.equal(view.getBigUint64(i * 32 + 24, true), 0n)
  }
  assert.equal(end, 4096 + trace.used)
  assert.ok(end <= 4096 + 300_000)
})

test('memory is bounded by the flows under way', () => {
  const frames = readTrace({ law: 'uniform', flows: 500, packets: 10_000, active: 7 }, 100)
  const open = new Set<string>()
  let most = 0
  const remaining = new Map<string, number>()
  for (const frame of frames) remaining.set(flowKey(frame), (remaining.get(flowKey(frame)) ?? 0) + 1)
  for (const frame of frames) {
    const key = flowKey(frame)
    open.add(key)
    most = Math.max(most, open.size)
    remaining.set(key, (remaining.get(key) ?? 0) - 1)
    if (remaining.get(key) === 0) open.delete(key)
  }
  assert.equal(most, 7)
})

test('large flows last from near the beginning to near the end', () => {
  const frames = readTrace({ law: 'university-2', flows: 1000, packets: 40_000, active: 64 }, 1000)
  const counts = new Map<string, number>()
  for (const frame of frames) counts.set(flowKey(frame), (counts.get(flowKey(frame)) ?? 0) + 1)
  const [top] = [...counts].toSorted((a, b) => b[1] - a[1])
  const places = frames.flatMap((frame, i) => (flowKey(frame) === top[0] ? [i] : []))
  assert.ok(places[0] < 8000, `first at ${places[0]}`)
  assert.ok(
    places[Math.floor(places.length / 2)] > 8000,
    `middle at ${places[Math.floor(places.length / 2)]}`,
  )
  const lastTenth = frames.slice(-4000).map(flowKey)
  assert.ok(new Set(lastTenth).size > 10, `${new Set(lastTenth).size} flows in the last tenth`)
})
