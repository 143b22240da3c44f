// Writes the generated files of the repository; with --check it only compares and fails if one is out of date.
// Every generated file is committed, so that a change of its source shows what it means for readers.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { diagnosticsPage } from '../src/diagnostics/page.js'
import { languagePage } from '../src/lang/page.js'
import { packetsPage } from './packets-page.js'
import { viewInterfaces } from './view-interfaces.js'

/** Path from the repository's root, and the text that should stand there. */
export const generated: readonly { readonly path: string; readonly text: () => string }[] = [
  { path: 'src/lang/view-types.ts', text: viewInterfaces },
  { path: 'docs/diagnostics.md', text: diagnosticsPage },
  { path: 'docs/language.md', text: languagePage },
  { path: 'docs/packets.md', text: packetsPage },
]

const root = new URL('../../', import.meta.url)

/** The generated files whose text on disk differs from what their source says. */
export function stale(): string[] {
  return generated.filter(({ path, text }) => read(path) !== text()).map(({ path }) => path)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(new URL(path, root), 'utf8')
  } catch {
    return undefined
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const paths = stale()
  if (!process.argv.includes('--check'))
    for (const { path, text } of generated) {
      if (!paths.includes(path)) continue
      writeFileSync(new URL(path, root), text())
      console.log(`wrote ${path}`)
    }
  else if (paths.length) {
    console.error(`out of date: ${paths.join(', ')}; run npm run generate`)
    process.exitCode = 1
  }
}
