// The output cache: what was compiled, by the source and the compiler it came from.
//
// Entries are plain data. One that cannot be read or written is as good as none, and never an error.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { version } from '../index.js'
import { cacheFolder } from './cache-folder.js'

/** A build of the compiler is part of the key, so that a changed one never meets an old entry. */
function keyOf(text: string): string {
  // Only a checkout has the build's record; an installed package is told apart by its version.
  const build = statSync(new URL('../../.tsbuildinfo', import.meta.url), { throwIfNoEntry: false })
  const parts = [version, build?.mtimeMs ?? '', build?.size ?? '', text]
  return createHash('sha256').update(parts.join('\0')).digest('hex')
}

/** What was kept under this kind for this source text. The caller knows the type that it keeps. */
export function cached(kind: string, text: string): unknown {
  const folder = cacheFolder()
  if (folder === undefined) return undefined
  try {
    return deserialize(readFileSync(join(folder, `${keyOf(text)}.${kind}`)))
  } catch {
    // Not there, or written half by a machine that went down: compile.
    return undefined
  }
}

/** Keeps a value that survives a structured clone. */
export function keep(kind: string, text: string, value: unknown): void {
  const folder = cacheFolder()
  if (folder === undefined) return
  try {
    mkdirSync(folder, { recursive: true })
    const path = join(folder, `${keyOf(text)}.${kind}`)
    // Renamed into place, so that a reader never sees half a file.
    writeFileSync(`${path}.${process.pid}`, serialize(value))
    renameSync(`${path}.${process.pid}`, path)
  } catch {
    // A cache that cannot be written is no reason not to run.
  }
}
