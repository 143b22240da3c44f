import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { makeRecord, mergeRecords, readCapture } from './capture.js'
import type { Capture } from './capture.js'
import { DEMO_KNOCKERS, DEMO_PACKETS, DEMO_SERVER } from './demo.js'
import { isAdded, mergeKnocking, withoutKnocking } from './knocking.js'
import { fillRecords, pcapHeader } from './pcapfile.js'
import { checksum, parseFrame } from './testing.js'
import { makeTrace } from './trace.js'
import { TraceError } from './specification.js'

const demo = new Uint8Array(readFileSync(new URL('../../../programs/demo/knocking.pcap', import.meta.url)))

function capture(file: Uint8Array): Capture {
  const read = readCapture(file)
  if ('problem' in read) assert.fail(read.problem)
  return read
}

function smallPcap(): Uint8Array {
  const buffer = new Uint8Array(1 << 20)
  const trace = makeTrace({ law: 'uniform', flows: 3, rate: 50 })
  const length = fillRecords(trace, buffer)
  return new Uint8Array(Buffer.concat([pcapHeader(0), buffer.subarray(0, length)]))
}

test('the bundled demo capture is what its README says', () => {
  const { records } = capture(demo)
  assert.equal(records.length, 850)
  assert.equal(records.filter(isAdded).length, 94)
  const original = withoutKnocking(demo)
  assert.equal(capture(original).records.length, DEMO_PACKETS)
  assert.deepEqual(mergeKnocking(original, DEMO_SERVER, DEMO_KNOCKERS), demo)
  assert.ok(demo.length <= 300_000)
})

test('merged packets knock in the stated order, with right checksums', () => {
  const added = capture(demo).records.filter(isAdded)
  const frames = added.map(record => parseFrame(record.bytes.subarray(16), record.bytes.length - 16, 0))
  const ports = (source: string) =>
    frames.filter(frame => frame.source === source).map(frame => frame.destinationPort)
  assert.deepEqual(ports('198.51.100.7').slice(0, 6), [22, 7001, 7002, 7003, 22, 22])
  assert.deepEqual(ports('203.0.113.9'), [7001, 7003, 7002, 22, 22, 22])
  assert.deepEqual(ports('198.51.100.23').slice(0, 5), [443, 7001, 7002, 7003, 443])
  for (const frame of frames) {
    assert.equal(checksum([frame.ipHeader]), 0)
    assert.equal(checksum([frame.pseudoHeader, frame.segment]), 0)
  }
})

test('times ascend after merging', () => {
  const times = capture(demo).records.map(record => record.time)
  assert.ok(times.every((time, i) => i === 0 || time >= times[i - 1]))
})

test('every pcap byte order and resolution comes out as it went in', () => {
  const little = smallPcap()
  for (const littleEndian of [true, false]) {
    for (const nanoseconds of [true, false]) {
      const source = capture(little)
      const header = new Uint8Array(source.header)
      const view = new DataView(header.buffer)
      view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, littleEndian)
      view.setUint32(20, 1, littleEndian)
      const target = { ...source, littleEndian, nanoseconds, header }
      const records = source.records.map(r =>
        makeRecord(target, r.time, r.bytes.subarray(16), r.bytes.length - 16),
      )
      const file = mergeRecords({ ...target, records }, [])
      const again = capture(file)
      assert.deepEqual(
        [again.littleEndian, again.nanoseconds, again.linkType],
        [littleEndian, nanoseconds, 1],
      )
      const unit = nanoseconds ? 1n : 1000n
      assert.deepEqual(
        again.records.map(r => r.time),
        source.records.map(r => (r.time / unit) * unit),
      )
      const merged = mergeKnocking(file, '10.0.0.1', [{ source: '192.0.2.1', start: 1, service: 22 }])
      assert.equal(capture(merged).records.length, source.records.length + 36)
    }
  }
})

test('files that cannot be taken are named, cut ones give what is whole', () => {
  assert.ok('problem' in readCapture(new Uint8Array(10)))
  assert.ok('problem' in readCapture(new Uint8Array(100)))
  const whole = capture(demo).records.length
  assert.equal(capture(demo.subarray(0, demo.length - 1)).records.length, whole - 1)
  assert.equal(capture(demo.subarray(0, 24)).records.length, 0)
  const cooked = new Uint8Array(demo)
  cooked[20] = 113
  const knocker = { source: '192.0.2.1', start: 0, service: 22 }
  assert.throws(() => mergeKnocking(cooked, '10.0.0.1', [knocker]), /link type 113/)
  assert.throws(() => mergeKnocking(demo, '10.0.0', [knocker]), TraceError)
  assert.throws(() => mergeKnocking(demo.subarray(0, 24), '10.0.0.1', [knocker]), /no packets/)
})
