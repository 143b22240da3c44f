/**
 * When packets arrive: all gaps equal, exponential gaps, or trains of packets with silence between them.
 *
 * `onoff` follows what Benson et al. (IMC 2010, section 4) saw at the edge of data centres: ON and OFF periods whose
 * lengths are lognormal, packets within an ON period at random. The mean rate is the specification's in all three;
 * ON periods take the share `duty` of the time and hold `train` packets in the mean. The paper gives fits by switch and
 * not one for all, so sigma is ours: 1, which makes the longest of a hundred periods about ten times the median.
 * Times are a pure function of the specification.
 */

import { Random } from './random.js'

const SIGMA = 1
/** The mean of a lognormal distribution of median 1. */
const MEAN_OF_LOGNORMAL = Math.exp((SIGMA * SIGMA) / 2)

export type Arrival = 'constant' | 'poisson' | 'onoff'

export class Arrivals {
  readonly #kind: Arrival
  readonly #random: Random
  /** Nanoseconds between packets in the mean, within trains, and between the end of a train and the next. */
  readonly #gap: number
  readonly #inTrain: number
  readonly #silence: number
  readonly #train: number
  #count = 0
  #clock = 0
  #left = 0

  /** @param rate packets a second; @param train packets, 1 or more; @param duty share of the time, above 0. */
  constructor(kind: Arrival, rate: number, train: number, duty: number, seed: number, stream: number) {
    this.#kind = kind
    this.#random = new Random(seed, stream)
    this.#gap = 1e9 / rate
    this.#inTrain = this.#gap * duty
    this.#silence = this.#gap * train * (1 - duty)
    this.#train = train
  }

  /** Nanoseconds from the first packet to the next one, a whole number. */
  next(): number {
    const first = this.#count === 0
    if (this.#kind === 'constant') return Math.round(this.#count++ * this.#gap)
    this.#count++
    if (this.#kind === 'poisson') {
      if (!first) this.#clock += this.#random.exponential(this.#gap)
      return Math.round(this.#clock)
    }
    if (!first) this.#clock += this.#random.exponential(this.#inTrain)
    if (this.#left <= 0) {
      if (!first) this.#clock += this.#silence * this.#lognormal()
      this.#left += this.#train * this.#lognormal()
    }
    this.#left--
    return Math.round(this.#clock)
  }

  /** Lognormal with mean 1 (Box and Muller). */
  #lognormal(): number {
    const radius = Math.sqrt(2 * this.#random.exponential(1))
    const normal = radius * Math.cos(2 * Math.PI * this.#random.unit())
    return Math.exp(SIGMA * normal) / MEAN_OF_LOGNORMAL
  }
}
