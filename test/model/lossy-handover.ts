// How a key becomes heavy and light again where queues to workers lose frames, as a model. What is built is the form in which
// packets wait (`waits`, docs/decisions/0300, engine/messages.ts); the other lets them flow meanwhile (0292).
//
// The rule: from a request on every frame carries the key's items that its worker has not got yet; what a worker has got
// stands in memory that the sequencer reads (here at once; a frame of fixed size has its worker read the rest in the logs of
// others, docs/recovery.md). Request, value and deletion are repeated until the worker concerned has passed them. Until all
// have the value, packets go to the owner; until the new owner has passed a demotion, its packets carry history.
//
// The key's state is the set of packets it has seen. A light packet that is lost is lost; an item survives if any frame
// with it arrives. Read handover.ts and explore.ts first.

import type { Model } from './explore.js'
import { below, bit, queuesOf } from './queues.js'

export interface LossyHandovers {
  readonly workers: number
  /** Packets of the key, at most 7. */
  readonly packets: number
  /** Requests, and as many demotions at most. */
  readonly promotions: number
  /** Items that the sequencer keeps while it waits for the value; one more and it gives up. */
  readonly kept: number
  /** Packets wait from the request until all have the value, as they do for a demotion in either form. */
  readonly waits?: boolean
  readonly variant?: LossyVariant
}

/**
 * `no history`: packets between request and value carry none. `once`: a value is sent once. `early`: packets are sprayed as soon
 * as the value has been sent. `any value`: one that the sequencer has given up on counts. `bare`: a demotion brings no items.
 */
export type LossyVariant = 'no history' | 'once' | 'early' | 'any value' | 'bare'

const mode = { light: 0, waiting: 1, installing: 2, heavy: 3, demoting: 4 } as const
/** Frames: kind, last packet, items, request, value or new owner. */
const frame = { light: 1, packet: 2, ask: 3, install: 4, heavy: 5, demote: 6, flush: 7 } as const
const frameBytes = 5
const at = {
  next: 0,
  mode: 1,
  owner: 2,
  turn: 3,
  first: 4,
  request: 5,
  promoted: 6,
  demoted: 7,
  survived: 8,
  wrong: 9,
  value: 10,
  /** The last answer: of which request, and the state. */
  answer: 11,
  state: 12,
  /** The last request that was not given up, or demotion: all workers pass it. */
  settled: 13,
} as const
const workersAt = 14
/** `upto`: the last packet whose item it has; `passed`: the last request, value or deletion. */
const own = { has: 0, seen: 1, upto: 2, passed: 3, length: 4, queue: 5 } as const

