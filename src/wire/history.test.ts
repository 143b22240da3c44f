import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import {
  fullSequence,
  historyLayout,
  parseHistory,
  printHistory,
  workersThatFit,
  writeHistory,
} from './history.js'
import type { History } from './history.js'

const content: History = {
  sequence: 0x00000102,
  flush: false,
  timestamp: 1_000_000_000n,
  items: [
    { effect: true, bytes: hex('0a0b0c0d') },
    { effect: false, bytes: hex('00000000') },
    { effect: true, bytes: hex('01020304') },
  ],
}
//                    sequence ver/flags slots index effects timestamp        slot 0   slot 1   slot 2
const bytes = hex('00000102 11        03    02    06      00003b9aca00     00000000 01020304 0a0b0c0d')

test('a history in bytes, both ways: the oldest item stands in slot `index`', () => {
  // Slots 2, 0, 1 in order of age; effects of slot 2 and slot 1.
  assert.deepEqual(writeHistory(content, 4, 2), bytes)
  const view = parseHistory(bytes, 0, 4)!
  assert.deepEqual(view.history, content)
  assert.equal(view.next, bytes.length)
  assert.equal(
    printHistory(view),
    'History of packet 258: 3 items from slot 2, 2 with effect, at 1000000000 ns',
  )
})

test('all properties and none, no slots, a flush', () => {
  const full: History = { ...content, device: 3, originalLength: 1514 }
  assert.deepEqual(parseHistory(writeHistory(full, 4), 0, 4)?.history, full)
  const bare: History = { sequence: 5, flush: true, items: [] }
  assert.deepEqual(writeHistory(bare, 4), hex('00000005 18 00 00'))
  assert.deepEqual(parseHistory(hex('00000005 18 00 00'), 0, 4)?.history, bare)
})

test('another version, an index beyond the slots, a frame cut off: nothing', () => {
  const change = (at: number, to: number): Uint8Array => {
    const changed = bytes.slice()
    changed[at] = to
    return changed
  }
  assert.equal(parseHistory(change(4, 0x21), 0, 4), undefined)
  assert.equal(parseHistory(change(6, 3), 0, 4), undefined)
  for (let length = 0; length < bytes.length; length++)
    assert.equal(parseHistory(bytes.subarray(0, length), 0, 4), undefined)
})

test('where everything stands', () => {
  assert.deepEqual(
    historyLayout({ slots: 9, itemBytes: 18, timestamp: true, device: true, originalLength: true }),
    {
      effects: 7,
      timestamp: 9,
      device: 15,
      originalLength: 17,
      items: 21,
      packet: 21 + 9 * 18,
    },
  )
})

test("the paper's programs: 7 workers in 192 and 256 bytes with items of 18 and 30 bytes, 14 and more with 8 and 4", () => {
  assert.equal(workersThatFit(192, { itemBytes: 18 }), 7)
  assert.equal(workersThatFit(256, { itemBytes: 30 }), 7)
  assert.equal(workersThatFit(192, { itemBytes: 8 }), 15)
  assert.equal(workersThatFit(192, { itemBytes: 4 }), 29)
  assert.equal(workersThatFit(74, { itemBytes: 4 }), 0)
  assert.equal(workersThatFit(75, { itemBytes: 4 }), 1)
  assert.equal(workersThatFit(9000, { itemBytes: 0 }), 256)
})

test('a sequence number in full, across a wrap and a step back', () => {
  assert.equal(fullSequence(0xffff_fffen, 1), 0x1_0000_0001n)
  assert.equal(fullSequence(0x1_0000_0001n, 0xffff_fffe), 0xffff_fffen)
  assert.equal(fullSequence(5n, 6), 6n)
})
