// Waiting for sockets: until one has something to read, an error, or some time has passed.

import { errno } from './errno.js'
import { checked } from './failure.js'
import { kernel } from './kernel.js'
import type { Bytes } from './kernel.js'
import { Structure } from './structure.js'

const POLLIN = 1

/** Descriptors to wait for; made once and used again. */
export class PollSet {
  readonly #bytes: Bytes

  constructor(fds: readonly number[]) {
    const list = new Structure(8 * fds.length)
    fds.forEach((fd, k) => list.u32(8 * k, fd).u16(8 * k + 4, POLLIN))
    this.#bytes = list.bytes
  }

  /** Blocks the thread for at most so many milliseconds; false if they passed. */
  wait(milliseconds: number): boolean {
    const result = kernel().poll(this.#bytes, milliseconds)
    return -result === errno.EINTR ? true : checked(result, 'poll') > 0
  }

  /** The same without blocking the thread. */
  waitLater(milliseconds: number): Promise<boolean> {
    return new Promise(resolve => {
      kernel().pollLater(this.#bytes, milliseconds, result => resolve(result !== 0))
    })
  }
}
