// All packets of an interface on one receive queue, by its card's indirection table, and the table back as it was.
//
// It is written before the program is attached, when packets still go to the kernel, and read back; and again when the
// program is there, because some drivers set their queues up anew for XDP, and then the card does what it did at first
// though the driver still shows our table (virtio_net). For the same reason it is put back after the program is gone. A
// second process does that if this one is killed. What a card has no hash for comes by queue 0, so that is the one.

import { scaling, setScaling } from '../../sys/ethtool.js'
import { SystemError } from '../../sys/failure.js'
import { flowRules } from '../../sys/flow-rules.js'
import { startGuard } from '../queue/guard.js'
import type { Guard } from '../queue/guard.js'
import { undo } from '../queue/isolate.js'
import type { Undo } from '../queue/isolate.js'

/** Why an interface's packets cannot be had on one queue by its table. */
export class CannotSteer extends Error {}

/** Why not, as far as it can be told without trying; undefined if nothing speaks against it. */
export function tableRefusal(device: string): string | undefined {
  if (scaling(device) === undefined) return `the driver of ${device} has no indirection table`
  if (flowRules(device).length > 0)
    return `${device} has rules that steer packets, and they come before its table (ethtool -n ${device})`
  return undefined
}

export class SteeredTable {
  readonly device: string
  /** The queue that all packets come by. */
  readonly queue = 0
  readonly #before: readonly number[]
  readonly #guard: Guard
  #isOurs = true

  /** Throws `CannotSteer`, and then all is as it was. In the namespace of the interface. */
  constructor(device: string, makeGuard: () => Guard = startGuard) {
    const refusal = tableRefusal(device)
    if (refusal !== undefined) throw new CannotSteer(refusal)
    this.device = device
    this.#before = scaling(device)!.indirection
    this.#guard = makeGuard()
    this.#guard.set([this.#step])
    try {
      this.#write()
    } catch (error) {
      this.restore()
      throw error
    }
  }

  /** Places that the table has. */
  get places(): number {
    return this.#before.length
  }

  /** Writes it again, once the program is attached. Throws `CannotSteer`. */
  confirm(): void {
    this.#write()
  }

  /** Puts the table back, once the program is gone. Harmless when repeated, or when the interface is gone. */
  restore(): void {
    if (!this.#isOurs) return
    this.#isOurs = false
    try {
      undo(this.#step)
    } catch {
      // It went with its interface.
    }
    this.#guard.release()
  }

  get #step(): Undo {
    return { kind: 'indirection', device: this.device, table: this.#before }
  }

  #write(): void {
    try {
      setScaling(
        this.device,
        this.#before.map(() => this.queue),
      )
    } catch (error) {
      if (error instanceof SystemError) throw new CannotSteer(error.message)
      throw error
    }
    const others = scaling(this.device)?.indirection.filter(queue => queue !== this.queue) ?? []
    if (others.length > 0)
      throw new CannotSteer(
        `${this.device} took a table of queue ${this.queue} alone, and shows queue ${others[0]} in it`,
      )
  }
}
