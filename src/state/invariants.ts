// What must hold of a table's bytes between operations, for tests of every backend.
//
// Equality with the reference implementation is the stronger check; this one needs no reference run and says what is
// wrong in words. Promise: never throws on any bytes that lie within memory.

import { scratchBytes, scratchOffset, tableHeader } from './format.js'
import type { Table } from './table.js'

/** The first broken invariant of a table, or undefined: places, tags, uniqueness, counts, zeros where they belong. */
export function brokenInvariant(table: Table): string | undefined {
  const { memory, base, layout } = table
  const { keyOffset, keyAreaBytes, keyBytes, stride } = layout
  const zero = (from: number, length: number): boolean =>
    memory.bytes.subarray(base + from, base + from + length).every(byte => byte === 0)
  if (table.header('version') % 2 !== 0) return 'version is odd'
  if (table.header('bucketCount') !== layout.bucketCount) return 'bucketCount differs from the layout'
  if (table.header('capacity') !== layout.capacity) return 'capacity differs from the layout'
  if (table.header('sweep') >= layout.bucketCount) return 'sweep is no bucket'
  if (!zero(tableHeader.capacity + 4, scratchOffset - tableHeader.capacity - 4))
    return 'header padding is not zero'
  if (!zero(scratchOffset, scratchBytes)) return 'scratch is not zero'
  const seen = new Set<string>()
  for (let bucket = 0; bucket < layout.bucketCount; bucket++)
    for (const slot of table.slotsOf(bucket)) {
      if (table.tagAt(slot) === 0) {
        if (!zero(slot, stride)) return `free entry at ${slot} is not zero`
        continue
      }
      const { tag, first, second } = table.candidatesAt(slot)
      if (table.tagAt(slot) !== tag) return `entry at ${slot} has the wrong tag`
      if (bucket !== first && bucket !== second) return `entry at ${slot} is in neither of its buckets`
      if (!zero(slot + keyOffset + keyBytes, keyAreaBytes - keyBytes))
        return `key padding at ${slot} is not zero`
      const key = memory.bytes.slice(base + slot + keyOffset, base + slot + keyOffset + keyBytes).join()
      if (seen.has(key)) return `key at ${slot} is there twice`
      seen.add(key)
    }
  if (seen.size !== table.count) return `count is ${table.count}, entries are ${seen.size}`
  return table.count > layout.capacity ? 'count exceeds capacity' : undefined
}
