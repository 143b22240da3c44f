// How a key becomes heavy and light again, as a model: its packets, queues to 2 or 3 workers, any order of steps.
//
// `in band` is what is built where items can be made (src/engine/in-band.ts), over queues that lose nothing. `barrier`: the key
// changes its kind when no packet is under way, as others do (src/engine/rebalance.ts). Frames may be lost; a worker that misses
// something waits for the barrier, as docs/recovery.md has it at the latest. In band with loss is lossy-handover.ts.
//
// The key's state is the set of packets it has seen, so that a packet which meets another state than the serial run's is
// noticed. A frame is taken from its queue, and all of it done, in one step. Read explore.ts first.

import type { Model } from './explore.js'
import { below, bit, queuesOf } from './queues.js'

export interface Handovers {
  readonly form: 'barrier' | 'in band'
  readonly workers: number
  /** Packets of the key, at most 7. */
  readonly packets: number
  /** Times that it may become heavy, and as often light again. */
  readonly promotions: number
  /** Any frame may be lost. */
  readonly loss?: boolean
  /** In band: items that the sequencer keeps while it waits for the owner's value; one more and it gives up. */
  readonly kept?: number
  /** In band: the key may also move to another worker, with its bucket. */
  readonly moves?: boolean
  /** What is done differently. */
  readonly variant?: Variant
}

/**
 * `no barrier`: the key changes its kind while packets are under way. `nothing kept`: the sequencer forgets the items between
 * its request and the value. `bare`: becoming light, workers are not sent the items they miss. `any value`: a value that the
 * sequencer has given up on counts all the same. `both`: a key that moves is not deleted where it was.
 */
export type Variant = 'no barrier' | 'nothing kept' | 'bare' | 'any value' | 'both'

const mode = { light: 0, waiting: 1, heavy: 2 } as const
/** Frames: what they are, then three numbers. */
const frame = { packet: 1, heavy: 2, request: 3, install: 4, demote: 5 } as const
const frameBytes = 4

/** Bytes of the sequencer. */
const at = {
  next: 0,
  mode: 1,
  owner: 2,
  turn: 3,
  /** The first packet of the key's present time as a heavy one. */
  first: 4,
  kept: 5,
  request: 6,
  promoted: 7,
  demoted: 8,
  survived: 9,
  wrong: 10,
  /** Values on their way from owners: which request, and the state. */
  inbox: 11,
} as const
const inboxes = 3
const workersAt = at.inbox + 2 * inboxes
/** Bytes of a worker before its queue. */
const own = { has: 0, seen: 1, last: 2, behind: 3, known: 4, length: 5, queue: 6 } as const

const ones = (mask: number): number => mask.toString(2).split('1').length - 1

