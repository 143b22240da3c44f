// A broken promise of our own code: never the author's fault, never the machine's. It is thrown, not reported.

export class InvariantError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'InvariantError'
  }
}
