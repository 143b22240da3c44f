// Diagnostics as values: what is wrong with the author's program, where, why, and what to write instead.
//
// Promises: a diagnostic is plain data (it survives JSON), its message is complete without the frame, and `code` is
// stable across releases: HP and four digits for our own rules (catalogue.ts), TS and a number for TypeScript's.
// Read catalogue.ts next, then render.ts.

import { catalogue } from './catalogue.js'
import type { Rule } from './catalogue.js'

export type Severity = 'error' | 'warning'

/** A range of UTF-16 offsets in the source text, end exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A second place that explains the first. */
export interface Note {
  readonly message: string
  readonly span: Span
}

export interface Diagnostic {
  readonly code: string
  readonly severity: Severity
  readonly message: string
  readonly file: string
  readonly span: Span
  /** Why the rule exists. */
  readonly reason?: string
  /** What to write instead. */
  readonly suggestion?: string
  readonly notes?: readonly Note[]
}

/** Values for the placeholders of a rule's templates. */
export type Blanks = Readonly<Record<string, string | number | bigint>>

/** `{name}` in the template becomes the value of that name; a missing one is our bug and throws. */
export function fill(template: string, blanks: Blanks): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (!(name in blanks)) throw new Error(`no value for {${name}} in: ${template}`)
    return String(blanks[name])
  })
}

/** A diagnostic of our catalogue. */
export function diagnose(
  rule: Rule,
  file: string,
  span: Span,
  blanks: Blanks = {},
  notes: readonly Note[] = [],
): Diagnostic {
  const entry = catalogue[rule]
  return {
    code: entry.code,
    severity: entry.severity ?? 'error',
    message: fill(entry.message, blanks),
    file,
    span,
    reason: fill(entry.reason, blanks),
    ...(entry.suggestion !== undefined && { suggestion: fill(entry.suggestion, blanks) }),
    ...(notes.length > 0 && { notes }),
  }
}

/** In order of place, then code; equal ones once. */
export function sortDiagnostics(list: readonly Diagnostic[]): Diagnostic[] {
  const sorted = list.toSorted(
    (a, b) => a.span.start - b.span.start || a.span.end - b.span.end || (a.code < b.code ? -1 : 1),
  )
  return sorted.filter((d, k) => {
    const p = sorted[k - 1]
    return !p || p.code !== d.code || p.span.start !== d.span.start || p.message !== d.message
  })
}
