// Renders diagnostics for a terminal or a file:
//
//   programs/x.ts:12:3: error HP1001: `while` loops are not in the language
//
//     11 |   let i = 0
//   > 12 |   while (i < 3) i++
//        |   ^^^^^
//
//     why: the compiler must know …
//     try: for (let i = 0; i < 16; i++) …
//
// Promises: the first line of each is `file:line:column: severity code: message`, which editors and CI logs link.

import type { Diagnostic, Span } from './diagnostic.js'
import { lineStarts, lineText, positionAt } from './lines.js'

export interface RenderOptions {
  /** ANSI colours; off by default. */
  readonly colour?: boolean
}

type Paint = (text: string) => string
const paint =
  (colour: boolean | undefined, code: string): Paint =>
  text =>
    colour && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text

/** One diagnostic with its code frame. `text` is the source it points into. */
export function renderDiagnostic(d: Diagnostic, text: string, options: RenderOptions = {}): string {
  const starts = lineStarts(text)
  const bold = paint(options.colour, '1')
  const dim = paint(options.colour, '2')
  const strong = paint(options.colour, d.severity === 'error' ? '1;31' : '1;33')
  const { line, column } = positionAt(starts, d.span.start)
  const out = [
    `${bold(`${d.file}:${line}:${column}`)}: ${strong(`${d.severity} ${d.code}`)}: ${bold(d.message)}`,
    '',
    ...frame(d.span, text, starts, strong, dim),
  ]
  const labelled = (label: string, s: string | undefined): void => {
    if (s !== undefined) out.push(...wrap(s, 92).map((l, k) => `  ${k ? '    ' : dim(label)} ${l}`))
  }
  if (d.reason !== undefined || d.suggestion !== undefined) out.push('')
  labelled('why:', d.reason)
  labelled('try:', d.suggestion)
  for (const note of d.notes ?? []) {
    const at = positionAt(starts, note.span.start)
    out.push('', `  ${d.file}:${at.line}:${at.column}: ${note.message}`, '')
    out.push(...frame(note.span, text, starts, paint(options.colour, '1;36'), dim))
  }
  return out.join('\n')
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`

/** Several, separated by an empty line, with a closing count. */
export function renderDiagnostics(
  list: readonly Diagnostic[],
  text: string,
  options: RenderOptions = {},
): string {
  const errors = list.filter(d => d.severity === 'error').length
  const warnings = list.length - errors
  const total = [errors && count(errors, 'error'), warnings && count(warnings, 'warning')].filter(Boolean)
  return [...list.map(d => renderDiagnostic(d, text, options)), total.join(', ')]
    .filter(s => s !== '')
    .join('\n\n')
}

const expand = (s: string): string => s.replace(/\t/g, '  ')

/** Columns of source that a frame shows of one line. */
const longest = 140

/** What a frame shows of a line, from a column on. */
const part = (code: string, from: number): string => {
  const text = from > 0 ? `…${code.slice(from + 1)}` : code
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}

function frame(span: Span, text: string, starts: readonly number[], strong: Paint, dim: Paint): string[] {
  const first = positionAt(starts, span.start)
  const last = positionAt(starts, Math.max(span.start, span.end - 1))
  const width = String(last.line + 1).length
  const lines: string[] = []
  const numbered = (mark: string, line: number, code: string): string =>
    `${mark} ${dim(`${String(line).padStart(width)} |`)} ${code}`
  if (first.line > 1) {
    const before = expand(lineText(text, starts, first.line - 1))
    lines.push(numbered(' ', first.line - 1, part(before, 0)))
  }
  const code = lineText(text, starts, first.line)
  const at = expand(code.slice(0, first.column - 1)).length
  const until = last.line === first.line ? Math.max(first.column, last.column) : code.length
  const marked = Math.max(1, expand(code.slice(first.column - 1, until)).length)
  const from = at + marked > longest ? Math.max(0, at - 20) : 0
  lines.push(numbered(strong('>'), first.line, part(expand(code), from)))
  const shown = Math.min(marked, longest - (at - from))
  lines.push(
    `  ${dim(`${' '.repeat(width)} |`)} ${' '.repeat(at - from)}${strong('^'.repeat(Math.max(1, shown)))}`,
  )
  return lines.map(l => l.trimEnd())
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line)
  }
  return lines
}
