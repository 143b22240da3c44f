// RSS++: which buckets of the indirection table should change their worker (Barbette et al., "RSS++: load and state-aware
// receive side scaling", CoNEXT 2019).
//
// Pure. The paper minimises a weighted sum of load imbalance and migrations; this does so greedily: as long as the
// busiest worker has a bucket whose move to the idlest one takes off more load than a migration is worth, it moves the
// one that levels the two best. Hysteresis: below a threshold nothing is done at all, nor while the loads differ as counts do by
// chance, nor for what was otherwise an epoch ago: noise and flows that are gone by then move no state.

export interface Move {
  readonly bucket: number
  readonly from: number
  readonly to: number
}

export interface BalanceOptions {
  /**
   * Nothing is moved while the busiest worker has less than so many times the mean, and so many standard deviations of a
   * count besides: even traffic comes to that by chance, and what is moved for it moves back at the next epoch.
   */
  readonly threshold?: number
  readonly chance?: number
  /** Loads of the epoch before this one: only what would have levelled that one too is worth moving. */
  readonly before?: readonly number[]
  /** What a migration is worth, as a share of a worker's mean load: a move must level the two workers by more. */
  readonly migration?: number
}

export const balanceDefaults = { threshold: 1.1, migration: 0.01, chance: 3 } as const

/** Moves for whatever levels two workers: for tests, which want many of them. */
export const eager: BalanceOptions = { threshold: 1.1, migration: 0, chance: 0 }

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
  const { threshold, migration, chance, before } = { ...balanceDefaults, ...options }
  const total = loads.reduce((sum, n) => sum + n, 0)
  const mean = total / workers
  const load = perWorker(loads, owners, workers)
  if (total === 0 || Math.max(...load) < threshold * mean + chance * Math.sqrt(mean)) return []
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
  const busiest = (of: readonly number[]): number => Math.max(...perWorker(before!, of, workers))
  if (before && busiest(owner) >= busiest(owners)) return []
  return owner.flatMap((to, bucket) => (to === owners[bucket] ? [] : [{ bucket, from: owners[bucket], to }]))
}

/** The load of each worker. */
export function perWorker(loads: readonly number[], owners: readonly number[], workers: number): number[] {
  const load = Array.from({ length: workers }, () => 0)
  owners.forEach((worker, bucket) => (load[worker] += loads[bucket]))
  return load
}
