// Messages about state that changes hands, to workers whose queues may lose them: each is repeated until its worker has
// passed it, as that worker says in memory.
//
// A message is the beginning of a slab without packets. Nothing else is on its way meanwhile: packets wait at the sequencer.
// Promises: a worker acts once on a message, however often it comes; `deliver` ends when all have, or answers that it has
// given up. The rule is test/model/lossy-handover.ts with `waits`; what is in the messages, strategy/handover.ts.

import { answerLayout, handoverLayout } from '../strategy/handover.js'
import type { Plan } from './plan.js'
import type { Loss } from './transport.js'

/** Publishes a slab without packets, with messages for those workers whose bits are set, and waits until all have done it. */
export type Post = (workers: number) => Promise<void>

/** How often a message is repeated before a hand-over is given up that nobody has begun; and one that some have. */
export const tries = { begin: 64, end: 10_000 } as const

/** A worker that some message never reached: state would be left half handed over. */
export class Unreachable extends Error {
  /** Bits of the workers. */
  constructor(workers: number) {
    const all = [...workers.toString(2)].toReversed().flatMap((bit, w) => (bit === '1' ? [w] : []))
    super(
      `worker ${all.join(', ')} took none of ${tries.end} messages about state that changes hands: all were lost. ` +
        'The run was ended; no result is given because that state would be in two places',
    )
  }
}

export class Messages {
  /** Sent so far, lost ones included: each is a frame with a number of its own, below those of packets. */
  private sent = 0n
  private readonly words: Uint32Array
  private readonly plan: Plan
  private readonly loss: Loss | undefined

  constructor(plan: Plan, memory: WebAssembly.Memory, loss: Loss | undefined) {
    this.plan = plan
    this.loss = loss
    this.words = new Uint32Array(memory.buffer)
  }

  /** Where the last message's number stands. */
  private get request(): number {
    return (this.plan.map.handover + handoverLayout.request) >>> 2
  }

  /** The bits of the workers that have not passed the last message. */
  get waiting(): number {
    const { map } = this.plan
    return map.answers.reduce(
      (bits, at, w) =>
        this.words[(at + answerLayout.passed) >>> 2] === this.words[this.request] ? bits : bits | (1 << w),
      0,
    )
  }

  /**
   * Sends all workers what their words `acts` say, up to `most` times. False if some worker has not passed it then; `reached`
   * says whether any has.
   */
  async deliver(post: Post, most: number): Promise<{ readonly all: boolean; readonly reached: boolean }> {
    this.words[this.request]++
    for (let n = 0; n < most && this.waiting !== 0; n++) {
      const arrives = this.arriving(this.waiting)
      if (arrives !== 0) await post(arrives)
    }
    const { waiting } = this
    return { all: waiting === 0, reached: waiting !== 2 ** this.plan.workers - 1 }
  }

  /** The same, where state is already changing hands. Throws Unreachable. */
  async insist(post: Post): Promise<void> {
    if (!(await this.deliver(post, tries.end)).all) throw new Unreachable(this.waiting)
  }

  /** Which of the messages to these workers the transport delivers. */
  private arriving(workers: number): number {
    let arrives = 0
    for (let w = 0; w < this.plan.workers; w++)
      if ((workers >> w) & 1 && !this.loss?.(-++this.sent)) arrives |= 1 << w
    return arrives
  }
}
