// Packets of a live run into a pcapng file: what the sequencer wrote into its ring goes to the file as it stands.
//
// `hairpin verify` and `run` on that file see the packets in the order of their numbers, with the sequencer's times: they
// come to the verdicts and the state that the live workers came to. A packet that found no room in the ring is counted,
// and then that no longer holds. The file has an interface for every index up to the last one, because that is what a
// device's number is in the kernel.

import { closeSync, openSync, writeSync } from 'node:fs'
import { recordRing, snaplen } from '../../backend/ebpf/recording.js'
import { interfaceDescription, sectionHeader } from '../../device/pcapng.js'

/** Bytes of the ring: 40 ms at ten million small packets a second. */
export const defaultRing = 64 * 2 ** 20
/** Ms between two looks at the ring. */
const every = 2
const ethernet = 1

export class Recording {
  readonly #file: number
  readonly #bytes: Uint8Array
  readonly #words: BigUint64Array
  readonly #size: number
  readonly #timer: NodeJS.Timeout
  #read = 0n
  #closed = false
  #fault: Error | undefined

  /** `bytes` are the value of the ring's map, `size` the ring's; interfaces by index. Throws what opening the file throws. */
  constructor(path: string, bytes: Uint8Array, size: number, interfaces: ReadonlyMap<number, string>) {
    this.#file = openSync(path, 'w')
    this.#bytes = bytes
    this.#size = size
    this.#words = new BigUint64Array(bytes.buffer, bytes.byteOffset, recordRing.data / 8)
    this.#write(sectionHeader('hairpin run'))
    // Times count from the first packet: to the second, that is now.
    const began = BigInt(Math.round(Date.now() / 1000))
    for (let k = 0; k <= Math.max(...interfaces.keys()); k++)
      this.#write(
        interfaceDescription(ethernet, snaplen, interfaces.get(k) ?? `index ${k}, not recorded`, began),
      )
    this.#timer = setInterval(() => this.drain(), every)
  }

  /** Packets that found no room in the ring, so far. */
  get lost(): bigint {
    return this.#words[recordRing.lost / 8]
  }

  /** What went wrong with the file; nothing more is written then. */
  get fault(): Error | undefined {
    return this.#fault
  }

  /** Writes what is in the ring. */
  drain(): void {
    const written = Atomics.load(this.#words, recordRing.written / 8)
    while (this.#read < written) {
      const from = Number(this.#read % BigInt(this.#size))
      const length = Math.min(Number(written - this.#read), this.#size - from)
      const at = recordRing.data + from
      this.#write(this.#bytes.subarray(at, at + length))
      this.#read += BigInt(length)
      Atomics.store(this.#words, recordRing.read / 8, this.#read)
    }
  }

  /** Writes the rest and closes the file. Harmless when repeated. */
  close(): void {
    if (this.#closed) return
    clearInterval(this.#timer)
    this.drain()
    this.#closed = true
    closeSync(this.#file)
  }

  #write(bytes: Uint8Array): void {
    if (this.#fault) return
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at)
    } catch (error) {
      this.#fault = error as Error
    }
  }
}
