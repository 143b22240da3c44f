// Loss recovery as it is built (src/backend/wasm/loops/recovery.ts), as a model: 2 to 4 workers, any frame may be lost,
// any worker may take the next step. And the algorithm as the paper prints it, to show where that fails.
//
// One step is one access to memory that others see: an item or a tag written, progress published, progress read, an
// item or a tag copied. A packet's item is its number, so that a copy of the wrong one is noticed. Every packet
// changes the state. Read docs/recovery.md and explore.ts first.

import type { Model } from './explore.js'

export interface Shape {
  readonly workers: number
  /** Packets, at most 8. */
  readonly packets: number
  /** Entries of a log. */
  readonly entries: number
  /** Entries behind a published progress that may be in the middle of being written (`unsettled` in log.ts). */
  readonly unsettled: number
  /** How far a worker may be ahead of another, in packets; without it, as far as it likes. */
  readonly skew?: number
  /**
   * Entries up to a publication are written in one step, and copied in one with the looks around it. Nothing is left out
   * by that where no entry of the log is ever written again.
   */
  readonly coarse?: boolean
  /**
   * Numbers that a frame has a worker look at, at most, as in the kernel; the rest is left for its next frame. Without
   * it, all.
   */
  readonly most?: number
  /** Workers share a CPU that leaves a worker only when it has done with a frame. */
  readonly oneCpu?: boolean
  /** What is done differently. */
  readonly variant?: Variant
}

/**
 * `printed`: Algorithm 1 as it stands, which waits for each missing packet before it writes down what follows.
 * `without flush`: the stream just ends. `unchecked`: a copy counts without a second look at progress.
 * `early`: progress is published before the entries are written.
 */
export type Variant = 'printed' | 'printed without flush' | 'unchecked' | 'early'

const [lost, item] = [1, 3]
/** Where a worker is in its work. */
const at = { idle: 0, item: 1, tag: 2, publish: 3, look: 4, copyItem: 5, copyTag: 6, lookAgain: 7 } as const

/** Steps that nobody else can notice, as long as no entry is written twice. */
const silent: ReadonlySet<number> = new Set([at.tag, at.publish, at.copyItem, at.copyTag, at.lookAgain])

/** Bytes of a worker before its log. */
const field = {
  at: 0,
  /** Frames of its own that came or were lost; one above all of them: the flush came too. */
  frames: 1,
  logged: 2,
  applied: 3,
  progress: 4,
  /** Bit n - 1: the state has seen packet n. */
  seen: 5,
  /** The number of the frame at hand; packets + 1 is the flush. 0: a second look without a frame. */
  frame: 6,
  k: 7,
  other: 8,
  pending: 9,
  gone: 10,
  copiedItem: 11,
  copiedTag: 12,
  stopped: 13,
  /** Numbers looked at with this frame, if that is bounded. */
  rounds: 14,
} as const
const fields = 15

