/**
 * Robust statistics of repeated measurements: order statistics only, no mean and no normal distribution assumed.
 *
 * Times of a program on a shared machine have a floor and a long tail on one side; a mean follows the tail. The
 * *spread* of samples is their interquartile range divided by their median: how far samples lie apart, however many there are. The
 * *interval* is for the median, the number that is printed: where another run's would be. It narrows with more samples.
 */

/** An interval for the true median, from one sample to another, which no distribution is assumed for. */
export interface MedianInterval {
  readonly low: number
  readonly high: number
  /** Probability, at least, that an interval made this way holds the true median; below the level asked for where samples are few. */
  readonly level: number
}

/** The level of printed intervals. It takes six samples. */
export const INTERVAL_LEVEL = 0.95

export interface Summary {
  readonly count: number
  readonly median: number
  readonly min: number
  readonly max: number
  readonly lowerQuartile: number
  readonly upperQuartile: number
  /** (upper quartile - lower quartile) / median; 0 for a single sample or a median of 0. */
  readonly spread: number
  /** For the median, with 95 % where there are six samples; from least to most, and the level that this gives, where fewer. */
  readonly interval: MedianInterval
}

/** How wide a summary's interval is, as a share of the median; 0 for a median of 0. */
export const intervalWidth = ({ median: middle, interval: { low, high } }: Summary): number =>
  middle === 0 ? 0 : (high - low) / Math.abs(middle)

/** The `share` quantile (0..1), linear between the two samples next to it; NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  return sortedQuantile(
    samples.toSorted((a, b) => a - b),
    share,
  )
}

function sortedQuantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return NaN
  const place = Math.max(0, Math.min(1, share)) * (sorted.length - 1)
  const low = Math.floor(place)
  const high = Math.ceil(place)
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low)
}

/** The middle sample, or halfway between the two in the middle; NaN without samples. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}

/** Summarises samples; all fields but `count` are NaN without samples. */
export function summarise(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sortedQuantile(sorted, 0.5)
  const lowerQuartile = sortedQuantile(sorted, 0.25)
  const upperQuartile = sortedQuantile(sorted, 0.75)
  return {
    count: sorted.length,
    median: middle,
    min: sorted[0] ?? NaN,
    max: sorted[sorted.length - 1] ?? NaN,
    lowerQuartile,
    upperQuartile,
    spread: middle === 0 ? 0 : (upperQuartile - lowerQuartile) / Math.abs(middle),
    interval: sortedInterval(sorted, INTERVAL_LEVEL),
  }
}

/**
 * The interval that holds the true median with at least `confidence` probability, whatever the distribution. Undefined where
 * the samples are too few (below 6 for 95 %).
 */
export function medianInterval(
  samples: readonly number[],
  confidence = INTERVAL_LEVEL,
): [number, number] | undefined {
  const { low, high, level } = sortedInterval(
    samples.toSorted((a, b) => a - b),
    confidence,
  )
  return level < confidence ? undefined : [low, high]
}

/**
 * From the k-th smallest sample to the k-th largest, k the largest by which the binomial distribution gives the confidence; from the
 * least to the most where not even they do.
 */
function sortedInterval(sorted: readonly number[], confidence: number): MedianInterval {
  const n = sorted.length
  if (n === 0) return { low: NaN, high: NaN, level: 0 }
  // below = P(fewer than k + 1 of n samples lie under the median)
  let logTerm = -n * Math.LN2
  let below = 0
  let interval: MedianInterval | undefined
  for (let k = 0; k < n / 2; k++) {
    below += Math.exp(logTerm)
    const level = Math.max(0, 1 - 2 * below)
    if (interval && level < confidence) break
    interval = { low: sorted[k], high: sorted[n - 1 - k], level }
    if (level < confidence) break
    logTerm += Math.log((n - k) / (k + 1))
  }
  return interval!
}

export interface PairedRatio {
  /** Summary of the ratios of samples taken in the same round: what varies from round to round falls out. */
  readonly summary: Summary
  /** Interval that holds the median ratio with 95 % confidence; undefined with fewer than 6 rounds. */
  readonly interval: readonly [low: number, high: number] | undefined
  /** Whether the interval excludes a ratio of 1, so that the two differ. */
  readonly differs: boolean
}

/** The ratios `samples[i] / baseline[i]`; both lists have one sample for each round. */
export function pairedRatio(samples: readonly number[], baseline: readonly number[]): PairedRatio {
  if (samples.length !== baseline.length) {
    throw new RangeError(`${samples.length} samples cannot be paired with ${baseline.length}`)
  }
  const ratios = samples.map((sample, i) => sample / baseline[i])
  const interval = medianInterval(ratios)
  return {
    summary: summarise(ratios),
    interval,
    differs: interval !== undefined && (interval[0] > 1 || interval[1] < 1),
  }
}
