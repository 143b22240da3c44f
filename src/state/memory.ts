// A block of bytes as the reference implementation sees it: one view for words, one for copies.
//
// The same buffer can be a WebAssembly memory, so offsets are plain numbers up to 2^32 and are never put through
// signed 32-bit operators. All words are little-endian.

export interface StateMemory {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Views of a whole buffer; `buffer` may be shared. */
export const stateMemory = (buffer: ArrayBufferLike): StateMemory => ({
  bytes: new Uint8Array(buffer),
  view: new DataView(buffer),
})

/** The u32 at an offset. */
export const load32 = (memory: StateMemory, at: number): number => memory.view.getUint32(at, true)

/** Stores the low 32 bits of a value. */
export const store32 = (memory: StateMemory, at: number, value: number): void =>
  memory.view.setUint32(at, value >>> 0, true)

/** Adds to a u32, modulo 2^32. */
export const add32 = (memory: StateMemory, at: number, amount: number): void =>
  store32(memory, at, load32(memory, at) + amount)
