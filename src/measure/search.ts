/**
 * The highest rate at which no more than a given share of packets is lost: MLFFR by binary search.
 *
 * A trial offers a rate for a while and counts. One that could not offer its rate (more than 1 % short) is discarded: its
 * loss is that of a lower rate. Each step takes the median of several trials, because one stall of a shared machine
 * loses packets at any rate. What the generator can do at most bounds the search; a result that close to it is
 * `generator-limited`, no property of the program. Whatever happens, all trials are kept.
 */

import { median } from './statistics.js'

/** One trial; rates in packets a second. */
export interface Trial {
  readonly requested: number
  readonly offered: number
  readonly sent: number
  readonly lost: number
  /** Between two machines: what each end counted. */
  readonly ends?: {
    /** By the agent: made by its program, completed and dropped by its device. */
    readonly made: number
    readonly completed: number
    readonly dropped: number
    /** Here: by the device's counters, as far as its driver counts what XDP takes; and by the program. */
    readonly arrived: number
    readonly arrivedDropped: number
    readonly processed: number
  }
}

export interface SearchOptions {
  /** Share of packets that may be lost, 0 to 1. */
  readonly loss: number
  /** What the generator offers at most, calibrated before. */
  readonly most: number
  /** Where a stricter search ended, if there was one. */
  readonly least?: number
  /** The search ends when its bounds are this close, relatively or in packets a second. */
  readonly relative: number
  readonly absolute: number
  /** Trials of each rate, of which the median counts. */
  readonly trials: number
  readonly run: (rate: number) => Promise<Trial>
}

export interface SearchResult {
  /** Packets a second; 0 if the lowest rate lost too much. */
  readonly rate: number
  /** Loss at that rate, median of its trials. */
  readonly loss: number
  readonly generatorLimited: boolean
  readonly trials: readonly Trial[]
  /** Trials that offered less than was asked. */
  readonly discarded: number
}

/** How far a trial's offered rate may be below what was asked. */
export const OFFER_TOLERANCE = 0.01
/** A rate this close to the generator's own says nothing about the program. */
const LIMITED = 0.97
/** Attempts at a rate, over those that count, before it is given up as not offerable. */
const ATTEMPTS = 3

export const lossOf = ({ sent, lost }: Trial): number => (sent === 0 ? 1 : lost / sent)

/** Searches; deterministic but for what `run` answers. */
export async function searchRate(options: SearchOptions): Promise<SearchResult> {
  const { loss, most, relative, absolute, trials: wanted, run } = options
  const trials: Trial[] = []
  let discarded = 0
  /** Median loss at a rate; undefined if the rate could not be offered. */
  const lossAt = async (rate: number): Promise<number | undefined> => {
    const losses: number[] = []
    for (let k = 0; losses.length < wanted && k < wanted * ATTEMPTS; k++) {
      const trial = await run(rate)
      trials.push(trial)
      if (trial.offered < rate * (1 - OFFER_TOLERANCE)) discarded++
      else losses.push(lossOf(trial))
      // The rest cannot change on which side of the criterion the median is.
      const [good, bad] = [losses.filter(l => l <= loss).length, losses.filter(l => l > loss).length]
      if (2 * Math.max(good, bad) > wanted) break
    }
    return losses.length === 0 ? undefined : median(losses)
  }
  let low = options.least ?? 0
  let high = most
  let lossAtLow = 0
  let ceiling = most
  const top = await lossAt(most)
  if (top !== undefined && top <= loss)
    return { rate: most, loss: top, generatorLimited: true, trials, discarded }
  while (high - low > Math.max(relative * high, absolute)) {
    const rate = (low + high) / 2
    const found = await lossAt(rate)
    if (found === undefined) {
      // The generator is not as fast beside the program as it was alone.
      high = rate
      ceiling = rate
    } else if (found <= loss) {
      low = rate
      lossAtLow = found
    } else high = rate
  }
  return { rate: low, loss: lossAtLow, generatorLimited: low >= LIMITED * ceiling, trials, discarded }
}

/** Named ways of searching. */
export interface Preset {
  readonly losses: readonly number[]
  readonly relative: number
  readonly absolute: number
  readonly source: string
}

export const presets: Readonly<Record<string, Preset>> = {
  rfc2544: { losses: [0], relative: 0.01, absolute: 0, source: 'RFC 2544, section 26.1: no loss' },
  csit: { losses: [0, 0.005], relative: 0.005, absolute: 0, source: 'FD.io CSIT: NDR and PDR, 0 and 0.5 %' },
  scr: {
    losses: [0.04],
    relative: 0,
    absolute: 400_000,
    source: 'State-Compute Replication, section 4.1: below 4 %, bounds within 0.4 Mpps',
  },
}
