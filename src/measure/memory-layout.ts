/**
 * How state and rings lie in memory: entry sizes, padding, cache lines, and lines that two workers share.
 *
 * Computed from the layouts, so it is exact and needs no run. *False sharing* is two workers writing the same line for
 * different reasons; the plan's regions that workers write are checked pair by pair.
 */

import type { Plan } from '../engine/plan.js'
import { controlWord } from '../engine/memory.js'
import type { StateLayout, StateObjectLayout } from '../state/layout.js'
import { contextBytes, descriptorBytes } from '../backend/wasm/memory.js'
import { lineBytes } from './touched.js'

export interface ObjectShape {
  readonly name: string
  readonly kind: string
  readonly entries: number
  /** Bytes from one entry to the next; of these the fields', and the rest. */
  readonly stride: number
  readonly payload: number
  readonly padding: number
  /** Share of the entries that lie in two lines. */
  readonly straddling: number
  /** Lines of a bucket of four; 0 for what has none. */
  readonly bucketLines: number
  readonly bytes: number
}

export function objectShapes({ objects }: StateLayout): ObjectShape[] {
  return objects.map(shapeOf)
}

function shapeOf(object: StateObjectLayout): ObjectShape {
  const { name, kind, size: bytes } = object
  const fields = (list: readonly { readonly bytes: number }[]): number =>
    list.reduce((n, f) => n + f.bytes, 0)
  if (object.kind === 'pool') {
    const entries = object.last - object.first + 1
    return { name, kind, entries, stride: 4, payload: 4, padding: 0, straddling: 0, bucketLines: 0, bytes }
  }
  const { stride } = object
  if (object.kind === 'array') {
    const payload = fields(object.value)
    return {
      name,
      kind: object.cell ? 'cell' : kind,
      entries: object.length,
      stride,
      payload,
      padding: stride - payload,
      straddling: straddling(stride, 0),
      bucketLines: 0,
      bytes,
    }
  }
  const header = 4 + (object.touchedTimeOffset > 0 ? 4 : 0) + (object.touchedSeqOffset > 0 ? 4 : 0)
  const payload = header + object.keyBytes + fields(object.value)
  return {
    name,
    kind,
    entries: object.bucketCount * 4,
    stride,
    payload,
    padding: stride - payload,
    straddling: straddling(stride, object.bucketsOffset),
    bucketLines: bucketLines(stride, object.bucketsOffset),
    bytes,
  }
}

/** Share of entries that cross a line's end, over all positions that occur. */
function straddling(stride: number, from: number): number {
  let crossing = 0
  for (let k = 0; k < lineBytes; k++) {
    const at = (from + k * stride) % lineBytes
    if (at + Math.min(stride, lineBytes) > lineBytes) crossing++
  }
  return crossing / lineBytes
}

/** Mean lines that the four entries of a bucket take. */
function bucketLines(stride: number, from: number): number {
  let lines = 0
  for (let k = 0; k < lineBytes; k++) {
    const at = from + 4 * k * stride
    lines += Math.floor((at + 4 * stride - 1) / lineBytes) - Math.floor(at / lineBytes) + 1
  }
  return lines / lineBytes
}

export interface Region {
  readonly name: string
  readonly at: number
  readonly bytes: number
  /** The worker that writes it; 'sequencer'; or several. */
  readonly writer: number | 'sequencer' | 'all'
}

/** The regions of a run that are written, by whom. */
export function writtenRegions({ map, workers }: Plan, stateBytes: number, counterBytes: number): Region[] {
  const each = Array.from({ length: workers }, (_, w) => w)
  return [
    ...each.map(w => ({
      name: `worker ${w}: progress`,
      at: map.control + 4 * (controlWord.done + controlWord.perWorker * w),
      bytes: 4,
      writer: w,
    })),
    {
      name: 'sequencer: published',
      at: map.control + 4 * controlWord.published,
      bytes: 4,
      writer: 'sequencer' as const,
    },
    ...each.map(w => ({ name: `worker ${w}: context`, at: map.contexts[w], bytes: contextBytes, writer: w })),
    ...each.map(w => ({
      name: `worker ${w}: counters`,
      at: map.counters[w],
      bytes: counterBytes,
      writer: w,
    })),
    ...(map.state.length > 1
      ? each.map(w => ({ name: `worker ${w}: state`, at: map.state[w], bytes: stateBytes, writer: w }))
      : [{ name: 'state', at: map.state[0], bytes: stateBytes, writer: workers > 1 ? ('all' as const) : 0 }]),
  ].filter(r => r.bytes > 0)
}

/** Pairs of regions with different writers that meet in one line. */
export function falseSharing(regions: readonly Region[]): string[] {
  const found: string[] = []
  const last = (r: Region): number => Math.floor((r.at + r.bytes - 1) / lineBytes)
  for (const [i, a] of regions.entries())
    for (const b of regions.slice(i + 1)) {
      if (a.writer === b.writer) continue
      const [from, to] = [Math.max(a.at, b.at), Math.min(last(a), last(b))]
      if (Math.floor(from / lineBytes) <= to) found.push(`${a.name} and ${b.name}`)
    }
  return found
}

/** Packets whose descriptors, which their workers write verdicts into, lie in one line. */
export const descriptorsPerLine = lineBytes / descriptorBytes
