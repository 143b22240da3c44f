import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explore } from './explore.js'
import { lossyHandoverModel } from './lossy-handover.js'
import type { LossyHandovers } from './lossy-handover.js'

const sound: readonly LossyHandovers[] = [
  { workers: 2, packets: 4, promotions: 1, kept: 2 },
  { workers: 2, packets: 4, promotions: 2, kept: 1 },
  { workers: 3, packets: 3, promotions: 1, kept: 2 },
  { workers: 2, packets: 5, promotions: 2, kept: 0, waits: true },
  { workers: 3, packets: 4, promotions: 1, kept: 0, waits: true },
]

const faulty: readonly (readonly [LossyHandovers, RegExp])[] = [
  // The owner misses a packet whose item the others get with the value.
  [{ workers: 2, packets: 4, promotions: 1, kept: 2, variant: 'no history' }, /another state/],
  [{ workers: 2, packets: 2, promotions: 1, kept: 2, variant: 'once' }, /no end/],
  [{ workers: 2, packets: 3, promotions: 1, kept: 2, variant: 'early' }, /another state/],
  [{ workers: 2, packets: 2, promotions: 1, kept: 0, waits: true, variant: 'once' }, /no end/],
  [{ workers: 2, packets: 4, promotions: 2, kept: 1, variant: 'any value' }, /another state/],
  // The new owner misses what the others had.
  [{ workers: 2, packets: 4, promotions: 1, kept: 2, variant: 'bare' }, /another state/],
]

const name = ({ workers, packets, promotions, kept, waits, variant }: LossyHandovers): string =>
  `${workers} workers, ${packets} packets, any frame lost, ${promotions} times heavy, ${waits ? 'packets wait' : `${kept} kept`}` +
  (variant ? `, ${variant}` : '')

for (const shape of sound)
  test(`${name(shape)}: workers agree, and the end can always be reached`, t => {
    const { states, transitions, ends, fault } = explore(lossyHandoverModel(shape))
    t.diagnostic(`${name(shape)}: ${states} states, ${transitions} transitions, ${ends} ends`)
    assert.equal(fault, undefined, `${fault?.what}\n  ${fault?.trace.join('\n  ')}`)
    assert.ok(ends > 0)
  })

for (const [shape, expected] of faulty)
  test(`${name(shape)}: goes wrong`, () => {
    const { fault } = explore(lossyHandoverModel(shape))
    assert.match(fault?.what ?? 'nothing found', expected)
  })
