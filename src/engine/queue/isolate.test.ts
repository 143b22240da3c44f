import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errno } from '../../sys/errno.js'
import { withFakeKernel } from '../../sys/testing.js'
import { isolateQueue, rulesFor, stopMerging, undo, withoutQueues } from './isolate.js'
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

/** A card with 4 queues, an indirection table of 8, and room for rules, as ethtool sees it. */
class Card {
  table = [0, 1, 2, 3, 0, 1, 2, 3]
  readonly rules = new Map<number, Uint8Array>()
  ntuple = false
  gro = true
  lro = true
  /** Rules that it takes before it has no more room. */
  room = 10
  /** It takes a rule and has another queue in it. */
  lies = false

  run(body: () => void): void {
    let at: (address: bigint) => Uint8Array
    withFakeKernel(
      {
        other: {
          socket: () => 3,
          ioctl: (_, __, argument) => {
            const bytes = at(new DataView(argument.buffer).getBigUint64(16, true))
            return this.#answer(new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
          },
        },
      },
      fake => {
        at = address => fake.at(address)
        body()
      },
    )
  }

  #answer(v: DataView): number {
    const put = (offset: number, value: number): number => (v.setUint32(offset, value, true), 0)
    switch (v.getUint32(0, true)) {
      case 0x25:
        return put(4, (this.ntuple ? 1 << 27 : 0) | (this.lro ? 1 << 15 : 0))
      case 0x26:
        this.ntuple = (v.getUint32(4, true) & (1 << 27)) !== 0
        this.lro = (v.getUint32(4, true) & (1 << 15)) !== 0
        return 0
      case 0x2b:
        return put(4, this.gro ? 1 : 0)
      case 0x2c:
        this.gro = v.getUint32(4, true) !== 0
        return 0
      case 0x2e:
        v.setBigUint64(8, BigInt(this.room), true)
        return put(184, this.rules.size)
      case 0x2f: {
        const found = this.rules.get(v.getUint32(176, true))
        if (!found) return -errno.ENOENT
        new Uint8Array(v.buffer, v.byteOffset, 192).set(found)
        if (this.lies) v.setBigUint64(168, 0n, true)
        return 0
      }
      case 0x30:
        ;[...this.rules.keys()].forEach((location, k) => put(188 + 4 * k, location))
        return put(184, this.rules.size)
      case 0x31:
        return this.rules.delete(v.getUint32(176, true)) ? 0 : -errno.ENOENT
      case 0x32:
        if (this.rules.size === this.room) return -errno.ENOSPC
        this.rules.set(
          v.getUint32(176, true),
          new Uint8Array(v.buffer.slice(v.byteOffset, v.byteOffset + 192)),
        )
        return 0
      case 0x46:
        if (v.getUint32(8, true) > 0) this.table.forEach((queue, k) => put(24 + 4 * k, queue))
        put(8, 8)
        return put(12, 0)
      case 0x47:
        this.table = this.table.map((_, k) => v.getUint32(24 + 4 * k, true))
        return 0
      default:
        return -errno.EOPNOTSUPP
    }
  }
}

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
