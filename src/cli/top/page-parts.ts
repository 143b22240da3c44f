// What pages of numbers are made of: what they are asked to show, rows with a bar, rates and times in few characters.

import type { BucketFigures } from '../../engine/kernel/buckets.js'
import type { HeavyFigures } from '../../engine/kernel/places.js'
import { grouped, percent } from '../grid.js'
import type { Styles } from '../screen.js'

/** What a page shall be like. */
export interface PageOptions {
  readonly columns: number
  readonly colour: boolean
  /** Seconds between two looks. */
  readonly interval: number
  /** Whether nanoseconds per packet are measured. */
  readonly time: boolean
  /** The hour, as it is to be printed. */
  readonly clock: string
  /** What can be typed; empty where nothing can. */
  readonly keys: string
  /** The network namespace that top is in (namespaceId); undefined where that does not matter. */
  readonly namespace?: string
}

export const labelWidth = 12

/** Cells of a line beside each other, as many as fit. */
export function cells(label: string, numbers: readonly string[], columns: number): string {
  const widths = [15, 11, 8]
  let line = `  ${label.padEnd(labelWidth)}`
  for (const [k, text] of numbers.entries()) {
    const next = `${line} ${text.padStart(widths[k])}`
    if (next.length > columns) break
    line = next
  }
  return line
}

/** A row of numbers: label, total, rate, share with a bar of what is left of the line. */
export function row(
  label: string,
  total: string,
  each: string,
  share: number | undefined,
  columns: number,
): string {
  if (share === undefined) return cells(label, [total, each], columns)
  const line = cells(label, [total, each, percent(share, 1)], columns)
  const room = Math.min(40, columns - line.length - 2)
  return room < 5 ? line : `${line}  ${bar(share, room)}`
}

/** Eighths of a block, so that a bar moves smoothly. */
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

export function bar(share: number, width: number): string {
  const steps = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  return '█'.repeat(steps >> 3) + eighths[steps & 7]
}

export const heading = (
  label: string,
  columns: number,
  style: Styles,
  titles = ['total', 'per second', 'share'],
): string => style.dim(cells(label, titles, columns))

/** A rate in at most seven characters: 1,234,567 is 1.23 M. */
export function perSecond(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toFixed(2)} G`
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)} M`
  if (n >= 1e4) return `${(n / 1e3).toFixed(1)} k`
  return n > 0 && n < 10 ? n.toFixed(1) : grouped(Math.round(n))
}

/** 3 d 04 h, 1 h 02 min, 12 s. */
export function duration(nanoseconds: bigint): string {
  const s = Number(nanoseconds / 1_000_000_000n)
  const two = (n: number): string => String(n).padStart(2, '0')
  if (s >= 86_400) return `${Math.floor(s / 86_400)} d ${two(Math.floor(s / 3600) % 24)} h`
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} min`
  return s >= 60 ? `${Math.floor(s / 60)} min ${two(s % 60)} s` : `${s} s`
}

/** Buckets of flows that changed their worker, and those that all workers came to have. */
export const migrationsText = ({
  migrations,
  pending,
  promotions,
  demotions = 0,
  spread = 0,
}: BucketFigures & Partial<HeavyFigures>): string =>
  `${promotions === undefined ? 'rebalanced' : 'hybrid'}: ${grouped(migrations)} times a bucket changed its worker` +
  `${promotions === undefined ? '' : `, ${grouped(promotions)} times all came to have one and ${grouped(demotions)} times it went home; all have ${spread} now`}` +
  `${pending > 0 ? `, ${pending} are to with their next packets` : ''}`
