// A network card for tests, as ethtool sees it: an indirection table, rules, offloads. No driver on this machine has all.

import { errno } from '../../sys/errno.js'
import { withFakeKernel } from '../../sys/testing.js'

/** A card with 4 queues, an indirection table of 8, and room for rules, as ethtool sees it. */
export class Card {
  table = [0, 1, 2, 3, 0, 1, 2, 3]
  readonly rules = new Map<number, Uint8Array>()
  ntuple = false
  gro = true
  lro = true
  /** Rules that it takes before it has no more room. */
  room = 10
  /** It takes a rule and has another queue in it. */
  lies = false
  /** It has no table. */
  tableless = false
  /** Its table keeps this place whatever is written; none if undefined. */
  stuck: number | undefined
  /** Tables that were written, in their order. */
  readonly written: number[][] = []

  run(body: () => void): void {
    let at: (address: bigint) => Uint8Array
    withFakeKernel(
      {
        other: {
          socket: () => 3,
          ioctl: (_, __, argument) => {
            const bytes = at(new DataView(argument.buffer).getBigUint64(16, true))
            return this.#answer(new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
          },
        },
      },
      fake => {
        at = address => fake.at(address)
        body()
      },
    )
  }

  #answer(v: DataView): number {
    const put = (offset: number, value: number): number => (v.setUint32(offset, value, true), 0)
    switch (v.getUint32(0, true)) {
      case 0x25:
        return put(4, (this.ntuple ? 1 << 27 : 0) | (this.lro ? 1 << 15 : 0))
      case 0x26:
        this.ntuple = (v.getUint32(4, true) & (1 << 27)) !== 0
        this.lro = (v.getUint32(4, true) & (1 << 15)) !== 0
        return 0
      case 0x2b:
        return put(4, this.gro ? 1 : 0)
      case 0x2c:
        this.gro = v.getUint32(4, true) !== 0
        return 0
      case 0x2e:
        v.setBigUint64(8, BigInt(this.room), true)
        return put(184, this.rules.size)
      case 0x2f: {
        const found = this.rules.get(v.getUint32(176, true))
        if (!found) return -errno.ENOENT
        new Uint8Array(v.buffer, v.byteOffset, 192).set(found)
        if (this.lies) v.setBigUint64(168, 0n, true)
        return 0
      }
      case 0x30:
        ;[...this.rules.keys()].forEach((location, k) => put(188 + 4 * k, location))
        return put(184, this.rules.size)
      case 0x31:
        return this.rules.delete(v.getUint32(176, true)) ? 0 : -errno.ENOENT
      case 0x32:
        if (this.rules.size === this.room) return -errno.ENOSPC
        this.rules.set(
          v.getUint32(176, true),
          new Uint8Array(v.buffer.slice(v.byteOffset, v.byteOffset + 192)),
        )
        return 0
      case 0x46:
        if (this.tableless) return -errno.EOPNOTSUPP
        if (v.getUint32(8, true) > 0) this.table.forEach((queue, k) => put(24 + 4 * k, queue))
        put(8, 8)
        return put(12, 0)
      case 0x47:
        this.table = this.table.map((queue, k) => (k === this.stuck ? queue : v.getUint32(24 + 4 * k, true)))
        this.written.push(this.table)
        return 0
      default:
        return -errno.EOPNOTSUPP
    }
  }
}
