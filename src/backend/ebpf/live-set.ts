// A set of small numbers that can be walked in the order they were added, as a Set can, but without hashing or iterators.
//
// Promises: adding what is there changes nothing; what was removed and added again comes last. All operations but copying
// take constant time.

export class LiveSet {
  /** By number; `bound` stands for the place before the first and behind the last. */
  private readonly next: Int32Array
  private readonly previous: Int32Array
  private readonly bound: number

  /** For numbers below `bound`. */
  constructor(bound: number) {
    this.bound = bound
    this.next = new Int32Array(bound + 1).fill(-1)
    this.previous = new Int32Array(bound + 1)
    this.next[bound] = bound
    this.previous[bound] = bound
  }

  /** Has these and no others, in this order. */
  set(numbers: readonly number[]): void {
    const { next, bound } = this
    for (let k = next[bound]; k !== bound;) {
      const after = next[k]
      next[k] = -1
      k = after
    }
    next[bound] = bound
    this.previous[bound] = bound
    for (const k of numbers) this.add(k)
  }

  add(k: number): void {
    const { next, previous, bound } = this
    if (next[k] >= 0) return
    const last = previous[bound]
    next[last] = k
    previous[k] = last
    next[k] = bound
    previous[bound] = k
  }

  delete(k: number): void {
    const { next, previous } = this
    const after = next[k]
    if (after < 0) return
    next[previous[k]] = after
    previous[after] = previous[k]
    next[k] = -1
  }

  /** Has `visit` see each, in the order they were added; it must not change the set. */
  each(visit: (k: number) => void): void {
    const { next, bound } = this
    for (let k = next[bound]; k !== bound; k = next[k]) visit(k)
  }

  /** In the order they were added. */
  numbers(): number[] {
    const { next, bound } = this
    const found: number[] = []
    for (let k = next[bound]; k !== bound; k = next[k]) found.push(k)
    return found
  }
}