export function recoveryModel(shape: Shape): Model {
  const { workers, packets, entries, unsettled, skew = packets + 1, most, variant } = shape
  const { oneCpu = false, coarse = false } = shape
  if (coarse && entries < packets + unsettled) throw new Error('coarse steps are for logs that do not wrap')
  const merged = coarse ? silent : new Set<number>()
  const printed = variant === 'printed' || variant === 'printed without flush'
  const flushes = variant !== 'printed without flush'
  const size = fields + 2 * entries
  /** Behind the workers: which frames were delivered, and whether a wrong copy was used. */
  const deliveredAt = workers * size
  const wrongAt = deliveredAt + 1
  const flush = packets + 1
  const base = (w: number): number => w * size
  const slot = (w: number, n: number): number => base(w) + fields + 2 * (n % entries)
  /** The n-th own frame of worker w, from 0; above `packets` if there is none. */
  const ownFrame = (w: number, n: number): number => (w === 0 ? workers : w) + n * workers
  const ownFrames = (w: number): number => {
    let n = 0
    while (ownFrame(w, n) <= packets) n++
    return n
  }

  /** Everything a worker does until its next access that others could see. */
  function settle(s: Uint8Array, w: number): void {
    const b = base(w)
    const oldest = s[b + field.frame] - (workers - 1)
    for (;;) {
      const k = s[b + field.k]
      if (s[b + field.at] === at.item) {
        const end = Math.min(s[b + field.frame], packets)
        if (k > end) s[b + field.at] = at.publish
        // Nothing is copied for a packet that is missing.
        else if (k < oldest) s[b + field.at] = at.tag
        return
      }
      if (s[b + field.at] !== at.look) return
      // Follow the log: `k` is the number looked at.
      const limit = s[b + field.frame] === 0 ? s[b + field.logged] : s[b + field.frame] - 1
      const next = s[b + field.applied] + 1
      if (s[b + field.stopped] || next > limit + (printed && s[b + field.frame] <= packets ? 1 : 0))
        return void finish(s, w)
      if (most !== undefined && s[b + field.rounds] === most) return void finish(s, w)
      if (printed && next > s[b + field.logged]) {
        s[b + field.k] = next
        s[b + field.at] = at.item
        continue
      }
      if ((s[slot(w, next) + 1] & 3) !== lost) {
        apply(s, w, next, s[slot(w, next)])
        looked(s, w)
        continue
      }
      s[b + field.k] = next
      // The next other worker, or the end of the round.
      while (s[b + field.other] === w) s[b + field.other]++
      if (s[b + field.other] < workers) return
      s[b + field.other] = 0
      const { pending, gone } = { pending: s[b + field.pending], gone: s[b + field.gone] }
      s[b + field.pending] = s[b + field.gone] = 0
      if (pending) {
        // The paper waits; we go on at the next frame.
        if (printed) while (s[b + field.other] === w) s[b + field.other]++
        else finish(s, w)
        return
      }
      if (gone) s[b + field.stopped] = 1
      else {
        s[b + field.applied] = next
        looked(s, w)
      }
    }
  }

  function looked(s: Uint8Array, w: number): void {
    if (most !== undefined) s[base(w) + field.rounds]++
  }

  function apply(s: Uint8Array, w: number, n: number, found: number): void {
    const b = base(w)
    if (found !== n) s[wrongAt] = 1
    s[b + field.seen] |= 1 << (n - 1)
    s[b + field.applied] = n
  }

  /** Done with the frame: its own packet is processed if the state has seen all before it. */
  function finish(s: Uint8Array, w: number): void {
    const b = base(w)
    const n = s[b + field.frame]
    if (n > 0 && n <= packets && !s[b + field.stopped] && s[b + field.applied] === n - 1) apply(s, w, n, n)
    s[b + field.at] = at.idle
    s[b + field.frame] = s[b + field.k] = s[b + field.other] = s[b + field.pending] = s[b + field.gone] = 0
    s[b + field.rounds] = 0
  }

  /** A frame has arrived: what to write first. */
  function begin(s: Uint8Array, w: number, n: number): void {
    const b = base(w)
    s[b + field.frame] = n
    s[b + field.at] = at.item
    if (n - s[b + field.applied] > entries) s[b + field.stopped] = 1
    s[b + field.k] = Math.max(s[b + field.logged] + 1, n - entries + 1)
    if (variant === 'early') s[b + field.progress] = Math.min(n, packets)
  }

  function afterTag(s: Uint8Array, w: number): void {
    const b = base(w)
    const k = s[b + field.k]
    const missing = k < s[b + field.frame] - (workers - 1)
    if (printed) {
      // One number after the other: written, seen by all, waited for.
      s[b + field.logged] = s[b + field.progress] = k
      s[b + field.k] = k + 1
      s[b + field.at] = at.look
    } else {
      s[b + field.k] = k + 1
      s[b + field.at] = at.item
      // Missing numbers are published as they are written.
      if (missing) s[b + field.at] = at.publish
    }
  }

  function move(s: Uint8Array, w: number): string {
    const b = base(w)
    const k = s[b + field.k]
    const other = s[b + field.other]
    switch (s[b + field.at]) {
      case at.item:
        s[slot(w, k)] = k
        s[b + field.at] = at.tag
        return `writes item ${k}`
      case at.tag: {
        const kind = k < s[b + field.frame] - (workers - 1) ? lost : item
        s[slot(w, k) + 1] = 4 * k + kind
        afterTag(s, w)
        return `writes ${kind === lost ? 'lost' : 'tag'} ${k}`
      }
      case at.publish: {
        const up = k - 1
        if (up > s[b + field.logged]) s[b + field.logged] = up
        if (variant !== 'early') s[b + field.progress] = s[b + field.logged]
        const end = Math.min(s[b + field.frame], packets)
        s[b + field.at] = k > end ? at.look : at.item
        return `publishes ${up}`
      }
      case at.look:
        if (s[base(other) + field.progress] < k) {
          s[b + field.pending] = 1
          s[b + field.other]++
        } else s[b + field.at] = at.copyItem
        return `looks how far worker ${other} is, for ${k}`
      case at.copyItem:
        s[b + field.copiedItem] = s[slot(other, k)]
        s[b + field.at] = at.copyTag
        return `copies item ${k} of worker ${other}`
      case at.copyTag:
        s[b + field.copiedTag] = s[slot(other, k) + 1]
        s[b + field.at] = at.lookAgain
        return `copies tag ${k} of worker ${other}`
      default: {
        const [found, tag] = [s[b + field.copiedItem], s[b + field.copiedTag]]
        s[b + field.copiedItem] = s[b + field.copiedTag] = 0
        s[b + field.at] = at.look
        const settled = s[base(other) + field.progress] + unsettled < k + entries
        if ((!settled && variant !== 'unchecked') || tag >> 2 !== k) {
          s[b + field.gone] = 1
          s[b + field.other]++
        } else if ((tag & 3) === lost) {
          s[b + field.other]++
        } else {
          s[b + field.other] = s[b + field.pending] = s[b + field.gone] = 0
          apply(s, w, k, found)
          looked(s, w)
        }
        return `looks again how far worker ${other} is, for ${k}`
      }
    }
  }

  const idle = (s: Uint8Array, w: number): boolean => s[base(w) + field.at] === at.idle
  const allWorkers = Array.from({ length: workers }, (_, w) => w)
  /** What a worker has still to come to: its next frame, or the end. */
  const position = (s: Uint8Array, w: number): number => {
    const n = ownFrame(w, s[base(w) + field.frames])
    const busy = s[base(w) + field.frame]
    return busy > 0 ? busy : Math.min(n, flush)
  }
  const finished = (s: Uint8Array, w: number): boolean => {
    const b = base(w)
    const through = s[b + field.frames] === ownFrames(w) + (flushes ? 1 : 0)
    return (
      idle(s, w) && through && (printed || s[b + field.applied] === packets || s[b + field.stopped] === 1)
    )
  }
  /** Packets that somebody has got, as packet or as item; the flush brings the last ones. */
  const survived = (s: Uint8Array): number => {
    let all = 0
    for (let n = 1; n <= packets; n++)
      for (let f = n; f < n + workers; f++)
        if ((f > packets && flushes) || (s[deliveredAt] >> (f - 1)) & 1) all |= 1 << (n - 1)
    return all
  }

  return {
    start: new Uint8Array(wrongAt + 1),
    steps(state, to) {
      const running = allWorkers.filter(w => !idle(state, w))
      for (const w of oneCpu && running.length ? running : allWorkers) {
        const b = base(w)
        const step = (name: string, change: (s: Uint8Array) => void): void => {
          const s = state.slice()
          change(s)
          settle(s, w)
          to(s, name)
        }
        if (!idle(state, w)) {
          const s = state.slice()
          let name = `worker ${w} ${move(s, w)}`
          settle(s, w)
          while (merged.has(s[b + field.at])) {
            name = `worker ${w} ${move(s, w)}`
            settle(s, w)
          }
          to(s, name)
          continue
        }
        const n = ownFrame(w, state[b + field.frames])
        const ahead = Math.min(n, flush) - Math.min(...allWorkers.map(v => position(state, v)))
        if (n <= packets && ahead <= skew) {
          step(`worker ${w} gets packet ${n}`, s => {
            s[b + field.frames]++
            s[deliveredAt] |= 1 << (n - 1)
            begin(s, w, n)
          })
          step(`packet ${n} for worker ${w} is lost`, s => s[b + field.frames]++)
        } else if (flushes && state[b + field.frames] === ownFrames(w) && ahead <= skew)
          step(`worker ${w} gets the flush`, s => {
            s[b + field.frames]++
            begin(s, w, flush)
          })
        else if (!printed && state[b + field.frames] > ownFrames(w) && !finished(state, w))
          step(`worker ${w} goes on`, s => {
            s[b + field.at] = at.look
          })
      }
    },
    wrong(s) {
      if (s[wrongAt]) return 'an entry was used that is not what it was taken for'
      for (const v of allWorkers)
        for (const w of allWorkers) {
          const both = (1 << Math.min(s[base(v) + field.applied], s[base(w) + field.applied])) - 1
          if ((s[base(v) + field.seen] & both) !== (s[base(w) + field.seen] & both))
            return `workers ${v} and ${w} have seen different packets`
        }
      if (!allWorkers.every(w => finished(s, w))) return undefined
      const all = survived(s)
      for (const w of allWorkers) {
        const upTo = (1 << s[base(w) + field.applied]) - 1
        if (s[base(w) + field.seen] !== (all & upTo)) return `worker ${w} has not seen what survived`
      }
      return undefined
    },
    ended: s => allWorkers.every(w => finished(s, w)),
  }
}

/** Whether a worker of an ended state gave up. */
export const gaveUp = (shape: Shape, s: Uint8Array): boolean =>
  Array.from(
    { length: shape.workers },
    (_, w) => s[w * (fields + 2 * shape.entries) + field.stopped],
  ).includes(1)
