// Reference implementation of longest-prefix tables: a trie of eight bits a step, for keys of any length.
//
// Prefixes are written in rising order of length, so that a longer one overwrites its part of a shorter one, and a
// node made below a cell begins with that cell's answer in all its cells: look-up never has to go back.
// The layout is in docs/state.md §6.2; read layout.ts first.

import { lpmChild, lpmHeader, lpmNodeBytes } from './format.js'
import type { LpmLayout } from './layout.js'
import { load32 } from './memory.js'
import type { StateMemory } from './memory.js'

/** A prefix and the entry it leads to: the first `length` bits of `key`; bits beyond are ignored. */
export interface Prefix {
  readonly key: Uint8Array
  /** In bits, 0 to 8 times the key's bytes. */
  readonly length: number
  /** 1 or more. */
  readonly entry: number
}

/** The trie of these prefixes: node i is words 256 i to 256 i + 255. Of equal prefixes the last one counts. */
export function buildTrie(prefixes: readonly Prefix[]): Uint32Array {
  const nodes = [new Uint32Array(256)]
  for (const { key, length, entry } of prefixes.toSorted((a, b) => a.length - b.length)) {
    let node = nodes[0]
    let depth = 0
    for (; length > 8 * (depth + 1); depth++) {
      const cell = node[key[depth]]
      const child = cell >= lpmChild ? nodes[cell - lpmChild] : new Uint32Array(256).fill(cell)
      if (cell < lpmChild) node[key[depth]] = lpmChild + nodes.push(child) - 1
      node = child
    }
    const free = 8 * (depth + 1) - length
    const start = free === 8 ? 0 : (key[depth] >>> free) << free
    node.fill(entry, start, start + 2 ** free)
  }
  const words = new Uint32Array(256 * nodes.length)
  nodes.forEach((node, i) => words.set(node, 256 * i))
  return words
}

/** Offset of the entry of the longest prefix of a packed key, from the object's first byte at `base`; 0 if none. */
export function lookupLpm(memory: StateMemory, base: number, layout: LpmLayout, key: Uint8Array): number {
  const nodes = base + load32(memory, base + lpmHeader.nodesOffset)
  let node = 0
  for (let depth = 0; depth < layout.keyBytes; depth++) {
    const cell = load32(memory, nodes + node * lpmNodeBytes + 4 * key[depth])
    if (cell < lpmChild) return cell === 0 ? 0 : layout.entriesOffset + cell * layout.stride
    node = cell - lpmChild
  }
  throw new Error('a longest-prefix trie is deeper than its key')
}
