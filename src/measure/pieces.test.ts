import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectPieces, sumOfQuartiles, undisturbed } from './pieces.js'

test('what disturbs some slabs of every round is in no slab’s time', () => {
  const quiet = [3, 1, 2, 5]
  // Each round has another slab of four disturbed, and its sum is never the quiet one.
  const rounds = quiet.map((_, k) => quiet.map((time, i) => (i === k ? time * 10 : time)))
  assert.equal(sumOfQuartiles(rounds), 11)
  assert.ok(rounds.every(round => round.reduce((a, b) => a + b) > 11))
})

test('it is a quartile and not the least', () => {
  assert.equal(sumOfQuartiles([[1], [2], [2], [2], [2]]), 2)
})

test('pieces are kept by who did them, and must be the same in every round', () => {
  const round = (times: readonly number[]) => {
    const { worked, pieces } = collectPieces()
    worked('sequencer', 7)
    for (const time of times) worked(1, time)
    return pieces
  }
  const rounds = [round([1, 2]), round([1, 2]), round([4, 2])]
  assert.deepEqual([undisturbed(rounds, 1), undisturbed(rounds, 'sequencer')], [3, 7])
  assert.equal(undisturbed(rounds, 0), 0)
  assert.throws(() => undisturbed([round([1]), round([1, 2])], 1), /different pieces/)
})
