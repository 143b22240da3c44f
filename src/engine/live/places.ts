// One program on the interfaces of a live run, and what their drivers count while it is there.

import type { BpfProgram } from '../../sys/program.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import type { XdpMode } from '../../sys/link.js'
import { countedSince, driverCounts } from '../kernel/driver.js'
import type { DriverCounts } from '../kernel/driver.js'
import type { SteeredTable } from './table.js'

/** What has all packets of an interface come by one queue. */
export type OneQueue = Pick<SteeredTable, 'confirm' | 'restore'>

const nothing: DriverCounts = {
  handed: undefined,
  transmitLost: undefined,
  lost: undefined,
  sendLost: undefined,
}

export class Places {
  readonly attachments: readonly Attachment[]
  readonly #before: readonly DriverCounts[]
  readonly #table: OneQueue | undefined
  #after: readonly DriverCounts[] | undefined

  /**
   * Attaches to all interfaces or to none. Throws what attaching throws. A card's table that has all packets on one queue
   * is put back when the program has come off.
   */
  constructor(program: BpfProgram, names: readonly string[], mode: XdpMode, table?: OneQueue) {
    const attachments: Attachment[] = []
    const before: DriverCounts[] = []
    try {
      for (const name of names) {
        before.push(driverCounts(name))
        attachments.push(attachXdp(program, name, mode))
      }
      table?.confirm()
    } catch (error) {
      for (const a of attachments) a.detach()
      table?.restore()
      throw error
    }
    this.#table = table
    this.attachments = attachments
    this.#before = before
  }

  /** What drivers counted since, and until programs came off. */
  counted(): readonly DriverCounts[] {
    return this.#after ?? this.#now()
  }

  /** Takes programs off their interfaces, if those are there. Harmless when repeated. */
  detach(): void {
    if (this.#after) return
    for (const a of this.attachments) a.detach()
    this.#table?.restore()
    this.#after = this.#now()
  }

  close(): void {
    for (const a of this.attachments) a.detach()
    this.#table?.restore()
  }

  /** In generic mode no driver is asked. */
  #now(): DriverCounts[] {
    return this.attachments.map(({ interfaceName, mode }, k) =>
      mode === 'native' ? countedSince(driverCounts(interfaceName), this.#before[k]) : nothing,
    )
  }
}
