/**
 * The time that a benchmark may take beyond its plan, shared out to what is still uncertain when its planned samples are taken.
 *
 * Each part gets twice its share of what is left, by its own length among what is still to come: what one part does not need
 * goes to those after it, and the first ones cannot use it all up. A run that is slower than its plan has less to share.
 */

export class SpareTime {
  readonly #end: number
  #planned: number
  readonly #now: () => number

  /** `limit`: seconds from now by which all should be done; `planned`: seconds that all parts take. `now` in milliseconds. */
  constructor(limit: number, planned: number, now = (): number => performance.now()) {
    this.#now = now
    this.#end = now() + 1000 * limit
    this.#planned = 1000 * planned
  }

  /** Takes seconds off the plan that were done in another run. */
  done(seconds: number): void {
    this.#planned -= 1000 * seconds
  }

  /** Until when a part may go on whose planned samples took so many milliseconds, by the same clock. */
  until(base: number): number {
    this.#planned = Math.max(0, this.#planned - base)
    const left = this.#end - this.#now() - this.#planned
    return this.#now() + Math.max(0, left) * Math.min(1, (2 * base) / (base + this.#planned))
  }
}
