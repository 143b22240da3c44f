/**
 * Makes a failing case small: fewer packets, fewer statements, simpler expressions, as long as it fails alike.
 *
 * Greedy, in passes: a pass tries every way to make the case one step smaller, and goes on from where it was after
 * each that worked, because what did not work before seldom works then. Passes go on until one finds nothing.
 */

import { examine } from './case.js'
import type { Case, Failure, Runner } from './case.js'
import { sizeOf, smaller } from './tree.js'

export interface Minimised {
  readonly case: Case
  readonly failure: Failure
}

/** The smallest case found within `milliseconds` that fails in the same way, run by `runner` if one is given. */
export async function minimise(
  given: Case,
  failure: Failure,
  milliseconds: number,
  runner?: Runner,
): Promise<Minimised> {
  const search = new Search(given, failure, performance.now() + milliseconds, runner)
  for (let again = true; again && !search.late;) again = (await search.packets()) || (await search.program())
  return search.best
}

class Search {
  best: Minimised
  readonly #deadline: number
  readonly #runner: Runner | undefined

  constructor(given: Case, failure: Failure, deadline: number, runner?: Runner) {
    this.best = { case: given, failure }
    this.#deadline = deadline
    this.#runner = runner
  }

  get late(): boolean {
    return performance.now() > this.#deadline
  }

  async #try(candidate: Case): Promise<boolean> {
    const { kind, ways } = this.best.failure
    const { failure } = await examine(candidate, ways, this.#runner)
    if (failure?.kind !== kind) return false
    this.best = { case: candidate, failure }
    return true
  }

  async packets(): Promise<boolean> {
    const before = this.best.case.packets.length
    for (let size = before; size >= 1; size >>= 1)
      for (let from = this.best.case.packets.length - size; from >= 0 && !this.late; from -= size) {
        const { packets } = this.best.case
        const fewer = [...packets.slice(0, from), ...packets.slice(from + size)]
        await this.#try({ ...this.best.case, packets: fewer })
      }
    return this.best.case.packets.length < before
  }

  async program(): Promise<boolean> {
    let found = false
    for (let position = 0; !this.late;) {
      const next = await this.#from(position)
      if (next === undefined) return found
      found = true
      position = next
    }
    return found
  }

  /** The place of the first smaller program from `position` on that fails alike; the best case is then that. */
  async #from(position: number): Promise<number | undefined> {
    const { program } = this.best.case
    const size = sizeOf(program)
    let place = 0
    for (const candidate of smaller(program)) {
      if (place++ < position || sizeOf(candidate) > size) continue
      if (this.late) return undefined
      if (await this.#try({ ...this.best.case, program: candidate })) return place - 1
    }
    return undefined
  }
}
