import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fullTimestamp } from '../../wire/history.js'
import { Clocks } from './clocks.js'

const hour = 3_600_000_000_000n

/** The last time of a worker, as its program keeps it. */
class Worker {
  readonly view = new DataView(new ArrayBuffer(64))
  get last(): bigint {
    return this.view.getBigUint64(32, true)
  }
  /** A frame comes: the time that the program sees. */
  frame(time: bigint): bigint {
    this.view.setBigUint64(32, fullTimestamp(this.last, BigInt.asUintN(48, time)), true)
    return this.last
  }
}

test('a time is right after days without a frame, if somebody looks every few hours', () => {
  const [fresh, neglected] = [new Worker(), new Worker()]
  const clocks = new Clocks([fresh.view], 32, 0n)
  for (const w of [fresh, neglected]) assert.equal(w.frame(5n), 5n)
  for (let now = 0n; now < 200n * hour; now += hour / 3n) clocks.look(now)
  const time = 200n * hour + 17n
  assert.equal(fresh.frame(time), time)
  assert.notEqual(neglected.frame(time), time)
})

test('a clock that frames keep going is left alone, and never put ahead', () => {
  const worker = new Worker()
  const clocks = new Clocks([worker.view], 32, 0n)
  for (let now = 0n; now < 100n * hour; now += hour / 2n) {
    worker.frame(now)
    clocks.look(now)
    assert.equal(worker.last, now)
  }
  // Here a clock that is a second in an hour too fast.
  const silent = 100n * hour
  for (let now = silent; now < 130n * hour; now += hour / 2n) {
    clocks.look(now + (now - silent) / 3600n)
    assert.ok(worker.last <= now)
  }
})
