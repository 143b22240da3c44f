import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isolateQueue, rulesFor, stopMerging, undo, withoutQueues } from './isolate.js'
import { Card } from './testing.js'
import { parseMatch } from './match.js'
import type { Match } from './match.js'

const match = (text: string): Match => parseMatch(text) as Match

test('the places of a queue in the indirection table go to the others in turn', () => {
  assert.deepEqual(withoutQueues([0, 1, 2, 3, 0, 1, 2, 3], [2]), [0, 1, 0, 3, 0, 1, 1, 3])
  assert.deepEqual(withoutQueues([2, 2, 1], [2, 3]), [1, 1, 1])
  assert.equal(withoutQueues([2, 2], [2]), undefined)
})

test('rules say what the expression says, for each version of IP that it holds for', () => {
  assert.deepEqual(rulesFor(match('udp dst port 53'), 4), [
    { flow: 'udp4', queue: 4, destinationPort: 53 },
    { flow: 'udp6', queue: 4, destinationPort: 53 },
  ])
  assert.deepEqual(rulesFor(match('tcp src net 10.1.2.0/23'), 1), [
    {
      flow: 'tcp4',
      queue: 1,
      source: { bytes: Uint8Array.of(10, 1, 2, 0), mask: Uint8Array.of(255, 255, 254, 0) },
    },
  ])
  assert.deepEqual(rulesFor(match('icmp'), 0), [{ flow: 'ip4', queue: 0, protocol: 1 }])
  assert.equal(rulesFor(match('all'), 0), undefined)
})

test('a queue is isolated as one transaction, read back, and given back as it was', () => {
  const card = new Card()
  card.run(() => {
    const merging = stopMerging('eth3')
    assert.deepEqual([card.gro, card.lro], [false, false])
    const done = isolateQueue('eth3', 2, match('udp dst port 53'), false)
    assert.equal(done.steering, 'rules')
    assert.deepEqual(done.indirection, [0, 1, 0, 3, 0, 1, 1, 3])
    assert.deepEqual([card.table, card.ntuple, [...card.rules.keys()]], [done.indirection, true, [0, 1]])
    // UDP over IPv4, port 53 under a full mask, to queue 2.
    const rule = new DataView(card.rules.get(0)!.buffer)
    assert.deepEqual(
      [rule.getUint32(16, true), rule.getUint16(30), rule.getUint16(102), rule.getBigUint64(168, true)],
      [2, 53, 0xffff, 2n],
    )
    for (const step of [...done.undo, ...merging]) undo(step)
    assert.deepEqual([card.table, card.ntuple, card.rules.size], [[0, 1, 2, 3, 0, 1, 2, 3], false, 0])
    assert.deepEqual([card.gro, card.lro], [true, true])
  })
})

test('a card that has no room for the second rule, or that lies, is left as it was', () => {
  for (const [change, reason] of [
    [(card: Card) => (card.room = 1), /ENOSPC/],
    [(card: Card) => (card.lies = true), /shows queue 0/],
  ] as const) {
    const card = new Card()
    change(card)
    card.run(() => {
      assert.throws(() => isolateQueue('eth3', 2, match('udp dst port 53'), false), reason)
      assert.deepEqual([card.table, card.ntuple, card.rules.size], [[0, 1, 2, 3, 0, 1, 2, 3], false, 0])
    })
  }
})