export function handoverModel(shape: Handovers): Model {
  const { form, workers, packets, promotions, loss = false, kept = 2, moves = false, variant } = shape
  const places = packets + 4
  const { bytes, all, base, lengthOf, send, take } = queuesOf({
    ...own,
    workers,
    workersAt,
    frameBytes,
    places,
  })

  /** Items in the frame of packet n, or in a flush before it, with its own: of the last ones, those since `first`. */
  const carried = (n: number, first: number): number =>
    below(n + 1) & ~below(Math.max(first, n - (workers - 1), 1))

  /** A packet meets the state at its worker: what the serial run over all that survived would have. */
  function process(s: Uint8Array, w: number, n: number): void {
    const b = base(w)
    if (!s[b + own.has] || s[b + own.seen] !== (s[at.survived] & below(n))) s[at.wrong] = 1
    s[b + own.seen] |= bit(n)
    s[at.survived] |= bit(n)
  }

  /** The key's items up to `end` come to a worker; answers whether it knows all since the last. */
  function replay(s: Uint8Array, w: number, items: number, first: number, end: number): boolean {
    const b = base(w)
    const since = below(end + 1) & ~below(Math.max(first, s[b + own.last] + 1))
    s[b + own.known] |= items
    s[at.survived] |= items
    if (since & ~items || s[b + own.behind]) {
      s[b + own.behind] = 1
      return false
    }
    s[b + own.seen] |= items & since
    s[b + own.last] = Math.max(s[b + own.last], end)
    return true
  }

  function receive(s: Uint8Array, w: number, [kind, n, x, y]: readonly number[]): void {
    const b = base(w)
    if (kind === frame.packet) process(s, w, n)
    else if (kind === frame.heavy) {
      const items = carried(n, x)
      if (!replay(s, w, items & ~bit(n), x, n - 1)) {
        s[b + own.known] |= bit(n)
        s[at.survived] |= bit(n)
      } else {
        process(s, w, n)
        s[b + own.last] = n
      }
    } else if (kind === frame.request) {
      for (let k = 0; k < inboxes; k++)
        if (s[at.inbox + 2 * k] === 0) {
          s.set([n, s[b + own.seen]], at.inbox + 2 * k)
          return
        }
    } else if (kind === frame.install) {
      // Its owner has processed all of it.
      if (y - 1 !== w) s.set([1, n | x], b + own.has)
      s[at.survived] |= n | x
      s[b + own.last] = 0
      s[b + own.behind] = s[b + own.known] = 0
    } else {
      const [owner, last, first] = [n - 1, x, y]
      if (variant !== 'bare' && last >= first && !replay(s, w, carried(last, first), first, last))
        s[at.wrong] = 1
      if (w !== owner) s[b + own.has] = s[b + own.seen] = 0
      s[b + own.last] = s[b + own.behind] = s[b + own.known] = 0
    }
  }

  /** What is lost everywhere is lost: with the last items from the sequencer, all workers come to the same state. */
  function settle(s: Uint8Array): void {
    if (s[at.mode] !== mode.heavy) return
    const last = s[at.next] - 1
    if (last >= s[at.first]) s[at.survived] |= carried(last, s[at.first])
    for (const w of all) {
      const b = base(w)
      s[b + own.seen] = s[at.survived]
      s[b + own.last] = s[b + own.behind] = s[b + own.known] = 0
    }
  }

  const empty = (s: Uint8Array): boolean => all.every(w => lengthOf(s, w) === 0)
  const full = (s: Uint8Array, w: number): boolean => lengthOf(s, w) >= places - 2

  function barrier(s: Uint8Array, step: Step): void {
    if (!empty(s) && variant !== 'no barrier') return
    if (s[at.mode] === mode.light && s[at.promoted] < promotions)
      step('the key becomes heavy', t => {
        t[at.promoted]++
        t[at.mode] = mode.heavy
        t[at.first] = t[at.next]
        for (const w of all) t.set([1, s[base(s[at.owner]) + own.seen], 0, 0, 0], base(w))
      })
    else if (s[at.mode] === mode.heavy)
      for (const owner of all)
        step(`the key becomes light, at worker ${owner}`, t => {
          settle(t)
          t[at.demoted]++
          t[at.mode] = mode.light
          t[at.owner] = owner
          for (const w of all) if (w !== owner) t.set([0, 0, 0, 0, 0], base(w))
        })
  }

  function inBand(s: Uint8Array, step: Step): void {
    if (all.some(w => full(s, w))) return
    if (s[at.mode] === mode.light && s[at.promoted] < promotions)
      step('the owner is asked for the value', t => {
        t[at.promoted]++
        t[at.request]++
        t[at.mode] = mode.waiting
        t[at.kept] = 0
        send(t, t[at.owner], frame.request, t[at.request])
      })
    for (let k = 0; k < inboxes; k++) {
      const [request, value] = s.subarray(at.inbox + 2 * k, at.inbox + 2 * k + 2)
      if (request === 0) continue
      step('a value comes in', t => {
        t.set([0, 0], at.inbox + 2 * k)
        if (t[at.mode] !== mode.waiting || (request !== t[at.request] && variant !== 'any value')) return
        for (const w of all) send(t, w, frame.install, value, t[at.kept], t[at.owner] + 1)
        t[at.mode] = mode.heavy
        t[at.first] = t[at.next]
        t[at.kept] = 0
      })
      if (!moves || s[at.mode] !== mode.waiting || request !== s[at.request]) continue
      for (const owner of all)
        if (owner !== s[at.owner])
          step(`a value comes in, and the key goes to worker ${owner}`, t => {
            t.set([0, 0], at.inbox + 2 * k)
            send(t, owner, frame.install, value, t[at.kept], t[at.owner] + 1)
            // With no items to replay: the old owner has processed them all.
            if (variant !== 'both') send(t, t[at.owner], frame.demote, owner + 1, 0, 1)
            t[at.mode] = mode.light
            t[at.owner] = owner
            t[at.kept] = 0
          })
    }
    if (s[at.mode] === mode.heavy && s[at.demoted] < promotions)
      for (const owner of all)
        step(`the key becomes light, at worker ${owner}`, t => {
          t[at.demoted]++
          for (const w of all) send(t, w, frame.demote, owner + 1, t[at.next] - 1, t[at.first])
          t[at.mode] = mode.light
          t[at.owner] = owner
        })
  }

  function packet(s: Uint8Array, step: Step): void {
    const n = s[at.next]
    const target = s[at.mode] === mode.heavy ? s[at.turn] : s[at.owner]
    if (n > packets || full(s, target)) return
    step(`packet ${n} goes to worker ${target}`, t => {
      t[at.next]++
      if (!loss) t[at.survived] |= bit(n)
      if (t[at.mode] === mode.heavy) {
        send(t, target, frame.heavy, n, t[at.first])
        t[at.turn] = (target + 1) % workers
        return
      }
      send(t, target, frame.packet, n)
      if (t[at.mode] !== mode.waiting || variant === 'nothing kept') return
      t[at.kept] |= bit(n)
      // Too much to keep: the key stays light.
      if (ones(t[at.kept]) > kept) t[at.mode] = t[at.kept] = 0
    })
  }

  type Step = (name: string, change: (s: Uint8Array) => void) => void
  const start = new Uint8Array(bytes)
  start[at.next] = 1
  start[base(0) + own.has] = 1
  const ended = (s: Uint8Array): boolean =>
    s[at.next] > packets &&
    empty(s) &&
    s.subarray(at.inbox, workersAt).every(b => b === 0) &&
    s[at.mode] !== mode.waiting

  return {
    start,
    steps(state, to) {
      const step: Step = (name, change) => {
        const s = state.slice()
        change(s)
        to(s, name)
      }
      packet(state, step)
      if (form === 'barrier') barrier(state, step)
      else inBand(state, step)
      for (const w of all) {
        if (lengthOf(state, w) === 0) continue
        step(`worker ${w} takes a frame`, s => receive(s, w, take(s, w)))
        if (loss) step(`a frame for worker ${w} is lost`, s => void take(s, w))
      }
    },
    wrong(s) {
      if (s[at.wrong]) return 'a packet met another state than in the serial run'
      if (!ended(s)) return undefined
      const end = s.slice()
      if (form === 'barrier') settle(end)
      for (const w of all) {
        const there = end[at.mode] === mode.heavy || w === end[at.owner]
        // The end flushes in band too: what a worker lacks of a heavy key's items is the last n - 1 at most.
        if (form === 'in band' && end[at.mode] === mode.heavy && end[at.next] - 1 >= end[at.first])
          if (!replay(end, w, carried(end[at.next] - 1, end[at.first]), end[at.first], end[at.next] - 1))
            return `worker ${w} misses items`
        if (end[base(w) + own.has] !== Number(there))
          return `worker ${w} has the key where it should not, or has not`
        if (there && end[base(w) + own.seen] !== end[at.survived]) return `worker ${w} has another state`
      }
      return undefined
    },
    ended,
  }
}
