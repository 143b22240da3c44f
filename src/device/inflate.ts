// DEFLATE (RFC 1951), decoded by pulling: as many bytes as asked for, synchronously, in bounded memory. Node's own
// zlib streams are asynchronous and its synchronous calls want the whole file in memory, so neither can stand behind
// a device that is read synchronously from any thread (docs/decisions/0011).
// Hot path: no allocation per symbol. Promise: for any bytes, `produce` returns; it never throws.

/** Where packed bytes come from. */
export interface Packed {
  /** Fills the front of `into`; 0 at the end, or why that failed. */
  read(into: Uint8Array): number | string
}

/** How a call of `produce` ended. */
export const produced = { full: 0, done: 1, failed: 2 } as const

const windowBytes = 32_768
const outputBytes = 262_144
const longestMatch = 258
const inputBytes = 65_536

/** Codes up to this length are found in one table look-up, longer ones bit by bit. */
const fastBits = 10

/** Length and distance codes (RFC 1951, 3.2.5): base value and extra bits. */
const lengthBase = Uint16Array.from([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258, 0, 0,
])
const lengthExtra = Uint8Array.from([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0, 0, 0,
])
const distanceBase = Uint16Array.from([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577, 0, 0,
])
const distanceExtra = Uint8Array.from([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 0, 0,
])
/** Order in which the lengths of the code-length code are stored (3.2.7). */
const storedOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** A decoder for one set of code lengths: a table for short codes, canonical counts for the rest. */
class Code {
  /** symbol << 4 | length for every value of the next `fastBits` bits; 0 where the code is longer. */
  readonly fast = new Uint16Array(1 << fastBits)
  readonly counts = new Uint16Array(16)
  readonly symbols = new Uint16Array(288)

  /** Builds the decoder; answers false for an over-subscribed set, or an incomplete one with more than one code. */
  build(lengths: Uint8Array, from: number, size: number): boolean {
    const { counts, symbols, fast } = this
    counts.fill(0)
    fast.fill(0)
    for (let symbol = 0; symbol < size; symbol++) counts[lengths[from + symbol]]++
    counts[0] = 0
    let [left, used] = [1, 0]
    const offsets = new Uint16Array(16)
    const codes = new Uint16Array(16)
    for (let length = 1, code = 0; length < 16; length++) {
      left = left * 2 - counts[length]
      if (left < 0) return false
      code = (code + (length === 1 ? 0 : counts[length - 1])) << 1
      codes[length] = code
      offsets[length] = used
      used += counts[length]
    }
    for (let symbol = 0; symbol < size; symbol++) {
      const length = lengths[from + symbol]
      if (length === 0) continue
      symbols[offsets[length]++] = symbol
      const code = codes[length]++
      if (length > fastBits) continue
      for (let at = reversed(code, length); at < fast.length; at += 1 << length) {
        fast[at] = (symbol << 4) | length
      }
    }
    return left === 0 || used <= 1
  }
}

/** The lowest `length` bits of a code in the opposite order: DEFLATE sends codes from their top bit. */
function reversed(code: number, length: number): number {
  let result = 0
  for (let bit = 0; bit < length; bit++) result |= ((code >>> bit) & 1) << (length - 1 - bit)
  return result
}

const state = { header: 0, stored: 1, coded: 2, end: 3 } as const

/** One DEFLATE stream after another from the same packed bytes. */
export class Inflater {
  /** Produced bytes are `output[from..to)`; older ones before them are the window. */
  readonly output = new Uint8Array(windowBytes + outputBytes + longestMatch)
  from = windowBytes
  to = windowBytes
  /** Why `produce` failed. */
  failure = ''
  /** True when it failed because the packed bytes ended. */
  truncated = false
  readonly #packed: Packed
  readonly #input = new Uint8Array(inputBytes)
  #inputAt = 0
  #inputEnd = 0
  /** Packed bytes taken from the source so far. */
  #taken = 0
  #bits = 0
  #bitCount = 0
  #state: number = state.header
  #last = false
  #storedLeft = 0
  readonly #literals = new Code()
  readonly #distances = new Code()
  readonly #lengths = new Uint8Array(320)
  /** Bytes of the current stream that precede `to`, at most the window: how far a match may reach back. */
  #reach = 0

