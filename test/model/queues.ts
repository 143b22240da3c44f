// Queues to workers as models of hand-overs have them: each worker is some bytes of its own, then its queue's length, then frames.
//
// Packets of the key are numbered from 1, and a set of them is a byte: at most 7.

/** Where a worker's bytes begin, and what there is of queues; frames have all the same length. */
export interface QueueShape {
  readonly workers: number
  readonly workersAt: number
  /** In a worker's bytes: the number of frames in its queue, and the queue. */
  readonly length: number
  readonly queue: number
  readonly frameBytes: number
  readonly places: number
}

export interface Queues {
  /** Bytes of a whole state. */
  readonly bytes: number
  /** The workers, from 0. */
  readonly all: readonly number[]
  base(w: number): number
  lengthOf(s: Uint8Array, w: number): number
  send(s: Uint8Array, w: number, ...content: number[]): void
  /** Takes the oldest frame out. */
  take(s: Uint8Array, w: number): number[]
}

export function queuesOf(shape: QueueShape): Queues {
  const { workers, workersAt, length, queue, frameBytes, places } = shape
  const size = queue + frameBytes * places
  const base = (w: number): number => workersAt + w * size
  return {
    bytes: base(workers),
    all: Array.from({ length: workers }, (_, w) => w),
    base,
    lengthOf: (s, w) => s[base(w) + length],
    send(s, w, ...content) {
      const b = base(w)
      s.set(content, b + queue + frameBytes * s[b + length]++)
    },
    take(s, w) {
      const b = base(w)
      const head = [...s.subarray(b + queue, b + queue + frameBytes)]
      s.copyWithin(b + queue, b + queue + frameBytes, b + size)
      s.fill(0, b + size - frameBytes, b + size)
      s[b + length]--
      return head
    },
  }
}

/** The set of packet n alone, and of all before it. */
export const bit = (n: number): number => 1 << (n - 1)
export const below = (n: number): number => bit(n) - 1
