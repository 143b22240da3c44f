// The displacement search: making room for a key whose two buckets are full.
//
// Breadth-first over buckets. Each queued bucket is full; its entries could move to their other bucket; the first
// other bucket with a free slot ends the search, and entries move one step along the path from its end, so that each
// is copied before its old place is given up. A bucket is queued at most once, so no path meets a slot twice, and the
// queue holds `searchLimit` buckets, so the work is bounded: 128 entries looked at, 31 moved. Normative text:
// docs/state.md, "Displacement". Backends may keep the queue in the table's scratch, which they leave all zero.

import { searchLimit, tableHeader } from './format.js'
import { add32 } from './memory.js'
import type { Table } from './table.js'

interface Node {
  readonly bucket: number
  /** The node whose slot leads here, and that slot; undefined for the key's own two buckets. */
  readonly from?: { readonly node: Node; readonly slot: number }
}

/** Frees a slot in one of two full buckets by moving entries; returns it, or 0 if the search ends without one. */
export function roomIn(table: Table, first: number, second: number): number {
  const queue: Node[] = [{ bucket: first }, { bucket: second }]
  for (const node of queue)
    for (const slot of table.slotsOf(node.bucket)) {
      const own = table.candidatesAt(slot)
      const other = own.first === node.bucket ? own.second : own.first
      const free = table.freeSlot(other)
      if (free !== 0) return shift(table, node, slot, free)
      if (queue.length < searchLimit && !queue.some(queued => queued.bucket === other))
        queue.push({ bucket: other, from: { node, slot } })
    }
  return 0
}

/** Moves the entry in `slot` to `free`, then each entry that led there into the slot just freed. */
function shift(table: Table, node: Node, slot: number, free: number): number {
  const { memory, base } = table
  const { stride } = table.layout
  const bump = (word: keyof typeof tableHeader) => add32(memory, base + tableHeader[word], 1)
  bump('version')
  let hole = free
  let source: Node['from'] = { node, slot }
  while (source) {
    const from = base + source.slot
    memory.bytes.copyWithin(base + hole, from, from + stride)
    memory.bytes.fill(0, from, from + stride)
    bump('displacements')
    hole = source.slot
    source = source.node.from
  }
  bump('version')
  return hole
}
