import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  capacityFormula,
  frameBytes,
  headerBytes,
  headroomFormula,
  maxWorkers,
  maxWorkersInHeadroom,
} from './capacity.js'

test("the paper's item sizes give the paper's workers", () => {
  const table1 = [
    { program: 'DDoS mitigator', item: 4, frame: 192, workers: 14 },
    { program: 'heavy hitter', item: 18, frame: 192, workers: 7 },
    { program: 'connection tracker', item: 30, frame: 256, workers: 7 },
    { program: 'token bucket', item: 18, frame: 192, workers: 7 },
    { program: 'port knocking', item: 8, frame: 192, workers: 14 },
  ]
  for (const { program, item, frame, workers } of table1)
    assert.equal(maxWorkers(frame, item), workers, program)
})

test('7 workers with 30 bytes fill 256 exactly', () => {
  assert.equal(frameBytes(7, 30), 256)
  assert.equal(maxWorkers(256, 31), 6)
})

test('properties take room, an empty item takes none', () => {
  assert.equal(maxWorkers(256, 30, { timestamp: true }), 6)
  assert.equal(maxWorkers(256, 29, { timestamp: true }), 7)
  assert.equal(maxWorkers(192, 0), 14)
  assert.equal(maxWorkers(60, 4), 0)
})

test('the formula in words', () => {
  assert.equal(
    capacityFormula(5, { timestamp: true }),
    '14 outer Ethernet + 7 header + ⌈(n − 1) / 8⌉ effect bits + 6 packet properties + (n − 1) × 5 items + ' +
      '54 original headers ≤ frame, n ≤ 14',
  )
})

test('the headroom of XDP, 216 bytes, serves as many workers as their items fit', () => {
  for (const [item, properties] of [
    [4, {}],
    [8, {}],
    [18, { timestamp: true }],
    [30, { timestamp: true }],
  ] as const) {
    const n = maxWorkersInHeadroom(item, properties)
    assert.ok(headerBytes(n, item, properties) <= 216)
    assert.ok(headerBytes(n + 1, item, properties) > 216)
  }
  assert.equal(maxWorkersInHeadroom(0), 64)
  assert.equal(
    headroomFormula(18, { timestamp: true }),
    '7 header + ⌈(n − 1) / 8⌉ effect bits + 6 packet properties + (n − 1) × 18 items ≤ ' +
      '256 headroom − 40 struct xdp_frame, n ≤ 64',
  )
})
