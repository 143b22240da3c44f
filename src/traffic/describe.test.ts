import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeTrace } from './describe.js'
import { laws, quantile } from './law.js'
import { readTrace } from './testing.js'
import type { TraceSpecification } from './specification.js'

test('the description is true of the packets', () => {
  const specification: TraceSpecification = {
    law: 'campus',
    packets: 20_000,
    flood: 0.1,
    elephant: 0.15,
    knockers: 4,
  }
  const told = describeTrace(specification)
  const frames = readTrace(specification, 1000)
  assert.equal(told.packets.all, frames.length)
  const counts = new Map<string, number>()
  let payload = 0
  let flood = 0
  for (const frame of frames) {
    const isKnock = frame.source.startsWith('192.0.2') || frame.destination.startsWith('192.0.2')
    if (frame.source.startsWith('100.')) {
      flood++
      continue
    }
    payload += frame.payload
    const ends = [`${frame.source} ${frame.sourcePort}`, `${frame.destination} ${frame.destinationPort}`]
    const knocker = frame.source.startsWith('192') ? frame.source : frame.destination
    const key = isKnock ? knocker : `${frame.protocol} ${ends.toSorted().join()}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const sizes = [...counts.values()].toSorted((a, b) => b - a)
  assert.equal(told.packets.flood, flood)
  assert.equal(told.flows.all, sizes.length)
  assert.equal(told.flows.knockers, 4)
  assert.equal(told.packets.tcp + told.packets.udp + flood, frames.length)
  assert.equal(told.packetShares.top, sizes[0] / frames.length)
  assert.equal(told.packetShares.topTen, sizes.slice(0, 10).reduce((a, b) => a + b, 0) / frames.length)
  assert.equal(told.underTenPackets, sizes.filter(size => size < 10).length / sizes.length)
  assert.equal(told.payloadBytes, payload)
  assert.equal(told.packetsPerFlow.max, sizes[0])
})

test('drawn sizes keep the published quantiles', () => {
  for (const name of ['university-1', 'university-2', 'web-search', 'data-mining', 'hadoop']) {
    const told = describeTrace({ law: name, flows: 20_000 })
    const part = laws[name].parts[0]
    assert.ok(Math.abs(told.bytesPerFlow.p50 / quantile(part, 0.5) - 1) < 0.03, `${name} p50`)
    assert.ok(Math.abs(told.bytesPerFlow.p90 / quantile(part, 0.9) - 1) < 0.03, `${name} p90`)
    assert.ok(Math.abs(told.bytesPerFlow.p99 / quantile(part, 0.99) - 1) < 0.1, `${name} p99`)
  }
})

test('the skew is that of the law: share of the largest hundredth of the flows', () => {
  // By closed form: a segment of the law from size x to size y has the mean (y - x) / ln(y / x).
  const expected = { 'university-1': 0.976, 'university-2': 0.981, 'web-search': 0.157, 'data-mining': 0.68 }
  for (const [name, share] of Object.entries(expected)) {
    const told = describeTrace({ law: name, flows: 50_000 })
    assert.ok(
      Math.abs(told.byteShares.topHundredth / share - 1) < 0.02,
      `${name}: ${told.byteShares.topHundredth}`,
    )
  }
})

test('the campus law gives the measured shares of short flows', () => {
  const told = describeTrace({ law: 'campus', flows: 50_000 })
  const upTo8 = 0.8335
  const upTo16 = 0.9005
  assert.ok(told.underTenPackets > upTo8 - 0.005 && told.underTenPackets < upTo16, `${told.underTenPackets}`)
})

test('another seed gives another order but nearly the same skew', () => {
  const shares = [1, 2, 3, 4].map(seed =>
    describeTrace({ law: 'university-2', flows: 5000, packets: 500_000, seed }),
  )
  const tops = shares.map(told => told.packetShares.topTen)
  assert.ok(Math.max(...tops) / Math.min(...tops) < 1.15, `${tops}`)
  assert.ok(new Set(tops).size > 1)
})

test('the complementary distribution falls from all to none', () => {
  const { ccdf } = describeTrace({ law: 'backbone', flows: 3000 })
  for (let i = 1; i < ccdf.length; i++) assert.ok(ccdf[i][0] > ccdf[i - 1][0] && ccdf[i][1] < ccdf[i - 1][1])
  assert.ok(ccdf[ccdf.length - 1][1] === 0)
})