  constructor(packed: Packed) {
    this.#packed = packed
  }

  /** Packed bytes used up, counting a partly used one as used. */
  get position(): number {
    return this.#taken - (this.#inputEnd - this.#inputAt) - (this.#bitCount >>> 3)
  }

  /** Begins a stream at the next whole packed byte. */
  begin(): void {
    this.#state = state.header
    this.#reach = 0
  }

  /** The next packed byte outside a stream, -1 at the end of the bytes or when reading failed (see `failure`). */
  byte(): number {
    if (this.#bitCount & 7) this.#drop(this.#bitCount & 7)
    if (this.#bitCount > 0) {
      const byte = this.#bits & 0xff
      this.#drop(8)
      return byte
    }
    if (this.#inputAt === this.#inputEnd && !this.#refill()) return -1
    return this.#input[this.#inputAt++]
  }

  /** Decodes until the output is full, the stream is done, or something is wrong; the last two may add bytes too. */
  produce(): number {
    this.#slide()
    for (;;) {
      if (this.#state === state.end) return produced.done
      const room = this.output.length - longestMatch
      if (this.to >= room) return produced.full
      let fine: boolean
      if (this.#state === state.header) fine = this.#header()
      else if (this.#state === state.stored) fine = this.#stored(room)
      else fine = this.#coded(room)
      if (!fine) return produced.failed
    }
  }

  /** Keeps the window and forgets what was handed out before it. */
  #slide(): void {
    const keep = this.to - windowBytes
    if (keep <= 0) return
    this.output.copyWithin(0, keep, this.to)
    this.from = windowBytes
    this.to = windowBytes
  }

  #header(): boolean {
    if (this.#last) {
      this.#last = false
      this.#state = state.end
      return true
    }
    if (!this.#want(3)) return false
    this.#last = (this.#bits & 1) === 1
    const type = (this.#bits >>> 1) & 3
    this.#drop(3)
    if (type === 0) return this.#storedHeader()
    if (type === 3) return this.#fail('a block has the reserved type')
    this.#state = state.coded
    return type === 1 ? this.#fixedCodes() : this.#dynamicCodes()
  }

  #storedHeader(): boolean {
    this.#drop(this.#bitCount & 7)
    let word = 0
    for (let index = 0; index < 4; index++) {
      const byte = this.byte()
      if (byte < 0) return this.#fail('')
      word |= byte << (index * 8)
    }
    const length = word & 0xffff
    if (length !== ((~word >>> 16) & 0xffff)) return this.#fail('the lengths of a stored block differ')
    this.#storedLeft = length
    this.#state = state.stored
    return true
  }

  #stored(room: number): boolean {
    while (this.#storedLeft > 0 && this.to < room) {
      if (this.#bitCount > 0) {
        this.output[this.to++] = this.#bits & 0xff
        this.#drop(8)
        this.#storedLeft--
        this.#reach++
        continue
      }
      if (this.#inputAt === this.#inputEnd && !this.#refill()) return this.#fail('')
      const step = Math.min(this.#storedLeft, this.#inputEnd - this.#inputAt, room - this.to)
      this.output.set(this.#input.subarray(this.#inputAt, this.#inputAt + step), this.to)
      this.#inputAt += step
      this.to += step
      this.#reach += step
      this.#storedLeft -= step
    }
    if (this.#storedLeft === 0) this.#state = state.header
    return true
  }

  #fixedCodes(): boolean {
    const lengths = this.#lengths
    lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288)
    this.#literals.build(lengths, 0, 288)
    lengths.fill(5, 0, 30)
    this.#distances.build(lengths, 0, 30)
    return true
  }

  #dynamicCodes(): boolean {
    if (!this.#want(14)) return false
    const literals = (this.#bits & 31) + 257
    const distances = ((this.#bits >>> 5) & 31) + 1
    const stored = ((this.#bits >>> 10) & 15) + 4
    this.#drop(14)
    if (literals > 286 || distances > 30) return this.#fail('a block declares too many codes')
    const lengths = this.#lengths
    lengths.fill(0)
    for (let index = 0; index < stored; index++) {
      if (!this.#want(3)) return false
      lengths[storedOrder[index]] = this.#bits & 7
      this.#drop(3)
    }
    if (!this.#literals.build(lengths, 0, 19)) return this.#fail('the code lengths of a block are no code')
    if (!this.#codeLengths(literals + distances)) return false
    if (lengths[256] === 0) return this.#fail('a block has no end code')
    const fine =
      this.#literals.build(lengths, 0, literals) && this.#distances.build(lengths, literals, distances)
    return fine || this.#fail('the codes of a block are no code')
  }

  /** Reads the run-length coded code lengths (3.2.7). */
  #codeLengths(count: number): boolean {
    const lengths = this.#lengths
    for (let index = 0; index < count;) {
      const symbol = this.#symbol(this.#literals)
      if (symbol < 0) return false
      if (index === 0) lengths.fill(0)
      if (symbol < 16) {
        lengths[index++] = symbol
        continue
      }
      const bits = symbol === 16 ? 2 : symbol === 17 ? 3 : 7
      if (!this.#want(bits)) return false
      const repeat = (symbol === 18 ? 11 : 3) + (this.#bits & ((1 << bits) - 1))
      this.#drop(bits)
      if (symbol === 16 && index === 0) return this.#fail('a code length repeats nothing')
      if (index + repeat > count) return this.#fail('a block has too many code lengths')
      lengths.fill(symbol === 16 ? lengths[index - 1] : 0, index, index + repeat)
      index += repeat
    }
    return true
  }

  /** Decodes symbols until the block ends or the output is full. */
  #coded(room: number): boolean {
    while (this.to < room) {
      if (!this.#hurry(room)) return false
      if (this.to >= room || this.#state !== state.coded) return true
      if (!this.#general()) return false
      if (this.#state !== state.coded) return true
    }
    return true
  }

  /**
   * The loop that nearly all bytes come through: short codes, and at least 8 packed bytes ahead, so that neither
   * needs a check. It stops before the first symbol that is otherwise, which `#general` then decodes; the end of
   * a block is one of these. 16 bits are made sure of at a time; a code here has at most 10, extra bits 5 and 13.
   */
  #hurry(room: number): boolean {
    const { output } = this
    const { fast: literals } = this.#literals
    const { fast: distances } = this.#distances
    const input = this.#input
    const safe = this.#inputEnd - 8
    const mask = (1 << fastBits) - 1
    // Bytes before this place are no part of the stream.
    const begin = this.to - this.#reach
    let bits = this.#bits
    let count = this.#bitCount
    let at = this.#inputAt
    let to = this.to
    let fine = true
    while (to < room && at < safe) {
      if (count < 16) {
        bits |= (input[at] | (input[at + 1] << 8)) << count
        at += 2
        count += 16
      }
      const found = literals[bits & mask]
      if (found !== 0 && found < 4096) {
        bits >>>= found & 15
        count -= found & 15
        output[to++] = found >>> 4
        continue
      }
      const symbol = found >>> 4
      if (symbol < 257 || symbol > 285) break
      const oldBits = bits
      const oldCount = count
      const oldAt = at
      const lengthBits = lengthExtra[symbol - 257]
      bits >>>= found & 15
      const length = lengthBase[symbol - 257] + (bits & ((1 << lengthBits) - 1))
      bits >>>= lengthBits
      count -= (found & 15) + lengthBits
      if (count < 16) {
        bits |= (input[at] | (input[at + 1] << 8)) << count
        at += 2
        count += 16
      }
      const code = distances[bits & mask]
      if (code === 0 || code >= 480) {
        bits = oldBits
        count = oldCount
        at = oldAt
        break
      }
      bits >>>= code & 15
      count -= code & 15
      if (count < 16) {
        bits |= (input[at] | (input[at + 1] << 8)) << count
        at += 2
        count += 16
      }
      const distanceBits = distanceExtra[code >>> 4]
      const distance = distanceBase[code >>> 4] + (bits & ((1 << distanceBits) - 1))
      bits >>>= distanceBits
      count -= distanceBits
      const from = to - distance
      if (from < begin) {
        fine = this.#fail('a match reaches before the beginning')
        break
      }
      const end = to + length
      if (length > 32 && distance >= length) {
        output.copyWithin(to, from, from + length)
        to = end
      } else {
        for (let source = from; to < end;) output[to++] = output[source++]
      }
    }
    this.#bits = bits
    this.#bitCount = count
    this.#inputAt = at
    this.#reach += to - this.to
    this.to = to
    return fine
  }

  /** One symbol of any kind, with every check. */
  #general(): boolean {
    const symbol = this.#symbol(this.#literals)
    if (symbol < 0) return false
    if (symbol < 256) {
      this.output[this.to++] = symbol
      this.#reach++
      return true
    }
    if (symbol === 256) {
      this.#state = state.header
      return true
    }
    const lengthBits = lengthExtra[symbol - 257]
    if (!this.#want(lengthBits)) return false
    const length = lengthBase[symbol - 257] + (this.#bits & ((1 << lengthBits) - 1))
    this.#drop(lengthBits)
    const code = this.#symbol(this.#distances)
    if (code < 0) return false
    const distanceBits = distanceExtra[code]
    if (!this.#want(distanceBits)) return false
    const distance = distanceBase[code] + (this.#bits & ((1 << distanceBits) - 1))
    this.#drop(distanceBits)
    if (symbol > 285 || code > 29) return this.#fail('a length or distance code is a reserved one')
    if (distance > this.#reach) return this.#fail('a match reaches before the beginning')
    this.#copy(length, distance)
    return true
  }

  #copy(length: number, distance: number): void {
    const { output } = this
    const { to } = this
    if (distance >= length && length > 24) output.copyWithin(to, to - distance, to - distance + length)
    else for (let at = to, end = to + length; at < end; at++) output[at] = output[at - distance]
    this.to = to + length
    this.#reach += length
  }

  /** The next symbol of a code, or -1. */
  #symbol(code: Code): number {
    while (this.#bitCount < 15 && this.#more());
    const found = code.fast[this.#bits & ((1 << fastBits) - 1)]
    if (found !== 0 && (found & 15) <= this.#bitCount) {
      this.#drop(found & 15)
      return found >>> 4
    }
    return this.#longSymbol(code)
  }

  /** Canonical decoding bit by bit: the codes of each length are consecutive numbers. */
  #longSymbol(code: Code): number {
    let [value, first, index] = [0, 0, 0]
    for (let length = 1; length < 16; length++) {
      if (length > this.#bitCount) {
        this.#fail('')
        return -1
      }
      value |= (this.#bits >>> (length - 1)) & 1
      const count = code.counts[length]
      if (value - first < count) {
        this.#drop(length)
        return code.symbols[index + value - first]
      }
      index += count
      first = (first + count) << 1
      value <<= 1
    }
    this.#fail('a bit sequence is no code')
    return -1
  }

  /** Makes sure that `count` bits (at most 16) are there. */
  #want(count: number): boolean {
    while (this.#bitCount < count) if (!this.#more()) return this.#fail('')
    return true
  }

  #more(): boolean {
    if (this.#inputAt === this.#inputEnd && !this.#refill()) return false
    this.#bits |= this.#input[this.#inputAt++] << this.#bitCount
    this.#bitCount += 8
    return true
  }

  #drop(count: number): void {
    this.#bits >>>= count
    this.#bitCount -= count
  }

  #refill(): boolean {
    const count = this.#packed.read(this.#input)
    this.#inputAt = 0
    this.#inputEnd = typeof count === 'number' ? count : 0
    this.#taken += this.#inputEnd
    if (typeof count === 'string') this.failure = count
    return this.#inputEnd > 0
  }

  /** An empty reason: the packed bytes ended, or reading them failed. */
  #fail(reason: string): boolean {
    this.truncated = reason === '' && this.failure === ''
    if (this.failure === '') this.failure = reason || 'the packed data ends too early'
    return false
  }
}
