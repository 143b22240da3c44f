// A C structure under construction: little-endian fields at byte offsets, and the memory that its pointers point to.

import { kernel } from './kernel.js'
import type { Bytes } from './kernel.js'

export class Structure {
  readonly bytes: Bytes
  readonly #view: DataView
  /** Pointed-to memory, kept from the garbage collector while the kernel uses it. */
  readonly #held: ArrayBufferView[] = []

  /** `size` in bytes; all zero. */
  constructor(size: number) {
    const buffer = new ArrayBuffer(size)
    this.bytes = new Uint8Array(buffer)
    this.#view = new DataView(buffer)
  }

  u16(offset: number, value: number): this {
    this.#view.setUint16(offset, value, true)
    return this
  }

  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true)
    return this
  }

  u64(offset: number, value: bigint): this {
    this.#view.setBigUint64(offset, value, true)
    return this
  }

  /** A pointer to bytes; 0 for none. */
  pointer(offset: number, bytes: ArrayBufferView | undefined): this {
    if (bytes === undefined || bytes.byteLength === 0) return this.u64(offset, 0n)
    this.#held.push(bytes)
    return this.u64(offset, kernel().address(bytes))
  }

  /** A pointer to text, zero-terminated. */
  text(offset: number, text: string): this {
    return this.pointer(offset, zeroTerminated(text))
  }

  read16(offset: number): number {
    return this.#view.getUint16(offset, true)
  }

  read32(offset: number): number {
    return this.#view.getUint32(offset, true)
  }

  read64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true)
  }

  /** Text in the structure itself, up to a zero byte or the end of its field. */
  readText(offset: number, length: number): string {
    const field = Buffer.from(this.bytes.buffer, offset, length)
    const end = field.indexOf(0)
    return field.toString('utf8', 0, end < 0 ? length : end)
  }

  /** Calls with the bytes; what the pointers point to stays alive until the call is over. */
  during(call: (bytes: Bytes) => number): number {
    const result = call(this.bytes)
    // Reading `#held` after the call is what keeps the memory alive during it.
    return this.#held.length < 0 ? 0 : result
  }
}

export function zeroTerminated(text: string): Bytes {
  return new TextEncoder().encode(`${text}\0`)
}
