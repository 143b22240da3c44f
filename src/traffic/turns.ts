/**
 * Whose turn it is: chooses among the flows under way, each in proportion to its weight.
 *
 * Flows whose weights share a power of two share a list. A list is chosen as if all in it had the power above, then
 * a flow in it, which is taken with the probability weight / power, or else all is drawn again (two draws at worst on
 * average). Adding, choosing and removing take constant time.
 */

import type { Random } from './random.js'

const CLASSES = 40
const powers = Float64Array.from({ length: CLASSES }, (_, i) => 2 ** i)

export class Turns {
  /** Flows in the set. */
  count = 0
  /** Where the flow last chosen stands, for `remove`. */
  #chosenClass = 0
  #chosenIndex = 0

  readonly #weights: Float64Array
  readonly #lists: Int32Array[] = Array.from({ length: CLASSES }, () => new Int32Array(16))
  readonly #lengths = new Int32Array(CLASSES)
  #highest = 0
  #weight = 0

  /** @param slots how many slots there are. */
  constructor(slots: number) {
    this.#weights = new Float64Array(slots)
  }

  /** Adds a flow; its weight counts from 1 to 2^39 and is brought into that range. */
  add(slot: number, weight: number): void {
    const bounded = Math.max(1, Math.min(2 ** (CLASSES - 1), weight))
    const chosen = bounded <= 1 ? 0 : Math.ceil(Math.log2(bounded) - 1e-9)
    this.#weights[slot] = bounded / powers[chosen]
    let list = this.#lists[chosen]
    const length = this.#lengths[chosen]
    if (length === list.length) {
      const larger = new Int32Array(length * 2)
      larger.set(list)
      this.#lists[chosen] = list = larger
    }
    list[length] = slot
    this.#lengths[chosen] = length + 1
    this.#weight += powers[chosen]
    this.count++
    if (chosen > this.#highest) this.#highest = chosen
  }

  /** A slot, drawn by weight; the set must not be empty. */
  choose(random: Random): number {
    for (;;) {
      let rest = random.unit() * this.#weight
      let chosen = this.#highest
      for (; chosen > 0; chosen--) {
        const share = this.#lengths[chosen] * powers[chosen]
        if (rest < share) break
        rest -= share
      }
      const length = this.#lengths[chosen]
      const place = rest / powers[chosen]
      let index = Math.floor(place)
      if (index >= length) index = length - 1
      const slot = this.#lists[chosen][index]
      // What is left of the draw is uniform in [0, 1) again.
      if (chosen > 0 && place - index >= this.#weights[slot]) continue
      this.#chosenClass = chosen
      this.#chosenIndex = index
      return slot
    }
  }

  /** Removes the flow that was chosen last. */
  removeChosen(): void {
    const list = this.#lists[this.#chosenClass]
    const last = --this.#lengths[this.#chosenClass]
    list[this.#chosenIndex] = list[last]
    this.#weight -= powers[this.#chosenClass]
    this.count--
    while (this.#highest > 0 && this.#lengths[this.#highest] === 0) this.#highest--
  }
}
