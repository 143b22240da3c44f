import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explore } from './explore.js'
import { handoverModel } from './handover.js'
import type { Handovers } from './handover.js'

const sound: readonly Handovers[] = [
  { form: 'barrier', workers: 2, packets: 7, promotions: 2, loss: true },
  { form: 'barrier', workers: 3, packets: 6, promotions: 2, loss: true },
  // Without barriers, over queues that lose nothing.
  { form: 'in band', workers: 2, packets: 6, promotions: 2 },
  { form: 'in band', workers: 3, packets: 5, promotions: 1 },
  // The sequencer gives up and tries again, while the value is still on its way.
  { form: 'in band', workers: 2, packets: 5, promotions: 3, kept: 1 },
  // With buckets that move, by the same requests.
  { form: 'in band', workers: 2, packets: 5, promotions: 2, moves: true },
  { form: 'in band', workers: 3, packets: 3, promotions: 2, moves: true },
]

const faulty: readonly (readonly [Handovers, RegExp])[] = [
  [{ form: 'barrier', workers: 2, packets: 4, promotions: 1, variant: 'no barrier' }, /another state/],
  // The value is as old as the request: what the owner got since then is missing elsewhere.
  [{ form: 'in band', workers: 2, packets: 4, promotions: 1, variant: 'nothing kept' }, /another state/],
  [{ form: 'in band', workers: 2, packets: 4, promotions: 1, variant: 'bare' }, /another state/],
  [
    { form: 'in band', workers: 2, packets: 5, promotions: 2, kept: 1, variant: 'any value' },
    /another state/,
  ],
  [{ form: 'in band', workers: 2, packets: 3, promotions: 1, moves: true, variant: 'both' }, /should not/],
  [
    { form: 'in band', workers: 2, packets: 4, promotions: 1, moves: true, variant: 'nothing kept' },
    /another state/,
  ],
  // Over queues that lose frames the in-band form as it stands is not enough: the value itself may be lost.
  [
    { form: 'in band', workers: 2, packets: 3, promotions: 1, loss: true },
    /another state|no end|should not|misses/,
  ],
]

const name = ({ form, workers, packets, promotions, loss, kept, moves, variant }: Handovers): string =>
  `${form}${variant ? `, ${variant}` : ''}, ${workers} workers, ${packets} packets, ${promotions} times heavy` +
  `${loss ? ', any frame lost' : ''}${kept ? `, ${kept} kept` : ''}${moves ? ', moving' : ''}`

for (const shape of sound)
  test(`${name(shape)}: every packet meets the state of the serial run`, t => {
    const { states, transitions, ends, fault } = explore(handoverModel(shape))
    t.diagnostic(`${name(shape)}: ${states} states, ${transitions} transitions, ${ends} ends`)
    assert.equal(fault, undefined, `${fault?.what}\n  ${fault?.trace.join('\n  ')}`)
    assert.ok(ends > 0)
  })

for (const [shape, expected] of faulty)
  test(`${name(shape)}: goes wrong`, () => {
    const { fault } = explore(handoverModel(shape))
    assert.match(fault?.what ?? 'nothing found', expected)
  })
