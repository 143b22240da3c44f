// What a run has made and must close, whether it came about or failed half way.

export class Held {
  readonly #objects: { close(): void }[] = []

  /** Has an object closed with the others. */
  readonly keep = <T extends { close(): void }>(object: T): T => {
    this.#objects.push(object)
    return object
  }

  /** Closes all, the last one first. Harmless when repeated. */
  close(): void {
    for (const object of this.#objects.toReversed()) object.close()
    this.#objects.length = 0
  }
}
