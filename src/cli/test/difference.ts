// What is wrong with one packet of the output: missing, unexpected, or other bytes than expected.

import { dissect, printFrame } from '../../wire/frame.js'
import { rewritten } from '../trace/packet.js'
import type { FieldChange } from '../trace/packet.js'

export interface Difference {
  /** Position among the packets that were kept, from 0. */
  readonly packet: number
  /** Position in the input capture, from 0 as trace counts; null if the packet is missing. */
  readonly input: number | null
  readonly kind: 'missing' | 'unexpected' | 'different'
  /** Headers of the packet as expected and as found, one line each; empty where there is no such packet. */
  readonly expected: readonly string[]
  readonly found: readonly string[]
  /** Fields that differ: `before` as expected, `after` as found. Only for packets of the same length. */
  readonly fields: readonly FieldChange[]
  /** Bytes of the two; null where there is no such packet. */
  readonly expectedBytes: number | null
  readonly foundBytes: number | null
}

/** Compares packet number `packet` of the output; undefined if it is as expected. */
export function differenceOf(
  packet: number,
  input: number | undefined,
  expected: Uint8Array | undefined,
  found: Uint8Array | undefined,
): Difference | undefined {
  if (expected && found && Buffer.compare(expected, found) === 0) return undefined
  const lines = (bytes: Uint8Array | undefined): string[] => (bytes ? printFrame(dissect(bytes)) : [])
  return {
    packet,
    input: input ?? null,
    kind: !found ? 'missing' : !expected ? 'unexpected' : 'different',
    expected: lines(expected),
    found: lines(found),
    fields: expected && found && expected.length === found.length ? rewritten(expected, found) : [],
    expectedBytes: expected?.length ?? null,
    foundBytes: found?.length ?? null,
  }
}
