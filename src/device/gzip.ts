// gzip (RFC 1952) as a byte source over another: members one after the other, each checked against its sum.
// Everything that was unpacked before damage is given before the damage is told.

import { crc32 } from 'node:zlib'
import { Inflater, produced } from './inflate.js'
import type { ByteSource, SourceFailure } from './source.js'

const flag = { headerSum: 2, extra: 4, name: 8, comment: 16 } as const
const stage = { header: 0, data: 1, trailer: 2, end: 3 } as const

/** Do these bytes begin a gzip file? */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8
}

/** The unpacked bytes of a gzip file. */
export function gzipSource(packed: ByteSource): ByteSource {
  return new GzipSource(packed)
}

class GzipSource implements ByteSource {
  readonly #packed: ByteSource
  readonly #inflater: Inflater
  #stage: number = stage.header
  #members = 0
  #failure: SourceFailure | undefined
  /** Of the current member: sum and length of what was produced. */
  #sum = 0
  #length = 0

  constructor(packed: ByteSource) {
    this.#packed = packed
    this.#inflater = new Inflater({ read: into => this.#readPacked(into) })
  }

  get position(): number {
    return this.#packed.position
  }

  get size(): number | undefined {
    return this.#packed.size
  }

  read(into: Uint8Array): number | SourceFailure {
    const inflater = this.#inflater
    while (inflater.from === inflater.to) {
      if (this.#failure !== undefined) return this.#failure
      if (this.#stage === stage.end) return 0
      this.#advance()
    }
    let given = 0
    for (;;) {
      const step = Math.min(into.length - given, inflater.to - inflater.from)
      into.set(inflater.output.subarray(inflater.from, inflater.from + step), given)
      inflater.from += step
      given += step
      if (given === into.length || this.#failure !== undefined || this.#stage === stage.end) return given
      this.#advance()
    }
  }

  close(): void {
    this.#packed.close()
  }

  #advance(): void {
    if (this.#stage === stage.header) this.#header()
    else if (this.#stage === stage.data) this.#data()
    else this.#trailer()
  }

  #data(): void {
    const inflater = this.#inflater
    const outcome = inflater.produce()
    const bytes = inflater.output.subarray(inflater.from, inflater.to)
    this.#sum = crc32(bytes, this.#sum)
    this.#length = (this.#length + bytes.length) >>> 0
    if (outcome === produced.done) this.#stage = stage.trailer
    if (outcome === produced.failed) this.#fail(inflater.failure)
  }

  /** Magic, method, flags, time, extra flags, system; then the optional parts in the order of the flags. */
  #header(): void {
    const first = this.#inflater.byte()
    if (first < 0 && this.#members > 0 && this.#inflater.failure === '') {
      this.#stage = stage.end
      return
    }
    const head = [first, ...this.#take(9)]
    if (head[0] !== 0x1f || head[1] !== 0x8b || head[2] !== 8) {
      // Padding or foreign bytes behind the last member: gzip itself ignores them too.
      if (this.#members > 0 && this.#failure === undefined) this.#stage = stage.end
      else this.#fail('a gzip member has no header')
      return
    }
    const flags = head[3]
    if (flags & flag.extra) {
      const [low, high] = this.#take(2)
      this.#take(low + high * 256)
    }
    if (flags & flag.name) this.#skipText()
    if (flags & flag.comment) this.#skipText()
    if (flags & flag.headerSum) this.#take(2)
    if (this.#failure !== undefined) return
    this.#members++
    this.#sum = 0
    this.#length = 0
    this.#inflater.begin()
    this.#stage = stage.data
  }

  /** Sum and length of the member. */
  #trailer(): void {
    const bytes = this.#take(8)
    if (this.#failure !== undefined) return
    const view = new DataView(Uint8Array.from(bytes).buffer)
    this.#stage = stage.header
    if (view.getUint32(0, true) !== this.#sum) this.#fail('the sum of the unpacked bytes is wrong')
    else if (view.getUint32(4, true) !== this.#length) this.#fail('the number of unpacked bytes is wrong')
  }

  /** The next bytes outside the compressed data; fails, and answers zeros for the rest, where they end. */
  #take(count: number): number[] {
    const bytes: number[] = []
    for (let index = 0; index < count; index++) {
      const byte = this.#failure === undefined ? this.#inflater.byte() : 0
      if (byte < 0) this.#fail('')
      bytes.push(Math.max(byte, 0))
    }
    return bytes
  }

  /** A zero-terminated text. */
  #skipText(): void {
    for (;;) {
      const [byte] = this.#take(1)
      if (byte === 0) return
    }
  }

  #readPacked(into: Uint8Array): number | string {
    const count = this.#packed.read(into)
    if (typeof count === 'number') return count
    this.#failure = count
    return count.reason
  }

  #fail(reason: string): void {
    const { truncated, position, failure } = this.#inflater
    const ended = truncated || (reason === '' && failure === '')
    const what = reason === '' ? failure || 'the packed data ends too early' : reason
    this.#failure ??= {
      kind: ended ? 'truncated' : 'corrupt',
      reason: `${what} (packed byte ${position})`,
    }
  }
}
