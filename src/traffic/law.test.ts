import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evenly, laws, meanSize, quantile } from './law.js'
import * as tables from './tables.js'

test('a law passes through its published points and is logarithmic between them', () => {
  for (const law of Object.values(laws)) {
    for (const part of law.parts) {
      for (const [share, size] of part.points) {
        // Where several shares have one size, or one share opens the table, the point is met as well.
        assert.ok(Math.abs(quantile(part, share) - size) <= size * 1e-9, `${law.name} ${share}`)
      }
    }
  }
  const part = laws['university-1'].parts[0]
  assert.equal(quantile(part, 0), 68)
  const middle = quantile(part, 0.995)
  assert.ok(Math.abs(middle - Math.sqrt(114040 * 86684378)) < 1, `${middle}`)
})

test('tables ascend and end at one', () => {
  const all = [
    tables.EDU1,
    tables.EDU2,
    tables.CAIDA_TCP,
    tables.CAIDA_UDP,
    tables.DCTCP,
    tables.VL2,
    tables.HADOOP,
  ]
  for (const points of [...all, tables.CAMPUS_TCP, tables.CAMPUS_UDP]) {
    assert.equal(points[points.length - 1][0], 1)
    for (let i = 1; i < points.length; i++) {
      assert.ok(points[i][0] > points[i - 1][0] && points[i][1] >= points[i - 1][1], `${points[i]}`)
    }
  }
})

test('means agree with those computed elsewhere from the same tables', () => {
  const published = {
    'university-1': 133_741,
    'university-2': 577_658,
    'web-search': 1_597_201,
    'data-mining': 8_736_822,
  }
  for (const [name, mean] of Object.entries(published)) {
    const ours = meanSize(laws[name].parts[0])
    assert.ok(Math.abs(ours / mean - 1) < 0.05, `${name}: ${ours} for ${mean}`)
  }
})

test('an even law draws each integer alike', () => {
  const part = evenly('tcp', 'packets', 2, 5)
  const counts = new Map<number, number>()
  for (let i = 0; i < 4000; i++) {
    const size = Math.ceil(quantile(part, (i + 0.5) / 4000))
    counts.set(size, (counts.get(size) ?? 0) + 1)
  }
  assert.deepEqual([...counts].toSorted(), [[2, 1000], [3, 1000], [4, 1000], [5, 1000]]) // prettier-ignore
  assert.equal(quantile(evenly('tcp', 'packets', 7, 7), 0.3), 7)
})
