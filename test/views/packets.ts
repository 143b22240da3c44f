// Packets for tests of parsing: built layer by layer from random choices, with right lengths and checksums unless a
// choice says otherwise, then perhaps cut short or damaged. Deterministic in the seed.

import { checksumsOf } from '../../src/wire/checksum.js'
import { dissect } from '../../src/wire/frame.js'

/** A small seeded generator (mulberry32); next(n) is 0 to n - 1. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Choices; a `sound` source makes no defects, and puts a frame into VXLAN as often as not. */
type Random = ((below: number) => number) & { readonly sound?: boolean }
/** True once in n, never where packets are to be sound. */
const defect = (r: Random, n: number): boolean => !r.sound && r(n) === 0
const random16 = (r: Random): number[] => [r(256), r(256)]
const word = (n: number): number[] => [(n >> 8) & 255, n & 255]
const some = (r: Random, n: number): number[] => Array.from({ length: n }, () => r(256))

function transport(r: Random, depth: number): { protocol: (v6: boolean) => number; bytes: number[] } {
  const payload = some(r, r(40))
  switch (r.sound && depth === 0 && r(2) ? 3 : r(8)) {
    case 0:
    case 1: {
      const options = r(3) ? 0 : r(11)
      const offset = defect(r, 20) ? r(5) : 5 + options
      const header = [...some(r, 12), (offset << 4) | r(16), ...some(r, 7), ...some(r, 4 * options)]
      return { protocol: () => 6, bytes: [...header, ...payload] }
    }
    case 2: {
      const length = defect(r, 5) ? r(60) : 8 + payload.length
      return { protocol: () => 17, bytes: [...some(r, 4), ...word(length), ...random16(r), ...payload] }
    }
    case 3: {
      const inner = depth < 2 ? frame(r, depth + 1) : payload
      const vxlan = [defect(r, 10) ? r(256) : 8, ...some(r, 7), ...inner]
      const checksum = r(2) ? [0, 0] : [1, 1]
      return {
        protocol: () => 17,
        bytes: [...some(r, 2), ...word(4789), ...word(8 + vxlan.length), ...checksum, ...vxlan],
      }
    }
    case 4:
      return { protocol: () => 132, bytes: [...some(r, 12), ...payload] }
    case 5:
      return { protocol: v6 => (v6 ? 58 : 1), bytes: [...some(r, 8), ...payload] }
    case 6: {
      const flags = [0x80, 0x20, 0x10].map(f => (r(2) ? f : 0))
      const words = flags.filter(f => f).length
      return {
        protocol: () => 47,
        bytes: [flags[0] | flags[1] | flags[2], 0, ...random16(r), ...some(r, 4 * words), ...payload],
      }
    }
    default:
      return { protocol: () => r(256), bytes: payload }
  }
}

function network(r: Random, depth: number): { type: number; bytes: number[] } {
  const kind = r(10)
  if (kind === 0)
    return {
      type: 0x0806,
      bytes: [...(defect(r, 4) ? some(r, 6) : [0, 1, 8, 0, 6, 4]), 0, 1 + r(2), ...some(r, 20 + r(20))],
    }
  if (kind === 1) return { type: r(0x10000), bytes: some(r, r(60)) }
  const { protocol, bytes } = transport(r, depth)
  if (kind < 6) {
    const options = r(3) ? 0 : r(11)
    const first = defect(r, 20) ? r(256) : 0x45 + options
    const length = defect(r, 5) ? r(200) : 20 + 4 * options + bytes.length
    const fragment = defect(r, 5) ? random16(r) : [r(2) << 6, 0]
    const header = [first, r(256), ...word(length), ...random16(r), ...fragment, 1 + r(255), protocol(false)]
    return { type: 0x0800, bytes: [...header, ...some(r, 10), ...some(r, 4 * options), ...bytes] }
  }
  const extensions: number[] = []
  let next = protocol(true)
  for (let n = r(3) ? 0 : r(r.sound ? 5 : 7); n > 0; n--) {
    const type = [0, 43, 60, 44][r(4)]
    const more = type === 44 ? 0 : r(3)
    const own =
      type === 44
        ? [defect(r, 4) ? r(256) : 0, defect(r, 4) ? r(256) : r(8), ...some(r, 4)]
        : some(r, 6 + 8 * more)
    extensions.unshift(next, more, ...own)
    next = type
  }
  const length = defect(r, 5) ? r(200) : extensions.length + bytes.length
  const version = defect(r, 20) ? r(256) : 0x60 | r(16)
  const header = [version, ...some(r, 3), ...word(length), next, r(256), ...some(r, 32)]
  return { type: 0x86dd, bytes: [...header, ...extensions, ...bytes] }
}

function frame(r: Random, depth: number): number[] {
  const { type, bytes } = network(r, depth)
  const tags: number[] = []
  for (let n = r(3) ? 0 : r(r.sound ? 3 : 4); n > 0; n--)
    tags.push(...(r(2) ? [0x81, 0x00] : [0x88, 0xa8]), ...random16(r))
  const padding = r(4) ? [] : some(r, r(30))
  return [...some(r, 12), ...tags, ...word(type), ...bytes, ...padding]
}

/** A random packet. Its checksums are right where all they cover is there. A sound one has no defects. */
export function randomPacket(seed: number, sound = false): Uint8Array {
  const r: Random = Object.assign(randomOf(seed), { sound })
  let bytes = Uint8Array.from(frame(r, 0))
  if (defect(r, 3)) bytes = bytes.slice(0, r(bytes.length + 1))
  if (defect(r, 6)) for (let n = r(4); n >= 0 && bytes.length; n--) bytes[r(bytes.length)] = r(256)
  return withChecksums(bytes)
}

/** The packet with its checksums computed, those of a carried frame included if asked; a UDP checksum of 0 stays. */
export function withChecksums(packet: Uint8Array, carried = true): Uint8Array {
  const bytes = packet.slice()
  // The inner frame first: the outer UDP checksum covers it.
  const inner = dissect(bytes).transport?.vxlan
  if (inner && carried) bytes.set(withChecksums(bytes.subarray(inner.next)), inner.next)
  for (const { at, computed, none } of checksumsOf(bytes))
    if (computed !== undefined && !none) bytes.set(word(computed), at)
  return bytes
}
