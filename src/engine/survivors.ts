// Which packets survive a transport that loses frames: those in a frame that arrives, as packet or as item.
//
// The reference of verify is the serial run over these; nothing here asks what the workers did. Read docs/recovery.md first.

/**
 * Where all packets are replicated to n workers: the next n - 1 frames carry a packet's item, and the flush, which is never
 * lost, carries the last n - 1: at the end, and after so many packets.
 */
export function survivorsOf(
  delivered: readonly boolean[],
  workers: number,
  flushes: readonly number[] = [],
): boolean[] {
  const flushed = (n: number, end: number): boolean => n < end && n >= end - (workers - 1)
  return delivered.map(
    (_, n) =>
      [...flushes, delivered.length].some(end => flushed(n, end)) ||
      delivered.slice(n, n + workers).some(arrived => arrived),
  )
}

/** What became of the frames of hybrid, or of a sharded run, in which no packet is heavy. */
export interface Dealt {
  readonly delivered: readonly boolean[]
  /** By packet: 1 if its key is heavy, and the worker that its frame went to. */
  readonly heavy: ArrayLike<number>
  readonly worker: ArrayLike<number>
  readonly workers: number
  /** Numbers of packets after which all workers were sent the last n - 1 heavy items, the end among them. */
  readonly flushes: readonly number[]
}

/**
 * Whose packets survive of hybrid's: heavy ones by any frame up to that of the (n - 1)th heavy packet after them, or by a flush;
 * light ones by their own frame alone.
 */
export function dealtSurvivors({ delivered, heavy, workers, flushes }: Dealt): boolean[] {
  const survived = [...delivered]
  /** Heavy packets that the next frame carries, the oldest first. */
  let carried: number[] = []
  const ends = new Set(flushes)
  const all = (): void => {
    for (const n of carried) survived[n] = true
  }
  for (let n = 0; n < delivered.length; n++) {
    if (ends.has(n)) all()
    if (delivered[n]) all()
    if (heavy[n] && workers > 1) carried = [...carried, n].slice(1 - workers)
  }
  if (ends.has(delivered.length)) all()
  return survived
}

/**
 * Frames that could meet a state which lacks heavy items: since the last flush, one that arrived at its worker had not all items
 * between those of the one before and its own.
 */
export function mayRecover({ delivered, heavy, worker, workers, flushes }: Dealt): boolean[] {
  /** Heavy packets before this one; and of each worker how many it has been told of, and whether some are missing. */
  let count = 0
  let told = Array.from({ length: workers }, () => 0)
  let missing = told.map(() => false)
  const ends = new Set(flushes)
  return delivered.map((arrived, n) => {
    if (ends.has(n)) {
      told = told.map(() => count)
      missing = missing.map(() => false)
    }
    const w = worker[n]
    if (arrived) {
      missing[w] ||= count - told[w] > workers - 1
      told[w] = count + heavy[n]
    }
    count += heavy[n]
    return arrived && missing[w]
  })
}
