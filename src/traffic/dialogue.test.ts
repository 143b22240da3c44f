import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTrace } from './testing.js'
import type { ParsedFrame } from './testing.js'
import type { TraceSpecification } from './specification.js'

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16]

function conversations(specification: TraceSpecification): Map<string, ParsedFrame[]> {
  const flows = new Map<string, ParsedFrame[]>()
  for (const frame of readTrace(specification, 100)) {
    const there = `${frame.source}|${frame.sourcePort} ${frame.destination}|${frame.destinationPort}`
    const back = `${frame.destination}|${frame.destinationPort} ${frame.source}|${frame.sourcePort}`
    const flow = flows.get(there) ?? flows.get(back)
    if (flow) flow.push(frame)
    else flows.set(there, [frame])
  }
  return flows
}

/** A TCP endpoint pair that believes nothing: every number must be the one that follows from what was said before. */
function checkConversation(flow: readonly ParsedFrame[]): void {
  const client = flow[0].source + flow[0].sourcePort
  const next = [0, 0]
  const opened = [false, false]
  const closed = [false, false]
  let reset = false
  for (const [i, frame] of flow.entries()) {
    const side = frame.source + frame.sourcePort === client ? 0 : 1
    const has = (flag: number) => (frame.flags & flag) !== 0
    assert.ok(!reset, 'nothing after RST')
    if (has(RST)) {
      reset = true
      assert.equal(frame.acknowledgement, next[1 - side])
      continue
    }
    if (has(SYN)) {
      assert.equal(has(ACK), side === 1)
      assert.ok(!opened[side] || (side === 0 && !opened[1]), 'SYN once, but for a retransmission')
      if (opened[side]) assert.equal((frame.sequence + 1) >>> 0, next[side])
      opened[side] = true
      next[side] = (frame.sequence + 1) >>> 0
      assert.equal(frame.payload, 0)
    } else {
      assert.ok(opened[0] && opened[1], `handshake before packet ${i}`)
      assert.equal(frame.sequence, next[side], `sequence of packet ${i}`)
      if (frame.payload > 0) assert.ok(!closed[side])
      next[side] = (next[side] + frame.payload + (has(FIN) ? 1 : 0)) >>> 0
      if (has(FIN)) closed[side] = true
    }
    if (has(ACK)) assert.equal(frame.acknowledgement, next[1 - side], `acknowledgement of packet ${i}`)
    else assert.equal(frame.acknowledgement, 0)
  }
  assert.ok(reset || (closed[0] && closed[1]), 'every flow ends')
  const last = flow[flow.length - 1]
  if (!reset) assert.equal(last.acknowledgement, next[last.source + last.sourcePort === client ? 1 : 0])
}

test('every TCP flow is a correct dialogue from SYN to FIN or RST', () => {
  for (const seed of [1, 2, 3]) {
    for (const law of ['university-1', 'campus', 'backbone']) {
      const flows = conversations({
        law,
        flows: 400,
        packets: 12_000,
        ipv6: 0.2,
        resets: 0.2,
        knockers: 3,
        seed,
      })
      for (const flow of flows.values()) if (flow[0].protocol === 6) checkConversation(flow)
    }
  }
})

test('TCP flows of every length are possible and have exactly that length', () => {
  for (let packets = 2; packets < 40; packets++) {
    for (const [up, resets] of [
      [0, 0],
      [0.2, 0],
      [0.5, 1],
      [1, 0],
    ]) {
      const law = { unit: 'packets', uniform: [packets, packets] } as const
      const flows = conversations({ law, flows: 3, up, resets, payload: 100 })
      assert.equal(flows.size, 3)
      for (const flow of flows.values()) {
        assert.equal(flow.length, packets)
        checkConversation(flow)
        const data = flow.filter(frame => frame.payload > 0).length
        const pure = flow.filter(
          frame => frame.payload === 0 && (frame.flags & (SYN | FIN | RST)) === 0,
        ).length
        const opening = packets >= 4 ? 1 : 0
        const closing = (flow[flow.length - 1].flags & RST) === 0 ? 1 : 0
        const finAck = packets > 6 && closing ? 1 : 0
        const acknowledgements = pure - opening - closing - finAck
        assert.ok(
          acknowledgements >= data >> 1 && acknowledgements <= (data >> 1) + 1,
          `${packets}: ${data} data, ${acknowledgements}`,
        )
      }
    }
  }
})

