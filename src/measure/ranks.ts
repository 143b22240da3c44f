/**
 * Two independent lists of samples: by how much they differ, whatever their distribution.
 *
 * The estimate is the median of all ratios a/b (Hodges and Lehmann 1963), the interval comes from the exact distribution
 * of the Mann-Whitney count, so it holds for five samples as for fifty and follows no outlier. For samples taken
 * in turn in one run use `pairedRatio` of statistics.ts, which is free of drift.
 */

import { median } from './statistics.js'

export interface RatioOfLists {
  /** Median of all ratios. */
  readonly ratio: number
  /** Interval that holds the true ratio with the confidence asked for; undefined where the samples are too few. */
  readonly interval: readonly [low: number, high: number] | undefined
}

/** Above this product of list lengths the count's distribution is taken as normal. */
const exactUpTo = 2500

/** How much larger the values of `a` are than those of `b`. Neither list may be empty. */
export function ratioOfLists(a: readonly number[], b: readonly number[], confidence = 0.95): RatioOfLists {
  const ratios = a.flatMap(x => b.map(y => x / y)).toSorted((x, y) => x - y)
  const cut = cutOff(a.length, b.length, (1 - confidence) / 2)
  const interval = cut < 0 ? undefined : ([ratios[cut], ratios[ratios.length - 1 - cut]] as const)
  return { ratio: median(ratios), interval }
}

/** How many ratios may be left out at each end; -1 if not even none of them gives the confidence. */
function cutOff(n: number, m: number, tail: number): number {
  if (n * m > exactUpTo) {
    const deviation = Math.sqrt((n * m * (n + m + 1)) / 12)
    return Math.floor((n * m) / 2 - normalQuantile(1 - tail) * deviation - 0.5)
  }
  const counts = mannWhitneyCounts(n, m)
  const all = counts.reduce((sum, x) => sum + x, 0)
  let below = 0
  for (let u = 0; u < counts.length; u++) {
    below += counts[u] / all
    if (below > tail) return u - 1
  }
  return counts.length - 1
}

/** Among all orders of n and m values, in how many u pairs are reversed; by u. */
function mannWhitneyCounts(n: number, m: number): Float64Array {
  // The Gaussian binomial coefficient: a product of (1 - x^(m+i)) / (1 - x^i).
  const counts = new Float64Array(n * m + 1)
  counts[0] = 1
  for (let i = 1; i <= n; i++) {
    for (let u = n * m; u >= m + i; u--) counts[u] -= counts[u - m - i]
    for (let u = i; u <= n * m; u++) counts[u] += counts[u - i]
  }
  return counts
}

/** Of the standard normal distribution, for 0.5 < p < 1; within 0.0005 (Abramowitz and Stegun 26.2.23). */
function normalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(1 - p))
  const above = 2.515517 + t * (0.802853 + t * 0.010328)
  return t - above / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}
