import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explore } from './explore.js'
import { recoveryModel } from './recovery.js'
import type { Shape } from './recovery.js'

const roomy = { entries: 16, unsettled: 5 }
const tight = { entries: 6, unsettled: 3 }

/** The algorithm as it is built: nothing wrong is ever reached, and the end always can be. */
const sound: readonly Shape[] = [
  { workers: 2, packets: 5, ...roomy },
  { workers: 3, packets: 5, ...roomy, coarse: true },
  { workers: 4, packets: 3, ...roomy, coarse: true },
  // The log wraps and numbers are lost in it: a worker gives up, but never goes wrong.
  { workers: 2, packets: 7, ...tight },
  { workers: 2, packets: 8, ...tight, skew: 1 },
  // All workers take turns on one CPU, a frame at a time: nobody waits for one that cannot run.
  { workers: 2, packets: 7, ...roomy, oneCpu: true },
  { workers: 3, packets: 5, ...tight, oneCpu: true },
  // As in the kernel: a frame has a worker look at so many numbers, and no more.
  { workers: 2, packets: 7, ...tight, most: 1 },
  { workers: 3, packets: 5, ...roomy, coarse: true, most: 2 },
  { workers: 3, packets: 5, ...tight, oneCpu: true, most: 1 },
]

/** What goes wrong if it is done otherwise, the paper's pseudo-code as printed included. */
const faulty: readonly (readonly [Shape, RegExp])[] = [
  // A waiter waits for ever for a worker that gets no further packet.
  [{ workers: 2, packets: 5, ...roomy, variant: 'printed without flush' }, /no end can be reached/],
  // A waiter that never leaves the CPU starves the worker it waits for.
  [{ workers: 2, packets: 5, ...roomy, variant: 'printed', oneCpu: true }, /no end can be reached/],
  // A finite log that nobody guards: an entry is written again before the slowest has read it.
  [{ workers: 2, packets: 5, entries: 4, unsettled: 3, variant: 'printed' }, /survived|different|taken for/],
  // An item is copied while it is written again.
  [{ workers: 2, packets: 8, ...tight, variant: 'unchecked' }, /not what it was taken for/],
  [{ workers: 2, packets: 4, ...roomy, variant: 'early' }, /not what it was taken for/],
]

const name = ({ workers, packets, entries, skew, most, oneCpu, variant }: Shape): string =>
  `${variant ?? 'as built'}, ${workers} workers, ${packets} packets, ${entries} entries` +
  `${skew ? `, at most ${skew} apart` : ''}${most ? `, ${most} at a frame` : ''}${oneCpu ? ', one CPU' : ''}`

for (const shape of sound)
  test(`${name(shape)}: safe, and without deadlock`, t => {
    const { states, transitions, ends, fault } = explore(recoveryModel(shape))
    t.diagnostic(`${name(shape)}: ${states} states, ${transitions} transitions, ${ends} ends`)
    assert.equal(fault, undefined, `${fault?.what}\n  ${fault?.trace.join('\n  ')}`)
    assert.ok(ends > 0)
  })

for (const [shape, expected] of faulty)
  test(`${name(shape)}: goes wrong`, () => {
    const { fault } = explore(recoveryModel(shape))
    assert.match(fault?.what ?? 'nothing found', expected)
  })

test('the algorithm as printed is right where it says it is: endless logs, a CPU for everybody, packets for all', () => {
  const { fault, ends } = explore(recoveryModel({ workers: 2, packets: 5, ...roomy, variant: 'printed' }))
  assert.equal(fault, undefined)
  assert.ok(ends > 0)
})
