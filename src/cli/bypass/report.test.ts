import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Bypass, OpenedQueue } from '../../engine/queue/bypass.js'
import { openedJson, openedText } from './report.js'

/** A queue for which busy polling was asked for so long, and is in force so long. */
const opened = (asked: number, inForce: number): [Bypass, OpenedQueue] => [
  { device: { name: 'eth3' }, attachment: { mode: 'native' } } as unknown as Bypass,
  {
    queue: 4,
    worker: 0,
    isolation: { undo: [], steering: 'xdp', rules: [], notes: [] },
    pool: {
      mode: { zeroCopy: false, needWakeup: true, busyPoll: inForce, sendBudget: 32 },
      options: { busyPoll: asked },
    } as unknown as OpenedQueue['pool'],
  },
]

test('a queue is told as polled only where it is, and why not where that was asked for', () => {
  assert.match(openedText(...opened(20, 20)), /woken on demand, busy polling 20 µs;/)
  assert.match(openedText(...opened(0, 0)), /woken on demand, interrupts;/)
  assert.match(
    openedText(...opened(20, 0)),
    /interrupts \(no busy polling: the driver has named nothing to poll/,
  )
  assert.equal(openedJson(...opened(20, 0)).busyPoll, 0)
})
