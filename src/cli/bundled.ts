// Programs that come with hairpin, by their names: `heavy-hitter` is the package's programs/heavy-hitter.ts.

import { existsSync } from 'node:fs'
import { basename, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = new URL('../../../programs/', import.meta.url)

/** The bundled program of such a name, as a path from the working directory; none if there is none or the name is a path. */
export function bundled(name: string): string | undefined {
  if (name.includes('/')) return undefined
  const file = fileURLToPath(new URL(`${basename(name, '.ts')}.ts`, root))
  return existsSync(file) ? relative(process.cwd(), file) : undefined
}
