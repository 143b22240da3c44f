// RSS++: which buckets of the indirection table should change their worker (Barbette et al., "RSS++: load and state-aware
// receive side scaling", CoNEXT 2019).
//
// Pure. The paper minimises a weighted sum of load imbalance and migrations; this does so greedily: as long as the
// busiest worker has a bucket whose move to the idlest one takes off more load than a migration is worth, it moves the
// one that levels the two best. Hysteresis: below a threshold nothing is done at all, so that noise moves no state.

export interface Move {
  readonly bucket: number
  readonly from: number
  readonly to: number
}

export interface BalanceOptions {
  /** Nothing is moved while the busiest worker has less than so many times the mean. */
  readonly threshold?: number
  /** What a migration is worth, as a share of a worker's mean load: a move must level the two workers by more. */
  readonly migration?: number
}

export const balanceDefaults = { threshold: 1.1, migration: 0.01 } as const

/**
 * The moves, given the load of each bucket (packets of the last epoch) and the worker of each. Ends with at most one
 * move per bucket; the order does not matter.
 */
export function balance(
  loads: readonly number[],
  owners: readonly number[],
  workers: number,
  options: BalanceOptions = {},
): Move[] {
  const { threshold, migration } = { ...balanceDefaults, ...options }
  const total = loads.reduce((sum, n) => sum + n, 0)
  const mean = total / workers
  const load = Array.from({ length: workers }, () => 0)
  owners.forEach((worker, bucket) => (load[worker] += loads[bucket]))
  if (total === 0 || Math.max(...load) < threshold * mean) return []
  const owner = [...owners]
  // Every move lowers the sum of squares, so this ends; the bound is for those who doubt it.
  for (let round = 0; round < owners.length; round++) {
    const [most, least] = [load.indexOf(Math.max(...load)), load.indexOf(Math.min(...load))]
    const gap = load[most] - load[least]
    let best: number | undefined
    for (let bucket = 0; bucket < owner.length; bucket++)
      if (owner[bucket] === most && loads[bucket] > 0 && loads[bucket] < gap)
        if (best === undefined || Math.abs(gap / 2 - loads[bucket]) < Math.abs(gap / 2 - loads[best]))
          best = bucket
    // Moved, the two differ by |gap - 2 load|: what that is less than before is what the move is worth.
    if (best === undefined || gap - Math.abs(gap - 2 * loads[best]) <= 2 * migration * mean) break
    load[most] -= loads[best]
    load[least] += loads[best]
    owner[best] = least
  }
  return owner.flatMap((to, bucket) => (to === owners[bucket] ? [] : [{ bucket, from: owners[bucket], to }]))
}
