/**
 * A growing byte buffer that writes the number forms of the WebAssembly binary format. Sized regions are written in
 * place: five bytes are held free for the length, and the content moves down once when it is known, so that every
 * LEB128 number is as short as it can be and the bytes do not depend on how they came about.
 *
 * Source: WebAssembly Core Specification 2.0, section 5.2.
 */

const utf8 = new TextEncoder()
const LENGTH_BYTES = 5

export class Writer {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(count: number): void {
    const need = this.#length + count
    if (need <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Unsigned LEB128 of 0..2^32-1. */
  u32(value: number): void {
    this.#reserve(LENGTH_BYTES)
    this.#length = putU32(this.#bytes, this.#length, value)
  }

  /** Signed LEB128 of a safe integer (i32 constants, block types). */
  s32(value: number): void {
    this.#reserve(LENGTH_BYTES)
    let rest = value | 0
    for (;;) {
      const low = rest & 0x7f
      rest >>= 7
      const last = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
      this.#bytes[this.#length++] = last ? low : low | 0x80
      if (last) return
    }
  }

  /** Signed LEB128 of -2^63..2^63-1. */
  s64(value: bigint): void {
    if (value >= -0x8000_0000n && value <= 0x7fff_ffffn) return this.s32(Number(value))
    this.#reserve(10)
    let low = Number(BigInt.asIntN(32, value))
    let high = Number(value >> 32n)
    for (;;) {
      const group = low & 0x7f
      low = (low >>> 7) | (high << 25)
      high >>= 7
      const sign = (group & 0x40) === 0 ? 0 : -1
      const last = low === sign && high === sign
      this.#bytes[this.#length++] = last ? group : group | 0x80
      if (last) return
    }
  }

  /** UTF-8 with its length in bytes before it. */
  name(text: string): void {
    const bytes = utf8.encode(text)
    this.u32(bytes.length)
    this.raw(bytes)
  }

  /** Begins a region whose length in bytes precedes it. Hand the result to `close`; regions nest. */
  open(): number {
    this.#reserve(LENGTH_BYTES)
    this.#length += LENGTH_BYTES
    return this.#length
  }

  /** Ends the innermost region. */
  close(start: number): void {
    const size = this.#length - start
    const content = putU32(this.#bytes, start - LENGTH_BYTES, size)
    this.#bytes.copyWithin(content, start, this.#length)
    this.#length = content + size
  }
}

function putU32(bytes: Uint8Array, at: number, value: number): number {
  let rest = value >>> 0
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}
