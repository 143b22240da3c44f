// docs/diagnostics.md from the catalogue.

import { catalogue, exampleSource } from './catalogue.js'

const chapters: readonly (readonly [prefix: string, title: string])[] = [
  ['HP10', 'Syntax outside the language'],
  ['HP11', 'Values, integers, control flow'],
  ['HP12', 'Declarations'],
  ['HP13', 'State while packets flow'],
]

/** The page's text. */
export function diagnosticsPage(): string {
  const entries = Object.values(catalogue)
  const out = [
    '# Diagnostics',
    '',
    '<!-- Generated from src/diagnostics/ by tools/generate.ts; do not edit. -->',
    '',
    'Every message of the compiler about a program, with a program that triggers it. Codes are stable and never reused.',
    'Messages with a code that begins with TS are TypeScript’s own, in the same form.',
  ]
  for (const [prefix, title] of chapters) {
    out.push('', `## ${title}`)
    for (const e of entries.filter(({ code }) => code.startsWith(prefix))) {
      out.push('', `### ${e.code}`, '', `**${escape(e.message)}.** ${escape(e.reason)}`)
      if (e.suggestion !== undefined) out.push('', `Instead: ${escape(e.suggestion)}`)
      out.push('', '```ts', exampleSource(e).trimEnd(), '```')
    }
  }
  return `${out.join('\n')}\n`
}

/** Placeholders in italics; angle brackets and stars kept as they are read. */
const escape = (text: string): string => text.replace(/[<*]/g, c => `\\${c}`).replace(/\{(\w+)\}/g, '*$1*')
