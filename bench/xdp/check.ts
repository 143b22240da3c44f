/**
 * Whether contestants are the same program: every packet in turn, with times that are given, must get the same verdict,
 * and in the end the tables must hold the same entries; where the layout is ours, the same bytes.
 */

import { testRun } from '../../src/sys/test-run.js'
import type { Contestant } from './contestant.js'
import type { PacketSet } from './packets.js'

/** What differs between the first contestant and the others; empty if nothing does. */
export function differences(contestants: readonly Contestant[], { before, measured }: PacketSet): string[] {
  const found: string[] = []
  const [first, ...others] = contestants
  const verdictsOf = (c: Contestant): Uint8Array =>
    Uint8Array.from([...before, ...measured], (data, k) => {
      c.setTime(BigInt(k) * 12_345n)
      return testRun(c.program, { data }).verdict
    })
  const verdicts = verdictsOf(first)
  const entries = first.entries()
  const table = first.table?.()
  for (const other of others) {
    const theirs = verdictsOf(other)
    const k = verdicts.findIndex((v, n) => v !== theirs[n])
    if (k >= 0) found.push(`${other.name}: verdict ${theirs[k]} instead of ${verdicts[k]} at packet ${k}`)
    const held = other.entries()
    if (held.size !== entries.size) found.push(`${other.name}: ${held.size} entries, not ${entries.size}`)
    for (const [key, value] of held) {
      // Behind the last field a stride may have padding that a map's value has not.
      const ours = entries.get(key)?.slice(0, value.length)
      if (ours === value.slice(0, ours?.length)) continue
      found.push(`${other.name}: entry ${key} is ${value}, not ${ours}`)
      break
    }
    const bytes = other.table?.()
    if (bytes && table && Buffer.compare(bytes, table) !== 0)
      found.push(`${other.name}: tables differ at byte ${bytes.findIndex((b, n) => b !== table[n])}`)
  }
  return found
}
