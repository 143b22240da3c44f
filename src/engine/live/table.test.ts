import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Guard } from '../queue/guard.js'
import type { Undo } from '../queue/isolate.js'
import { Card } from '../queue/testing.js'
import { CannotSteer, SteeredTable, tableRefusal } from './table.js'

/** What a second process would be told. */
class Told implements Guard {
  readonly steps: (readonly Undo[])[] = []
  released = false
  set(steps: readonly Undo[]): void {
    this.steps.push(steps)
  }
  release(): void {
    this.released = true
  }
}

const spread = [0, 1, 2, 3, 0, 1, 2, 3]
const one = spread.map(() => 0)

test('all places of the table are queue 0, again when the program is there, and as before at the end', () => {
  const card = new Card()
  card.run(() => {
    const told = new Told()
    const table = new SteeredTable('eth3', () => told)
    assert.deepEqual([table.queue, table.places, card.table], [0, 8, one])
    assert.deepEqual(told.steps, [[{ kind: 'indirection', device: 'eth3', table: spread }]])
    // A driver that sets its queues up anew.
    card.table = spread
    table.confirm()
    assert.deepEqual(card.table, one)
    for (let n = 0; n < 2; n++) table.restore()
    assert.deepEqual([card.table, told.released], [spread, true])
    assert.deepEqual(card.written, [one, one, spread])
  })
})

test('a card without a table, with rules, or that keeps a place of its own is left as it was', () => {
  for (const [change, reason] of [
    [(card: Card) => (card.tableless = true), /eth3 has no indirection table/],
    [(card: Card) => card.rules.set(3, new Uint8Array(192)), /rules that steer packets/],
    [(card: Card) => (card.stuck = 2), /shows queue 2/],
  ] as const) {
    const card = new Card()
    change(card)
    card.run(() => {
      const told = new Told()
      assert.throws(
        () => new SteeredTable('eth3', () => told),
        (error: Error) => error instanceof CannotSteer && reason.test(error.message),
      )
      assert.deepEqual(card.table, spread)
      // What was begun is over for the second process too.
      assert.equal(told.released, told.steps.length > 0)
      assert.equal(tableRefusal('eth3') === undefined, card.stuck !== undefined)
    })
  }
})
