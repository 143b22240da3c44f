/**
 * Reads the number forms of the WebAssembly binary format, strictly: no read passes the end, and a LEB128 number
 * has no more bytes or bits than its type. A violation throws `Rejected`, which decode.ts alone catches.
 *
 * Source: WebAssembly Core Specification 2.0, section 5.2.
 */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Why bytes were turned away; does not leave the decoder. */
export class Rejected extends Error {
  /** `unsupported`: valid, but outside what hairpin uses. */
  readonly failure: 'malformed' | 'unsupported'
  /** Offset in bytes from the start of the module. */
  readonly offset: number
  constructor(failure: 'malformed' | 'unsupported', offset: number, reason: string) {
    super(reason)
    this.failure = failure
    this.offset = offset
  }
}

export class Reader {
  readonly bytes: Uint8Array
  at: number
  readonly end: number

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get done(): boolean {
    return this.at >= this.end
  }

  malformed(reason: string, at = this.at): never {
    throw new Rejected('malformed', at, reason)
  }

  unsupported(found: string, at = this.at): never {
    throw new Rejected('unsupported', at, found)
  }

  byte(): number {
    if (this.at >= this.end) this.malformed('ends early')
    return this.bytes[this.at++]
  }

  /** Unsigned LEB128, 0..2^32-1. */
  u32(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    return this.malformed('number exceeds 32 bits', this.at - 1)
  }

  /** Signed LEB128, -2^31..2^31-1. */
  s32(): number {
    return Number(this.#signed(32))
  }

  /** Signed LEB128, -2^63..2^63-1. */
  s64(): bigint {
    return this.#signed(64)
  }

  #signed(width: number): bigint {
    let value = 0n
    for (let shift = 0; shift < width; shift += 7) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << BigInt(shift)
      if (byte < 0x80) {
        const bits = shift + 7
        const wide = BigInt.asIntN(bits, value)
        if (BigInt.asIntN(width, wide) !== wide) break
        return wide
      }
    }
    return this.malformed(`number exceeds ${width} bits`, this.at - 1)
  }

  raw(count: number): Uint8Array {
    if (count > this.end - this.at) this.malformed('ends early')
    this.at += count
    return this.bytes.slice(this.at - count, this.at)
  }

  /** UTF-8 with its length in bytes before it. */
  name(): string {
    const start = this.at
    const bytes = this.raw(this.u32())
    try {
      return utf8.decode(bytes)
    } catch {
      return this.malformed('name is not UTF-8', start)
    }
  }

  /** A region whose length in bytes precedes it; this reader goes on behind it. */
  sized(): Reader {
    const size = this.u32()
    if (size > this.end - this.at) this.malformed('ends early')
    this.at += size
    return new Reader(this.bytes, this.at - size, this.at)
  }
}
