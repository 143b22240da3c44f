// File descriptors of kernel objects: closed once, never used after.

import { kernel } from './kernel.js'

/** An open file descriptor that belongs to us. */
export class Descriptor {
  #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  /** The number; an invariant error after `close`. */
  get fd(): number {
    if (this.#fd < 0) throw new Error('a descriptor is used after it was closed')
    return this.#fd
  }

  get closed(): boolean {
    return this.#fd < 0
  }

  /** Closes it; the object behind lives on while something else in the kernel holds it. Harmless when repeated. */
  close(): void {
    const fd = this.#fd
    this.#fd = -1
    if (fd >= 0) kernel().close(fd)
  }
}
