// What replication carries of each packet: the item's fields with the place in the source that each comes from, or the
// place that makes replication impossible.

import { isSlice } from '../../analysis/slice.js'
import type { Compiled } from '../../compile.js'
import { lineStarts, lineText, positionAt } from '../../diagnostics/lines.js'
import type { Span } from '../../ir/types.js'

/** A place in the program. */
export interface Place {
  readonly line: number
  readonly column: number
  /** The line's text. */
  readonly text: string
}

export interface MetadataField extends Partial<Place> {
  readonly name: string
  readonly bits: number
  /** First bit in the item, as little-endian loads count. */
  readonly offset: number
  /** What state needs it for. */
  readonly reason: string
}

export interface Metadata {
  /** Of an item, the metadata of one packet. */
  readonly bytes: number
  readonly bits: number
  /** In the history's header, one for each packet: whether it may change state. */
  readonly headerBits: number
  readonly fields: readonly MetadataField[]
}

/** Why something is impossible, and where the program makes it so. */
export interface Obstacle extends Partial<Place> {
  readonly reason: string
  readonly notes?: readonly Obstacle[]
}

export function metadataOf({ slice, program }: Compiled): Metadata | undefined {
  if (!isSlice(slice)) return undefined
  const { bytes, bits, headerBits, fields } = slice.item
  return {
    bytes,
    bits,
    headerBits,
    fields: fields.map(({ name, bits, offset, reason, span }) => ({
      name,
      bits,
      offset,
      reason,
      ...placeOf(span, program.source),
    })),
  }
}

export function obstacleOf({ slice, program }: Compiled): Obstacle | undefined {
  return isSlice(slice) ? undefined : obstacle(slice, program.source)
}

interface Refused {
  readonly reason: string
  readonly span?: Span
  readonly notes?: readonly { readonly message: string; readonly span?: Span }[]
}

export function obstacle({ reason, span, notes }: Refused, source: string): Obstacle {
  return {
    reason,
    ...placeOf(span, source),
    ...(notes?.length && { notes: notes.map(n => ({ reason: n.message, ...placeOf(n.span, source) })) }),
  }
}

function placeOf(span: Span | undefined, source: string): Place | undefined {
  if (!span) return undefined
  const starts = lineStarts(source)
  const { line, column } = positionAt(starts, span.start)
  return { line, column, text: lineText(source, starts, line).trim() }
}