test('both sides send data, in the given shares', () => {
  const flows = conversations({
    law: { unit: 'bytes', uniform: [50_000, 60_000] },
    flows: 50,
    up: 0.3,
    resets: 0,
  })
  for (const flow of flows.values()) {
    const sent = [0, 0]
    for (const frame of flow) if (frame.payload > 0) sent[frame.source === flow[0].source ? 0 : 1]++
    assert.ok(Math.abs(sent[0] / (sent[0] + sent[1]) - 0.3) < 0.05)
  }
})

test('a flow carries the bytes that its law gives', () => {
  for (const bytes of [1, 2, 3, 447, 1460, 1461, 2921, 100_000]) {
    const flows = conversations({ law: { unit: 'bytes', uniform: [bytes, bytes] }, flows: 2 })
    for (const flow of flows.values())
      assert.equal(
        flow.reduce((sum, frame) => sum + frame.payload, 0),
        bytes,
      )
    const datagrams = conversations({ law: { unit: 'bytes', uniform: [bytes, bytes] }, flows: 2, udp: 1 })
    for (const flow of datagrams.values()) {
      assert.equal(
        flow.reduce((sum, frame) => sum + frame.payload, 0),
        bytes,
      )
      assert.equal(flow.length, Math.ceil(bytes / 1460))
    }
  }
})

test('UDP flows begin with the client and share packets as told', () => {
  for (const up of [0, 0.25, 1]) {
    const flows = conversations({ law: { unit: 'packets', uniform: [40, 40] }, flows: 20, udp: 1, up })
    for (const flow of flows.values()) {
      assert.ok(flow[0].destinationPort < 1024 || flow[0].source.startsWith('10.'))
      const sent = flow.filter(frame => frame.source === flow[0].source).length
      assert.ok(Math.abs(sent - Math.max(1, 40 * up)) <= 1, `${sent}`)
    }
  }
})

test('knockers knock in order, or in a wrong one and are refused', () => {
  const frames = readTrace({ law: 'uniform', flows: 20, knockers: 6, wrongKnocks: 0.5 }, 100)
  const knockers = new Map<string, ParsedFrame[]>()
  for (const frame of frames) {
    if (!frame.source.startsWith('192.0.2.')) continue
    knockers.set(frame.source, [...(knockers.get(frame.source) ?? []), frame])
  }
  assert.equal(knockers.size, 6)
  const orders = [...knockers.values()].map(sent => {
    const ports = sent.map(frame => frame.destinationPort)
    assert.deepEqual(ports.slice(0, 3).toSorted(), [7001, 7002, 7003])
    assert.ok(ports.slice(3).every(port => port === 22))
    return `${ports.slice(0, 3).join()} ${sent.length > 5 ? 'session' : 'refused'}`
  })
  const expected = ['7001,7002,7003 session', '7001,7003,7002 refused']
  assert.deepEqual(
    orders.toSorted(),
    expected.flatMap(order => [order, order, order]),
  )
})

test('IPv4 identifications count up on each side', () => {
  const flows = conversations({ law: 'uniform', flows: 5 })
  for (const flow of flows.values()) {
    const sides = new Map<string, number>()
    for (const frame of flow) {
      const before = sides.get(frame.source)
      if (before !== undefined) assert.equal(frame.identification, (before + 1) & 0xffff)
      sides.set(frame.source, frame.identification)
    }
  }
})
