/**
 * What a chart is, as plain data: axes, series of points with their spread, and what kind of number each is.
 *
 * The kind decides how a series is drawn, everywhere alike: measured is a solid line with filled marks, projected a dashed
 * one with hollow marks, a model's prediction dotted without marks, what others published marks alone. svg.ts draws it.
 */

export type SeriesKind = 'measured' | 'projected' | 'model' | 'published'

export interface Point {
  readonly x: number
  readonly y: number
  /** Lowest and highest, for the error bar. */
  readonly low?: number
  readonly high?: number
  /** For a median, beside the bar: in the CSV only. */
  readonly interval?: { readonly low: number; readonly high: number }
}

export interface Series {
  /** Written at an end of its line; nothing if empty. */
  readonly label: string
  /** Decides colour and mark; the label's if absent. */
  readonly colour?: string
  readonly kind: SeriesKind
  readonly points: readonly Point[]
}

export interface Axis {
  readonly label: string
  readonly scale?: 'linear' | 'log'
  /** Ticks to mark; chosen if absent. */
  readonly ticks?: readonly number[]
  readonly least?: number
  readonly most?: number
  /** What the positions 0, 1, … stand for, in place of numbers. A second line begins at ` (`. */
  readonly names?: readonly string[]
}

export interface Chart {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  /** The end of a line where its name stands: 'last', at the right of the chart, if absent. */
  readonly named?: 'first' | 'last'
}

/**
 * Colours of Okabe and Ito (2008), which people with any common colour blindness tell apart, darkened where white paper
 * needs it; and a mark for each, so that no colour carries the meaning alone.
 */
export const styles: Readonly<Record<string, { readonly colour: string; readonly mark: Mark }>> = {
  replicated: { colour: '#0072b2', mark: 'circle' },
  sharded: { colour: '#d55e00', mark: 'square' },
  rebalanced: { colour: '#b37700', mark: 'triangle' },
  hybrid: { colour: '#00795a', mark: 'diamond' },
  shared: { colour: '#a8447f', mark: 'cross' },
  single: { colour: '#555555', mark: 'plus' },
  model: { colour: '#000000', mark: 'circle' },
}

export type Mark = 'circle' | 'square' | 'triangle' | 'diamond' | 'cross' | 'plus'

/** Styles for series that are no strategies, in turn. */
export const styleAt = (index: number): { readonly colour: string; readonly mark: Mark } =>
  Object.values(styles)[index % 6]
