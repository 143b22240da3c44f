// Expanded code for a key's words, its hash and its two buckets (docs/state.md, "Hash").
//
// A key is handled as little-endian 64-bit words of its big-endian packed bytes, so that a key taken from the packet
// needs no byte swap at all: the swap here cancels the one of the field read.

import type { Instr } from '../../ir/types.js'
import { leavesOf } from '../../state/declaration.js'
import type { FieldDecl } from '../../state/declaration.js'
import { hashMultipliers, tableHeader } from '../../state/format.js'
import type { HashLayout } from '../../state/layout.js'
import { swapBytes } from './emitter.js'
import type { Emitter, Width } from './emitter.js'

/** The key area as 64-bit words; a last word of 4 bytes is zero-extended. `leaves` are the operands in order. */
export function keyWords(e: Emitter, key: readonly FieldDecl[], leaves: readonly Instr[]): Instr[] {
  const words: (Instr | undefined)[] = []
  const put = (index: number, part: Instr): void => {
    const old = words[index]
    words[index] = old ? e.or(old, part) : part
  }
  let at = 0
  let next = 0
  for (const field of key)
    for (const leaf of leavesOf(field)) {
      const raw = e.wide(swapBytes(e, leaves[next++], leaf.width))
      const shift = 8 * (at % 8)
      const index = Math.floor(at / 8)
      put(index, shift === 0 ? raw : e.shl(raw, shift))
      if (shift + 8 * leaf.width > 64) put(index + 1, e.shru(raw, 64 - shift))
      at += leaf.width
    }
  return words.map(w => w ?? e.i64(0))
}

/** Leaves of a key, which is how many operands it takes. */
export const leafCount = (key: readonly FieldDecl[]): number =>
  key.reduce((n, field) => n + leavesOf(field).length, 0)

/** Bytes 8i.. of a key area: 8, or 4 for the rest. */
export const wordWidth = (table: HashLayout, index: number): Width =>
  table.keyAreaBytes - 8 * index >= 8 ? 8 : 4

/** Words of a table's key area. */
export const wordCount = (table: HashLayout): number => Math.ceil(table.keyAreaBytes / 8)

export interface Place {
  readonly tag: Instr
  /** Bucket numbers. The second is computed on demand: most look-ups end in the first. */
  readonly first: Instr
  readonly second: () => Instr
}

/** Tag and buckets of a key. */
export function place(e: Emitter, table: HashLayout, words: readonly Instr[]): Place {
  let h = e.load(table.name, 8, e.i32(0), tableHeader.seed)
  const mix = (multiplier: bigint): void => {
    h = e.mul(e.xor(h, e.shru(h, 29)), multiplier)
  }
  for (const word of words) {
    h = e.xor(h, word)
    mix(hashMultipliers[0])
  }
  mix(hashMultipliers[1])
  h = e.xor(h, e.shru(h, 32))
  const low = e.narrow(h)
  const bucket = (half: Instr): Instr => e.narrow(e.shru(e.mul(half, table.bucketCount), 32))
  const first = bucket(e.wide(low))
  return {
    tag: e.or(low, 1),
    first,
    second: () => {
      const second = bucket(e.shru(h, 32))
      const next = e.add(first, 1)
      const wrapped = e.select(e.eq(next, table.bucketCount), e.i32(0), next)
      return e.select(e.eq(second, first), wrapped, second)
    },
  }
}

/** Offset of a bucket's first entry, less bucketsOffset. */
export const bucketStart = (e: Emitter, table: HashLayout, bucket: Instr): Instr =>
  e.mul(bucket, 4 * table.stride)
