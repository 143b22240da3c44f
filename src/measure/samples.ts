/**
 * What the processes gave for one task, and which of it counts.
 *
 * A process of which most rounds were taken while others used the CPUs is a disturbed sample. Once as many samples as were planned are
 * undisturbed, only they count, and the others are counted as thrown away: what decides is what others used, never the value. Until
 * then all count.
 */

import { isSettled } from './record.js'
import type { BenchmarkRecord } from './record.js'
import type { Answer, Repetition } from './repetition.js'

/** What a task gave. */
export interface Collected {
  /** By way, then by process. */
  readonly ways: readonly (readonly Repetition[])[]
  readonly disturbed: BenchmarkRecord['disturbed']
}

type Sample = Exclude<Answer, { readonly error: string }>

/** The samples of a quantity. */
export const samplesOf = (repetitions: readonly Repetition[], quantity: string): number[] =>
  repetitions.map(r => r.quantities[quantity])

const isDisturbed = ({ rounds, disturbed }: Sample): boolean => 2 * (disturbed?.kept ?? 0) > rounds

export class Samples implements Collected {
  readonly #planned: number
  readonly #all: Sample[] = []

  /** `planned`: as many undisturbed samples are enough. */
  constructor(planned: number) {
    this.#planned = planned
  }

  add(sample: Sample): void {
    this.#all.push(sample)
  }

  get ways(): readonly (readonly Repetition[])[] {
    return this.#all[0].ways.map((_, way) => this.#counting.map(sample => sample.ways[way]))
  }

  get disturbed(): BenchmarkRecord['disturbed'] {
    if (this.#all.some(s => s.disturbed === null)) return null
    const counting = this.#counting
    const rounds = this.#all.reduce((sum, s) => sum + (s.disturbed?.rejected ?? 0), 0)
    return {
      rejected: rounds + this.#all.length - counting.length,
      kept: counting.filter(isDisturbed).length,
    }
  }

  /** Whether all that records are made of is known well enough. */
  get areSettled(): boolean {
    return this.ways.every(list =>
      Object.keys(list[0].quantities).every(quantity => isSettled(samplesOf(list, quantity))),
    )
  }

  get #counting(): readonly Sample[] {
    const quiet = this.#all.filter(s => !isDisturbed(s))
    return quiet.length >= this.#planned ? quiet : this.#all
  }
}