export function lossyHandoverModel(shape: LossyHandovers): Model {
  const { workers, packets, promotions, kept, waits, variant } = shape
  const places = 2
  const { bytes, all, base, lengthOf, send, take } = queuesOf({
    ...own,
    workers,
    workersAt,
    frameBytes,
    places,
  })
  const of = (s: Uint8Array, w: number, byte: number): number => s[base(w) + byte]
  const full = (s: Uint8Array, w: number): boolean => lengthOf(s, w) === places

  /** Items since the key's request that a worker lacks, before packet `end`. */
  const history = (s: Uint8Array, w: number, end: number): number =>
    below(end) &
    ~below(Math.max(s[at.first], of(s, w, own.passed) === s[at.request] ? of(s, w, own.upto) + 1 : 0))

  function receive(s: Uint8Array, w: number, [kind, n, items, request, value]: readonly number[]): void {
    const b = base(w)
    const process = (): void => {
      if (!s[b + own.has] || s[b + own.seen] !== (s[at.survived] & below(n))) s[at.wrong] = 1
      s[b + own.seen] |= bit(n)
      s[at.survived] |= bit(n)
      s[b + own.upto] = n
    }
    const replay = (): void => {
      s[at.survived] |= items
      s[b + own.seen] |= items
      if (items) s[b + own.upto] = Math.max(s[b + own.upto], 32 - Math.clz32(items))
    }
    if (kind === frame.light) return process()
    if (kind === frame.packet || kind === frame.ask) {
      if (s[b + own.passed] < request) {
        s.set([request, s[b + own.seen]], at.answer)
        s[b + own.passed] = request
      }
      replay()
      if (kind === frame.packet) process()
    } else if (kind === frame.install) {
      if (s[b + own.passed] < request) {
        s.set([1, value], b + own.has)
        s[b + own.passed] = request
      }
      replay()
    } else if (kind === frame.demote) {
      s[b + own.passed] = request
      if (value - 1 === w) replay()
      else s[b + own.has] = s[b + own.seen] = 0
    } else {
      replay()
      if (kind === frame.heavy) process()
    }
  }

  type Step = (name: string, change: (s: Uint8Array) => void) => void

  function sequencer(s: Uint8Array, step: Step): void {
    const { owner, next, request } = at
    const passed = (w: number): boolean => of(s, w, own.passed) === s[request]
    const m = s[at.mode]
    const idle = (w: number): boolean => lengthOf(s, w) === 0
    const settled = (w: number): boolean => of(s, w, own.passed) >= s[at.settled]
    if (m === mode.light && s[at.promoted] < promotions && all.every(settled))
      step('the owner is asked for the value', t => {
        t[at.promoted]++
        t[request]++
        t[at.mode] = mode.waiting
        t[at.first] = t[next]
      })
    if (m === mode.waiting && !passed(s[owner]) && idle(s[owner]))
      step('the request is sent', t =>
        send(t, t[owner], frame.ask, 0, history(t, t[owner], t[next]), t[request], 0),
      )
    if (m === mode.waiting && s[at.answer] !== 0 && (s[at.answer] === s[request] || variant === 'any value'))
      step('the value comes in', t => {
        t[at.value] = t[at.state]
        t[at.mode] = mode.installing
        t[at.settled] = t[request]
        t.set([0, 0], at.answer)
        if (variant === 'once' || variant === 'early')
          for (const w of all)
            if (w !== t[owner] && !full(t, w))
              send(t, w, frame.install, 0, below(t[next]) & ~below(t[at.first]), t[request], t[at.value])
      })
    if (m === mode.installing) {
      if (variant !== 'once')
        for (const w of all)
          if (!passed(w) && idle(w) && w !== s[owner])
            step(`the value is sent to worker ${w}`, t =>
              send(t, w, frame.install, 0, below(t[next]) & ~below(t[at.first]), t[request], t[at.value]),
            )
      if (all.every(passed) || variant === 'early')
        step('the key is heavy', t => {
          t[at.mode] = mode.heavy
        })
    }
    if (m === mode.heavy && s[at.demoted] < promotions)
      for (const w of all)
        step(`the key becomes light, at worker ${w}`, t => {
          t[at.demoted]++
          t[request]++
          t[owner] = w
          t[at.mode] = mode.demoting
          t[at.settled] = t[request]
        })
    if (m === mode.demoting || m === mode.light)
      for (const w of all)
        if (!settled(w) && idle(w))
          step(`worker ${w} is sent the demotion`, t => {
            const items =
              variant === 'bare' ? 0 : below(t[next]) & ~below(Math.max(t[at.first], of(t, w, own.upto) + 1))
            send(t, w, frame.demote, 0, items, t[request], t[owner] + 1)
          })
    if (m === mode.demoting && passed(s[owner]))
      step('the new owner has passed the demotion', t => {
        t[at.mode] = mode.light
      })
    // What a worker of a heavy key lacks at the end is sent until it has it.
    if (m >= mode.installing && m <= mode.heavy && s[next] > packets)
      for (const w of all)
        if (passed(w) && idle(w) && history(s, w, s[next]) !== 0)
          step(`worker ${w} is sent what it lacks`, t =>
            send(t, w, frame.flush, 0, history(t, w, t[next]), t[request], 0),
          )
  }

  function packet(s: Uint8Array, step: Step): void {
    const n = s[at.next]
    const m = s[at.mode]
    const target = m === mode.heavy ? s[at.turn] : s[at.owner]
    if (n > packets || full(s, target)) return
    // Packets wait a moment while the new owner has not passed the demotion.
    if (m === mode.demoting) return
    if (waits && (m === mode.waiting || m === mode.installing)) return
    step(`packet ${n} goes to worker ${target}`, t => {
      t[at.next]++
      if (m === mode.light) return send(t, target, frame.light, n, 0, 0, 0)
      const items = variant === 'no history' && m !== mode.heavy ? 0 : history(t, target, n)
      send(t, target, m === mode.heavy ? frame.heavy : frame.packet, n, items, t[at.request], 0)
      if (m === mode.heavy) t[at.turn] = (target + 1) % workers
      // Too much to keep: the key stays light. Nobody but its owner has been sent anything of it.
      if (m === mode.waiting && n - t[at.first] + 1 > kept) t[at.mode] = mode.light
    })
  }

  const empty = (s: Uint8Array): boolean => all.every(w => lengthOf(s, w) === 0)
  const there = (s: Uint8Array, w: number): boolean => s[at.mode] >= mode.installing || w === s[at.owner]
  const start = new Uint8Array(bytes)
  start[at.next] = 1
  start[base(0) + own.has] = 1
  const ended = (s: Uint8Array): boolean =>
    s[at.next] > packets &&
    empty(s) &&
    (s[at.mode] === mode.light || s[at.mode] === mode.heavy) &&
    all.every(w => of(s, w, own.passed) >= s[at.settled]) &&
    (s[at.mode] !== mode.heavy || all.every(w => history(s, w, s[at.next]) === 0))

  return {
    start,
    steps(state, to) {
      const step: Step = (name, change) => {
        const s = state.slice()
        change(s)
        to(s, name)
      }
      packet(state, step)
      sequencer(state, step)
      for (const w of all) {
        if (lengthOf(state, w) === 0) continue
        step(`worker ${w} takes a frame`, s => receive(s, w, take(s, w)))
        step(`a frame for worker ${w} is lost`, s => void take(s, w))
      }
    },
    wrong(s) {
      if (s[at.wrong]) return 'a packet met another state than in the serial run'
      if (!ended(s)) return undefined
      for (const w of all) {
        if (of(s, w, own.has) !== Number(there(s, w)))
          return `worker ${w} has the key where it should not, or has not`
        if (there(s, w) && of(s, w, own.seen) !== s[at.survived]) return `worker ${w} has another state`
      }
      return undefined
    },
    ended,
  }
}
