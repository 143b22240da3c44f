import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from './random.js'
import { Turns } from './turns.js'

test('flows are chosen in proportion to their weights', () => {
  const weights = [1, 1, 1.5, 3, 40, 100, 100.5]
  const turns = new Turns(weights.length)
  for (const [slot, weight] of weights.entries()) turns.add(slot, weight)
  const random = new Random(1)
  const counts = weights.map(() => 0)
  const draws = 200_000
  for (let i = 0; i < draws; i++) counts[turns.choose(random)]++
  const all = weights.reduce((sum, weight) => sum + weight, 0)
  for (const [slot, weight] of weights.entries()) {
    const expected = (draws * weight) / all
    assert.ok(
      Math.abs(counts[slot] - expected) < 5 * Math.sqrt(expected),
      `${weight}: ${counts[slot]} of ${expected}`,
    )
  }
})

test('a removed flow has no more turns, its slot can be used again', () => {
  const turns = new Turns(100)
  const random = new Random(2)
  for (let slot = 0; slot < 100; slot++) turns.add(slot, 1 + slot)
  const gone = new Set<number>()
  while (turns.count > 0) {
    const slot = turns.choose(random)
    assert.ok(!gone.has(slot))
    turns.removeChosen()
    gone.add(slot)
  }
  assert.equal(gone.size, 100)
  turns.add(7, 1e30)
  turns.add(8, 0)
  assert.equal(turns.choose(random), 7)
})
