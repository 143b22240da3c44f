// A capture held in memory, packet by packet: what verify and trace need, where order and repetition matter more than
// size. `storeSource` plays it back as a device. Not for the packet path.

import type { ReceivedPacket } from '../ir/access.js'
import type { Batch, Source } from '../device/device.js'
import type { Fault } from '../device/fault.js'
import { descriptor, descriptorBytes } from '../device/slab.js'
import type { Slab } from '../device/slab.js'
import { mapMemory } from './memory.js'
import { makeMemory } from './make-memory.js'

export class PacketStore {
  readonly name: string
  /** Why reading stopped early, if it did; what came before is here. */
  fault: Fault | undefined
  private readonly bytes: Uint8Array[] = []
  private readonly originals: number[] = []
  private readonly devices: number[] = []
  private readonly timestamps: bigint[] = []

  constructor(name: string) {
    this.name = name
  }

  get count(): number {
    return this.bytes.length
  }

  /** Nanoseconds from one pass over the packets to the next: from the first to the last, and the mean gap between two. */
  get period(): bigint {
    let [first, last] = [this.timestamps[0] ?? 0n, this.timestamps[0] ?? 0n]
    for (const time of this.timestamps) {
      if (time < first) first = time
      if (time > last) last = time
    }
    const gap = (last - first) / BigInt(Math.max(1, this.count - 1))
    return last - first + (gap > 0n ? gap : 1n)
  }

  add(bytes: Uint8Array, originalLength: number, timestamp: bigint, device: number): void {
    this.bytes.push(bytes)
    this.originals.push(originalLength)
    this.timestamps.push(timestamp)
    this.devices.push(device)
  }

  /** Packet `index` (from 0) with a copy of its bytes; its sequence number is index + 1. */
  packet(index: number): ReceivedPacket {
    return {
      bytes: this.bytes[index].slice(),
      originalLength: this.originals[index],
      timestamp: this.timestamps[index],
      sequence: BigInt(index) + 1n,
      device: this.devices[index],
    }
  }

  /** Writes packets from `from` on into a slab; answers how many fitted and their bytes. */
  fill(memory: WebAssembly.Memory, slab: Slab, from: number): { count: number; bytes: number } {
    const view = new DataView(memory.buffer)
    const all = new Uint8Array(memory.buffer)
    let at = slab.data
    let count = 0
    let sum = 0
    for (; count < slab.capacity && from + count < this.count; count++) {
      const bytes = this.bytes[from + count]
      if (at + bytes.length > slab.data + slab.dataBytes) break
      const d = slab.descriptors + count * descriptorBytes
      all.set(bytes, at)
      view.setUint32(d + descriptor.address, at, true)
      view.setUint32(d + descriptor.length, bytes.length, true)
      view.setUint32(d + descriptor.original, this.originals[from + count], true)
      view.setUint32(d + descriptor.device, this.devices[from + count], true)
      view.setBigUint64(d + descriptor.timestamp, this.timestamps[from + count], true)
      view.setUint32(d + descriptor.verdict, 0, true)
      view.setUint32(d + descriptor.link, 0, true)
      at += bytes.length
      sum += bytes.length
    }
    return { count, bytes: sum }
  }
}

/** A memory with one slab and room for one reader: for reading without running anything. */
export function readingMemory(
  slabPackets = 4096,
  slabDataBytes = 2 ** 20,
): { memory: WebAssembly.Memory; slab: Slab; workspace: number } {
  const map = mapMemory({
    workers: 1,
    settings: 0,
    counters: 0,
    rulesBytes: 0,
    stateBytes: 0,
    stateBlocks: 1,
    sources: 1,
    sinks: 0,
    slabs: 1,
    slabPackets,
    slabDataBytes,
    replicated: false,
    itemStride: 0,
    lists: 0,
    locks: false,
    commitBytes: 0,
    stamps: false,
    frameHeader: 0,
    ringBytes: 0,
    logEntries: 0,
  })
  if ('error' in map) throw new Error(map.error)
  return { memory: makeMemory(map.pages), slab: map.slabs[0], workspace: map.workspaces[0] }
}

/** Reads a source to its end, up to `most` packets. */
export function loadPackets(
  open: (memory: WebAssembly.Memory, workspace: number) => Source,
  most = Infinity,
): PacketStore {
  const { memory, slab, workspace } = readingMemory()
  const view = new DataView(memory.buffer)
  const source = open(memory, workspace)
  const store = new PacketStore(source.name)
  for (let end = false; !end && store.count < most;) {
    const batch = source.read(slab)
    end = batch.end
    for (let i = 0; i < batch.count && store.count < most; i++) {
      const d = slab.descriptors + i * descriptorBytes
      const at = view.getUint32(d + descriptor.address, true)
      const length = view.getUint32(d + descriptor.length, true)
      store.add(
        new Uint8Array(memory.buffer).slice(at, at + length),
        view.getUint32(d + descriptor.original, true),
        view.getBigUint64(d + descriptor.timestamp, true),
        view.getUint32(d + descriptor.device, true),
      )
    }
  }
  store.fault = source.fault
  source.close()
  return store
}

/** Writes packets from number `from` (from 0) on into a slab; answers how many fitted and their bytes. */
export type Fill = (memory: WebAssembly.Memory, slab: Slab, from: number) => { count: number; bytes: number }

/**
 * A store as a source of packets, which `fill` writes as the store does; `passes` times over, where the work of one pass is too short
 * to be timed. Each pass is later than the one before by the store's period, so that time goes on.
 */
export function storeSource(
  store: PacketStore,
  fill: Fill = (memory, slab, from) => store.fill(memory, slab, from),
  passes = 1,
): (memory: WebAssembly.Memory) => Source {
  const period = passes > 1 ? store.period : 0n
  return memory => {
    let next = 0
    let [pass, shift] = [0, 0n]
    return {
      name: store.name,
      fault: undefined,
      interfaces: [],
      start: undefined,
      close() {},
      read(slab: Slab): Batch {
        const { count, bytes } = fill(memory, slab, next % store.count)
        if (next >= (pass + 1) * store.count) shift = period * BigInt(++pass)
        if (shift > 0n) later(memory, slab, count, shift)
        next += count
        return { count, bytes, wireBytes: bytes, end: next >= passes * store.count }
      },
    }
  }
}

/**
 * Moves the time stamps of a slab, in halves and in 32-bit integers: a bigint for each packet would take longer than many a program,
 * and numbers beyond 32 bits twice as long as this.
 */
function later(memory: WebAssembly.Memory, { descriptors }: Slab, count: number, shift: bigint): void {
  const words = new Int32Array(memory.buffer, descriptors, (count * descriptorBytes) / 4)
  const low = Number(BigInt.asIntN(32, shift))
  const high = Number(BigInt.asIntN(32, shift >> 32n))
  const least = low ^ signBit
  for (let at = descriptor.timestamp / 4; at < words.length; at += descriptorBytes / 4) {
    const sum = (words[at] + low) | 0
    words[at] = sum
    const carry = (sum ^ signBit) < least ? 1 : 0
    if ((high | carry) !== 0) words[at + 1] = (words[at + 1] + high + carry) | 0
  }
}

/** Flipped in both, it orders 32-bit integers as if they had no sign. */
const signBit = 1 << 31
